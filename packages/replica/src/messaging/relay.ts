/**
 * Passes messages on between two nodes that have no link with each other: once, from a link to a link. What was passed on
 * is of another type than what is to be passed on, so it goes no further, and nothing goes round in circles.
 */
import type { ReplicaId } from "@presently/crdt";
import { encodeMessage } from "../codec.ts";
import type { Counters } from "../counters.ts";
import type { Message, RelayMessage } from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";

export interface RelayPort {
  /** Whether a message can be passed on to the peer now: there is a link, which is not full, and it understands it. */
  readonly canPassOn: (peer: ReplicaId) => boolean;
  readonly send: (peers: readonly ReplicaId[], message: Message) => void;
  readonly sendFrame: (peers: readonly ReplicaId[], frame: Uint8Array) => void;
}

/** What a node does for pairs of others. */
export class Relay {
  /** Who has asked for each replica, and what it was told last: whether messages can be passed on. */
  private readonly askers = new Map<ReplicaId, Map<ReplicaId, boolean>>();
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly port: RelayPort;

  constructor(settings: ReplicaSettings, counters: Counters, port: RelayPort) {
    this.settings = settings;
    this.counters = counters;
    this.port = port;
  }

  /** A peer asks which of these we can pass on to; it is told now, and whenever that changes. */
  asked(asker: ReplicaId, replicas: readonly ReplicaId[]): void {
    const open: ReplicaId[] = [];
    const closed: ReplicaId[] = [];
    for (const replica of replicas) {
      const canPassOn = this.port.canPassOn(replica);
      this.remember(asker, replica, canPassOn);
      (canPassOn ? open : closed).push(replica);
    }
    this.port.send([asker], { type: "reaches", open, closed });
  }

  /** As many replicas as there can be: a peer may name some that nobody knows. */
  private remember(asker: ReplicaId, replica: ReplicaId, told: boolean): void {
    const askers = this.askers.get(replica);
    if (askers !== undefined) askers.set(asker, told);
    else if (this.askers.size < this.settings.replicasMax) this.askers.set(replica, new Map([[asker, told]]));
  }

  /** Passes a message on; its sender is told whom it cannot reach. Cost: one encoding, whatever the number of receivers. */
  passOn(from: ReplicaId, { to, frame }: RelayMessage): void {
    const reached: ReplicaId[] = [];
    const closed: ReplicaId[] = [];
    for (const replica of to) {
      if (replica === from) continue;
      if (this.port.canPassOn(replica)) reached.push(replica);
      else {
        closed.push(replica);
        const askers = this.askers.get(replica);
        if (askers?.has(from)) askers.set(from, false);
      }
    }
    if (reached.length > 0) {
      this.counters.messagesRelayed += reached.length;
      this.port.sendFrame(reached, encodeMessage({ type: "relayed", from, frame }));
    }
    if (closed.length > 0) this.port.send([from], { type: "reaches", open: [], closed });
  }

  /** Whether messages can be passed on to a peer may have changed: those who have asked are told. Cost: O(askers). */
  changed(peer: ReplicaId): void {
    const askers = this.askers.get(peer);
    if (askers === undefined) return;
    const canPassOn = this.port.canPassOn(peer);
    const told: ReplicaId[] = [];
    for (const [asker, before] of askers) {
      if (before === canPassOn) continue;
      askers.set(asker, canPassOn);
      told.push(asker);
    }
    if (told.length === 0) return;
    this.port.send(told, {
      type: "reaches",
      open: canPassOn ? [peer] : [],
      closed: canPassOn ? [] : [peer],
    });
  }

  /** A congested link has room again. Cost: O(replicas that were asked for). */
  drained(): void {
    for (const replica of this.askers.keys()) if (this.port.canPassOn(replica)) this.changed(replica);
  }

  /** A peer's link is gone, and with it what it asked. Cost: O(replicas that were asked for). */
  peerDown(peer: ReplicaId): void {
    for (const [replica, askers] of this.askers)
      if (askers.delete(peer) && askers.size === 0) this.askers.delete(replica);
    this.changed(peer);
  }
}
