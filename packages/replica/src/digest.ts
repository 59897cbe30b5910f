/** Digests: enough for two replicas to see whether they agree, who lacks what, and whether something is wrong. */
import { type EventNumber, type ObservedRemoveSet, type ReplicaId, seedOf } from "@presently/crdt";
import type { OriginSummary } from "./messages.ts";

export type Summaries = ReadonlyMap<ReplicaId, OriginSummary>;

/**
 * What one digest tells beside another, over the replicas that `counts` holds for: `lacking` what we do not have;
 * `agreeing` in events and states; `diverging`: the same events, and yet another state.
 */
export interface Comparison {
  readonly lacking: boolean;
  readonly agreeing: boolean;
  readonly diverging: boolean;
}

/** Vector and hash of every origin that `counts` holds for. Cost: O(origins). */
export function summarize(
  set: ObservedRemoveSet<unknown>,
  counts: (replica: ReplicaId) => boolean,
): OriginSummary[] {
  const summaries: OriginSummary[] = [];
  for (const [replica, { vector, hash }] of set.digest()) {
    if (counts(replica)) summaries.push({ replica, vector, hash });
  }
  return summaries;
}

/** One number for a whole digest, whatever its order. */
export function digestHash(summaries: Iterable<OriginSummary>): number {
  let low = 0;
  let high = 0;
  for (const { replica, vector, hash } of summaries) {
    const seed = seedOf(`${replica} ${vector} ${hash}`);
    low ^= seed;
    high ^= Math.imul(seed ^ 0x5bd1e995, 0x1b873593) ^ (seed >>> 7);
  }
  return (high & 0x1f_ffff) * 0x1_0000_0000 + (low >>> 0);
}

export function compare(
  own: Summaries,
  theirs: Summaries,
  counts: (replica: ReplicaId) => boolean,
  /**
   * Whether a digest without this replica is that of somebody who lacks its events: one that is leaving or down may just
   * have been forgotten there, and what else the two differ in must show all the same.
   */
  isExpected: (replica: ReplicaId) => boolean = counts,
): Comparison {
  let [lacking, leading, differing] = [false, false, false];
  for (const [replica, { vector, hash }] of theirs) {
    if (!counts(replica)) continue;
    const ours = own.get(replica);
    if (vector > (ours?.vector ?? 0)) lacking = true;
    else if (vector < (ours?.vector ?? 0)) leading = true;
    else if (hash !== ours?.hash) differing = true;
  }
  for (const [replica, { vector }] of own)
    if (vector > 0 && !theirs.has(replica) && isExpected(replica)) leading = true;
  const sameEvents = !lacking && !leading;
  return { lacking, agreeing: sameEvents && !differing, diverging: sameEvents && differing };
}

/** Whether `set` has all events up to these. */
export function hasAll(
  set: ObservedRemoveSet<unknown>,
  claims: Iterable<readonly [ReplicaId, EventNumber]>,
  counts: (replica: ReplicaId) => boolean,
): boolean {
  for (const [replica, vector] of claims) if (counts(replica) && set.vectorOf(replica) < vector) return false;
  return true;
}
