/** Forgetting a replica on all nodes at once. */
import type { ReplicaId, ReplicaReport } from "@presently/replica";

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
 * @param ask   how another one is asked; rejects if it does not answer
 */
export async function evictEverywhere(
  replica: ReplicaId,
  cluster: readonly ReplicaReport[],
  evict: (replica: ReplicaId) => boolean,
  ask: (to: ReplicaId) => Promise<unknown>,
): Promise<Eviction> {
  const [self, ...others] = cluster;
  const forgottenBy: ReplicaId[] = evict(replica) ? [self!.replica] : [];
  const unanswered: ReplicaId[] = [];
  const askOne = async ({ replica: to, linked }: ReplicaReport) => {
    // One without a link answers nothing, and to wait for it would be in vain.
    const known = linked ? await ask(to).catch(() => undefined) : undefined;
    if (known === undefined) unanswered.push(to);
    else if (known === true) forgottenBy.push(to);
  };
  const counted = others.filter((other) => other.replica !== replica && other.status !== "down");
  await Promise.all(counted.map(askOne));
  return { forgottenBy: forgottenBy.sort(), unanswered: unanswered.sort() };
}
