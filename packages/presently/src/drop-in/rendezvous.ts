/** An order of replicas that all nodes find alike without asking, and another one for each subject. */
import { createHash } from "node:crypto";
import type { ReplicaId } from "@presently/replica";

/** The replicas in the order in which they are in charge: the next one is, should those before it be gone. */
export function inOrder(replicas: readonly ReplicaId[], subject: string): ReplicaId[] {
  const weighed = replicas.map((replica) => ({
    replica,
    weight: createHash("sha1").update(replica).update("\0").update(subject).digest("hex"),
  }));
  weighed.sort((one, other) => (one.weight > other.weight ? -1 : 1));
  return weighed.map(({ replica }) => replica);
}
