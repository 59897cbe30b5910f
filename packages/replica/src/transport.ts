/**
 * What the replica asks of whatever carries its frames, and what it is told in return.
 *
 * The WebSocket mesh, NATS and the simulator's network implement `Transport`; whoever drives the replica
 * (`createNode`, the simulator) implements `TransportListener`. A peer is named by its replica id: when a
 * node restarts, the old peer goes down and another one comes up.
 *
 * What a transport finds out by itself: who of its cluster can be reached, now and later, for ever; and that nobody else
 * is let in. `transportConformance` of `@presently/testkit` examines whether one keeps all that is said here.
 */
import type { ReplicaId } from "@presently/crdt";

/**
 * Carries frames between replicas: in order, at most once and without a gap while a link is up. Nothing is promised across
 * links: whatever went over one and had not arrived when it ended never arrives over the next. It calls its listener only
 * after its start and before its close, and never from inside a call to it.
 */
export interface Transport {
  /**
   * Hands a frame to the link with `peer`. Never blocks and never throws; a frame for a peer that is not up is dropped.
   * The bytes must not be changed afterwards: the same array may serve several peers.
   *
   * Frames of up to 128 KiB must get through. One that is larger than the transport carries is dropped, or costs the link,
   * and no other one. What is sent in spite of congestion is sent until it passes some multiple of the bound; then the
   * link is given up, so that memory stays bounded whatever the peer does.
   */
  send(peer: ReplicaId, frame: Uint8Array): void;
  /**
   * Hands one frame to several links, in order with what `send` hands to each, and to nobody else; peers without a link
   * go without. Left out by a transport that can do no better than one `send` after the other.
   */
  sendToMany?(peers: readonly ReplicaId[], frame: Uint8Array): void;
  /** Whether the link with `peer` holds more unsent bytes than its bound; then nothing should be pushed to it until `drained`. */
  congested(peer: ReplicaId): boolean;
  /**
   * Asks for an immediate attempt to reach a peer whose link was lost; answered by `peerUp` or `unreachable`, unless the
   * transport itself is cut off from everybody.
   */
  redial(peer: ReplicaId): void;
  /** Closes the link with `peer` because of what it sent; `code` is stable, `reason` is for people. The peer is dialled again later. */
  refuse(peer: ReplicaId, code: string, reason: string): void;
}

/** What a transport tells its owner. Calls never overlap: each returns before the next is made. */
export interface TransportListener {
  /** A link with `peer` is open and authenticated. At most one link a peer is up at a time. */
  peerUp(peer: ReplicaId): void;
  /** The link with `peer` is gone; each link that was up goes once. A hint that the peer may have crashed, not a verdict. */
  peerDown(peer: ReplicaId, reason: string): void;
  /** An attempt to reach `peer` failed, or no address of it is known: it cannot be reached directly right now. */
  unreachable(peer: ReplicaId, reason: string): void;
  /** A frame came from `peer`. The bytes belong to the listener. */
  frame(peer: ReplicaId, frame: Uint8Array): void;
  /** A link that `congested` has said is full has room again. Told once for each time. */
  drained(peer: ReplicaId): void;
}
