/** What a refused handshake tells a node about its own name: that another process has its id, or is known with a newer one. */
import { incarnationOf, type ReplicaId } from "@presently/replica";
import type { ConnectionEnd } from "./connection.ts";

export type Conflict =
  | { readonly type: "id-taken"; readonly holder: string | undefined; readonly reason: string }
  | { readonly type: "stale"; readonly holder: string | undefined; readonly newest: number };

/** The conflict, if the refusal shows one. What is not proven anybody may have said: nothing follows from it. */
export function conflictIn(
  replica: ReplicaId,
  { by, refusal, peer, proven }: ConnectionEnd & { type: "refused" },
): Conflict | undefined {
  if (!proven || peer === undefined) return undefined;
  const { code, reason, holder, newest } = refusal;
  if (by === "peer" && code === "REPLICA_ID_TAKEN") return { type: "id-taken", holder, reason };
  const isStale = by === "peer" && code === "STALE_INCARNATION" && (newest ?? 0) > incarnationOf(replica);
  return isStale ? { type: "stale", holder, newest: newest! } : undefined;
}
