/** What a peer may make us remember of entries that we do not know: their replicas, and that they are removed. */
import type { ObservedRemoveSet, Removal } from "@presently/crdt";
import { ProtocolError } from "./errors.ts";
import type { ReplicaSettings } from "./options.ts";

/** Those that are known, those that were evicted, and those that are about to become known. */
const ORIGINS_PER_REPLICA = 3;

/**
 * Cost: O(removals); O(origins) where one of them names what we have not seen.
 *
 * @throws {ProtocolError} `PENDING_MAX` if these would take what waits beyond `pendingMax`, or the replicas that are named
 *   beyond three times `replicasMax`
 */
export function checkRemovals(
  set: ObservedRemoveSet<unknown>,
  removals: readonly Removal[],
  { pendingMax, replicasMax }: ReplicaSettings,
): void {
  let waiting = 0;
  for (const { origin, numbers } of removals) {
    const seen = set.vectorOf(origin);
    for (const number of numbers) if (number > seen) waiting++;
  }
  if (waiting === 0) return;
  if (set.pendingSize + waiting > pendingMax)
    throw new ProtocolError(
      "PENDING_MAX",
      `more than pendingMax (${pendingMax}) unknown entries are named as removed`,
    );
  if (set.originCount + removals.length > ORIGINS_PER_REPLICA * replicasMax + 1)
    throw new ProtocolError(
      "PENDING_MAX",
      `entries of more replicas are named as removed than replicasMax (${replicasMax}) allows`,
    );
}
