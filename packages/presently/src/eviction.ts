/** Forgetting a replica on all nodes at once. */
import type { Answers, ReplicaId, ReplicaReport } from "@presently/replica";

/** Reserved for nodes among themselves: the replica's id is the payload, and whether it was known the answer. */
export const EVICTION_CHANNEL = "presently/evict";

/** What became of an eviction. A node that did not know the replica is in neither list. */
export interface Eviction {
  /** The nodes that have forgotten it. */
  readonly forgottenBy: readonly ReplicaId[];
  /** The nodes that count, and could not be asked or did not answer: each forgets when it is asked itself, or in time. */
  readonly unanswered: readonly ReplicaId[];
}

/**
 * Asks every node that counts to forget a replica, and waits for the answers.
 *
 * @param evict how this node forgets
 * @param askAll how others are asked
 */
export async function evictEverywhere(
  replica: ReplicaId,
  cluster: readonly ReplicaReport[],
  evict: (replica: ReplicaId) => boolean,
  askAll: (others: readonly ReplicaId[]) => Promise<Answers>,
): Promise<Eviction> {
  const [self, ...others] = cluster;
  const forgottenBy: ReplicaId[] = evict(replica) ? [self!.replica] : [];
  const counted = others.filter((other) => other.replica !== replica && other.status !== "down");
  const { answers, unanswered } = await askAll(counted.map((other) => other.replica));
  for (const [other, known] of answers) if (known === true) forgottenBy.push(other);
  return { forgottenBy: forgottenBy.sort(), unanswered: [...unanswered.keys()].sort() };
}
