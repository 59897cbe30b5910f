/**
 * What travels between replicas: a contiguous interval of one replica's events, in joined form.
 * Source: Almeida, Shoker, Baquero, "Delta State Replicated Data Types", arXiv 1603.01529.
 */
import type { EventNumber, ReplicaId } from "./dot.ts";
import type { Ranges } from "./ranges.ts";
import type { VersionVector } from "./version-vector.ts";

/** Dots of one origin that were removed. */
export interface Removal {
  readonly origin: ReplicaId;
  readonly numbers: readonly EventNumber[];
  /** Of an origin that removed entries of its own: not because their owner let go of them. The set only passes it on. */
  readonly deliberate?: true;
}

/**
 * The events `(from, to]` of `origin`, joined: what they added (`values[i]` by event `numbers[i]`, ascending) and
 * what they removed. An added entry is left out only if an event of this same interval removed it: another origin's
 * remove may get lost together with that origin, and two replicas with equal vectors would then differ for ever.
 */
export interface Delta<V> {
  readonly origin: ReplicaId;
  readonly from: EventNumber;
  readonly to: EventNumber;
  readonly numbers: readonly EventNumber[];
  readonly values: readonly V[];
  readonly removals: readonly Removal[];
}

/** How many adds and removes a delta carries. */
export function deltaSize(delta: Delta<unknown>): number {
  let size = delta.numbers.length;
  for (const removal of delta.removals) size += removal.numbers.length;
  return size;
}

/** Live entries of one origin; `values[i]` was added by event `numbers[i]`; ascending. */
export interface Entries<V> {
  readonly origin: ReplicaId;
  readonly numbers: readonly EventNumber[];
  readonly values: readonly V[];
}

/** Which dots of one origin are live. */
export interface LiveDots {
  readonly ranges: Ranges;
  /** Their hash: who holds just these need not compare them one by one. */
  readonly hash: number;
}

/** One origin's share of a state at one time, to be read bit by bit while the set goes on. */
export interface FrozenOrigin<V> {
  readonly id: ReplicaId;
  readonly vector: EventNumber;
  /** Of its live dots. */
  readonly hash: number;
  readonly entries: FrozenEntries<V>;
}

/** Live entries up to the vector of that time, by event number. */
export interface FrozenEntries<V> {
  countAbove(above: EventNumber): number;
  /** Ascending. */
  above(above: EventNumber): Iterable<readonly [EventNumber, V]>;
}

/** A whole state at one time, without having read it. */
export interface FrozenState<V> {
  readonly origins: readonly FrozenOrigin<V>[];
  readonly pending: readonly Removal[];
}

/**
 * A whole state as of `vector`: which dots are live, which removed dots are still unknown, and the entries themselves,
 * of which those may be left out that the receiver has, or has been given with `ObservedRemoveSet.stage`.
 */
export interface FullState<V> {
  readonly vector: VersionVector;
  readonly live: ReadonlyMap<ReplicaId, LiveDots>;
  readonly pending: readonly Removal[];
  readonly entries: readonly Entries<V>[];
}
