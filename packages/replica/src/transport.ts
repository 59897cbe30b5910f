/**
 * What the replica asks of whatever carries its frames, and what it is told in return.
 *
 * The WebSocket mesh and the simulator's network implement `Transport`; whoever drives the replica
 * (`createNode`, the simulator) implements `TransportListener`. A peer is named by its replica id: when a
 * node restarts, the old peer goes down and another one comes up.
 */
import type { ReplicaId } from "@presently/crdt";

/** Carries frames between replicas: in order and at most once while a peer is up; nothing is promised across links. */
export interface Transport {
  /**
   * Hands a frame to the link with `peer`. Never blocks and never throws; a frame for a peer that is not up is dropped.
   * The bytes must not be changed afterwards: the same array may serve several peers.
   */
  send(peer: ReplicaId, frame: Uint8Array): void;
  /**
   * Hands one frame to several links, in order with what `send` hands to each. Left out by a transport that can do no
   * better than one `send` after the other.
   */
  sendToMany?(peers: readonly ReplicaId[], frame: Uint8Array): void;
  /** Whether the link with `peer` holds more unsent bytes than its bound; then nothing should be pushed to it until `drained`. */
  congested(peer: ReplicaId): boolean;
  /** Asks for an immediate attempt to reach a peer whose link was lost; answered by `peerUp` or `unreachable`. */
  redial(peer: ReplicaId): void;
  /** Closes the link with `peer` because of what it sent; `code` is stable, `reason` is for people. The peer is dialled again later. */
  refuse(peer: ReplicaId, code: string, reason: string): void;
}

/** What a transport tells its owner. Calls never overlap: each returns before the next is made. */
export interface TransportListener {
  /** A link with `peer` is open and authenticated. At most one link a peer is up at a time. */
  peerUp(peer: ReplicaId): void;
  /** The link with `peer` is gone. A hint that the peer may have crashed, not a verdict. */
  peerDown(peer: ReplicaId, reason: string): void;
  /** An attempt to reach `peer` failed, or no address of it is known: it cannot be reached directly right now. */
  unreachable(peer: ReplicaId, reason: string): void;
  /** A frame came from `peer`. The bytes belong to the listener. */
  frame(peer: ReplicaId, frame: Uint8Array): void;
  /** A link that was congested has room again. */
  drained(peer: ReplicaId): void;
}
