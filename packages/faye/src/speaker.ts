/**
 * Which node tells of a change, where Faye itself carries what one server publishes to the clients of all? The one that
 * holds the entry, as it knows of it first; for a node that is gone, the first by name of those that are left.
 */
import type { ReplicaId, ReplicaReport } from "presently";

const SPEAKS: ReadonlySet<ReplicaReport["status"]> = new Set(["self", "up", "suspect"]);

/** @param owner who holds the entry, or held it  @param cluster what this node believes of all, itself included */
export function speakerFor(
  owner: ReplicaId,
  cluster: readonly Pick<ReplicaReport, "replica" | "status">[],
): ReplicaId | undefined {
  const speakers = cluster.filter(({ status }) => SPEAKS.has(status)).map(({ replica }) => replica);
  return speakers.includes(owner) ? owner : speakers.sort()[0];
}
