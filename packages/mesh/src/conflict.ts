/** What a refused handshake tells a node about its own name: that another process has its id, or a newer life of it. */
import { incarnationOf, type ReplicaId } from "@presently/replica";
import type { ConnectionEnd } from "./connection.ts";

export type Conflict =
  | { readonly type: "id-taken"; readonly holder: string | undefined; readonly reason: string }
  | { readonly type: "stale"; readonly newest: number };

/** The conflict, if the refusal shows one. What is not proven anybody may have said: nothing follows from it. */
export function conflictIn(
  replica: ReplicaId,
  { by, refusal, peer, proven }: ConnectionEnd & { type: "refused" },
): Conflict | undefined {
  if (!proven || peer === undefined) return undefined;
  const { code, reason, holder, newest } = refusal;
  if (by === "peer" && code === "REPLICA_ID_TAKEN") return { type: "id-taken", holder, reason };
  // Either the peer knows a newer life of us, or we refused it because it is one.
  let newer: number | undefined;
  if (by === "peer" && code === "STALE_INCARNATION") newer = newest;
  if (by === "us" && code === "NEWER_INCARNATION") newer = incarnationOf(peer.replica);
  return newer !== undefined && newer > incarnationOf(replica) ? { type: "stale", newest: newer } : undefined;
}
