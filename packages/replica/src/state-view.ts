/** What may be read of the replicated state without a way to change it. */
import type { ObservedRemoveSet } from "@presently/crdt";
import type { Presence } from "./presence.ts";

/** What a set holds under one dot. */
export interface StateEntry {
  /** What readers see of it while it is shown. */
  readonly presence: Presence;
}

/** Vectors, digests, entries by origin and event number, and what waits; see `ObservedRemoveSet`. */
export type StateView = Pick<
  ObservedRemoveSet<StateEntry>,
  "vector" | "vectorOf" | "digest" | "originIds" | "entriesOf" | "pendingOf" | "aheadOf" | "isEvicted"
>;
