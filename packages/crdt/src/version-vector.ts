/**
 * Which events has a replica applied? For every origin, the highest number with none missing below it.
 * Source: Parker et al., "Detection of Mutual Inconsistency in Distributed Systems", 1983.
 */
import type { EventNumber, ReplicaId } from "./dot.ts";

/** Replica id → highest contiguous event number applied. An absent replica stands for 0. */
export type VersionVector = ReadonlyMap<ReplicaId, EventNumber>;

/** Whether `vector` contains every event that `other` contains. Cost: O(replicas in `other`). */
export function covers(vector: VersionVector, other: VersionVector): boolean {
  for (const [replica, number] of other) if ((vector.get(replica) ?? 0) < number) return false;
  return true;
}

/** Whether both contain the same events. */
export function sameVector(one: VersionVector, other: VersionVector): boolean {
  return covers(one, other) && covers(other, one);
}
