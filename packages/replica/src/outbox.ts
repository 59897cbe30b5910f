/** What the replica wants done. It calls these during its own calls; none may call back into the replica. */
import type { ReplicaId } from "@presently/crdt";
import type { Message } from "./messages.ts";
import type { Notice } from "./notice.ts";

/** Milliseconds, monotonic, from an arbitrary start. */
export type Millis = number;

/** What a replica asks of whoever runs it, during its own calls; none of these may call back into the replica. */
export interface Outbox {
  /** Sends one message to several peers; it is encoded once. */
  send(peers: Iterable<ReplicaId>, message: Message): void;
  /** Sends a message that `encodeMessage` has made a frame of. */
  sendFrame(peers: readonly ReplicaId[], frame: Uint8Array): void;
  /** Whether nothing should be pushed to the peer until it has drained. */
  congested(peer: ReplicaId): boolean;
  /** Reach a lost peer now; answered by `peerUp` or `unreachable`. */
  redial(peer: ReplicaId): void;
  /** Close the link with a peer that has no place in the cluster. */
  refuse(peer: ReplicaId, code: string, reason: string): void;
  /** Call `tick` at the latest so long from now. */
  wake(delayMs: number): void;
  /** The replica has taken a newer incarnation: links must be opened anew under this id. */
  renamed(replica: ReplicaId): void;
  /** This process has taken over our node's name: close the transport. */
  superseded(by: ReplicaId): void;
  notice(notice: Notice): void;
}
