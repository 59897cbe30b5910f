export type {
  Delta,
  Entries,
  FrozenEntries,
  FrozenOrigin,
  FrozenState,
  FullState,
  LiveDots,
  Removal,
} from "./delta.ts";
export { deltaSize } from "./delta.ts";
export {
  type Dot,
  type EventNumber,
  incarnationOf,
  isReplicaId,
  nameOf,
  type ReplicaId,
  replicaId,
} from "./dot.ts";
export { CrdtError } from "./errors.ts";
export type {
  ApplyOutcome,
  MergeOutcome,
  ObservedRemoveSetOptions,
  OriginDigest,
  SetListener,
} from "./observed-remove-set.ts";
export { ObservedRemoveSet } from "./observed-remove-set.ts";
export { countInRanges, inRanges, type Ranges, rangesOf } from "./ranges.ts";
export { StateHash, seedOf } from "./state-hash.ts";
export { covers, sameVector, type VersionVector } from "./version-vector.ts";
