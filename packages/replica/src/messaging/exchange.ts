/**
 * Takes messages from replica to replica, once and in the order of their sender, whatever way they go. What they say is
 * nothing to it.
 */
import type { ReplicaId } from "@presently/crdt";
import { decodeMessage, encodeMessage } from "../codec.ts";
import type { Counters } from "../counters.ts";
import { ProtocolError } from "../errors.ts";
import type {
  ApplicationMessage,
  Message,
  PartAckMessage,
  PartMessage,
  ReachesMessage,
  ReachMessage,
  RelayedMessage,
  RelayMessage,
  Unnumbered,
} from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";
import { ownPayload } from "../packet.ts";
import { Incoming } from "./incoming.ts";
import type { Lost, LostReason } from "./lane.ts";
import { Outgoing } from "./outgoing.ts";
import { Relay } from "./relay.ts";

/** What one replica sends another itself, whoever passes it on. */
type EndToEndMessage = ApplicationMessage | PartMessage | PartAckMessage;

/** All that concerns messages of the application on their way. */
export type ExchangeMessage = EndToEndMessage | ReachMessage | ReachesMessage | RelayMessage | RelayedMessage;

export interface ExchangePort {
  readonly self: () => ReplicaId;
  /** Sends the local changes: whoever is told of something by a message should find what was tracked before it. */
  readonly flush: () => void;
  readonly isLinked: (peer: ReplicaId) => boolean;
  readonly congested: (peer: ReplicaId) => boolean;
  /** Whether a peer has said what it can do. */
  readonly isIntroduced: (peer: ReplicaId) => boolean;
  /** Whether it is known, and no newer life of its node is. */
  readonly isMember: (replica: ReplicaId) => boolean;
  readonly send: (peers: readonly ReplicaId[], message: Message) => void;
  readonly sendFrame: (peers: readonly ReplicaId[], frame: Uint8Array) => void;
  readonly wake: (delayMs: number) => void;
  /** A message has come, or was sent to ourselves. */
  readonly received: (from: ReplicaId, message: Unnumbered) => void;
  /** What went to the replica over a third node may not have arrived. */
  readonly routeLost: (replica: ReplicaId) => void;
}

export class Exchange {
  private readonly outgoing: Outgoing;
  private readonly incoming: Incoming;
  private readonly relay: Relay;
  /** Peers that pass messages on, take those that were passed on, and take parts. */
  private readonly relays = new Set<ReplicaId>();
  /** Of our last message. */
  private lastNumber = 0;
  /** Of the last message that was taken from each replica. */
  private readonly taken = new Map<ReplicaId, number>();
  private readonly port: ExchangePort;

  constructor(settings: ReplicaSettings, counters: Counters, port: ExchangePort) {
    this.port = port;
    const { isLinked, congested, isIntroduced, send, sendFrame, routeLost, wake } = port;
    const relays = () => this.relays;
    this.outgoing = new Outgoing(settings, {
      isLinked,
      congested,
      relays,
      isIntroduced,
      send,
      sendFrame,
      routeLost,
      wake,
    });
    this.incoming = new Incoming(settings);
    const canPassOn = (peer: ReplicaId) => this.relays.has(peer) && isLinked(peer) && !congested(peer);
    this.relay = new Relay(settings, counters, { canPassOn, send, sendFrame });
  }

  // Sending.

  /**
   * Sends a message to each of these; one encoding serves them all.
   *
   * @param lost called for those whom it does not reach, at once or later
   */
  post(
    to: Iterable<ReplicaId>,
    message: Unnumbered,
    lost: (replica: ReplicaId, reason: LostReason) => void,
  ): void {
    let frame: Uint8Array | undefined;
    for (const replica of to) {
      if (replica === this.port.self()) {
        this.port.received(replica, { ...message, payload: ownPayload(message.payload) });
        continue;
      }
      const lostHere: Lost = (reason) => lost(replica, reason);
      if (this.outgoing.reaches(replica)) {
        frame ??= this.encode(message);
        if (this.outgoing.post(replica, frame, lostHere)) continue;
      }
      lostHere("unreachable");
    }
  }

  /** Sends a message to these peers, and to the members without a link that are wanted; returns how many go without it. */
  broadcast(
    peers: readonly ReplicaId[],
    message: Unnumbered,
    isWanted: (replica: ReplicaId) => boolean,
  ): number {
    return this.outgoing.broadcast(peers, () => this.encode(message), isWanted);
  }

  private encode(message: Unnumbered): Uint8Array {
    this.port.flush();
    return encodeMessage({ ...message, number: ++this.lastNumber });
  }

  // Receiving.

  /** @throws {ProtocolError} for what breaks the protocol */
  receive(from: ReplicaId, message: ExchangeMessage): void {
    switch (message.type) {
      case "reach":
        this.relay.asked(from, message.replicas);
        break;
      case "reaches":
        this.outgoing.routes.answered(from, message);
        break;
      case "relay":
        this.relay.passOn(from, message);
        break;
      case "relayed":
        this.takeRelayed(from, message);
        break;
      default:
        this.take(from, from, message);
    }
  }

  /** Who passed it on has not looked into it, and is not to blame for what it is. */
  private takeRelayed(via: ReplicaId, { from, frame }: RelayedMessage): void {
    if (from === this.port.self() || !this.port.isMember(from)) return;
    try {
      const message = decodeMessage(frame);
      if (message !== undefined && isEndToEnd(message)) this.take(from, via, message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  private take(from: ReplicaId, via: ReplicaId, message: EndToEndMessage): void {
    if (message.type === "part") this.takePart(from, via, message);
    else if (message.type === "part-ack") this.outgoing.acknowledged(from, message);
    else this.takeNumbered(from, message);
  }

  private takePart(from: ReplicaId, via: ReplicaId, part: PartMessage): void {
    const { ack, frame } = this.incoming.take(from, via, part);
    // It does not wait behind what goes to the sender.
    if (via === from) this.port.send([from], ack);
    else this.outgoing.passOn(via, [from], encodeMessage(ack));
    const message = frame && decodeMessage(frame);
    if (message === undefined) return;
    if (!("payload" in message)) throw new ProtocolError("BAD_FRAME", "parts must make a message");
    this.takeNumbered(from, message);
  }

  /** What went two ways may come twice, or out of order: nothing is taken that is not newer than the last. */
  private takeNumbered(from: ReplicaId, message: ApplicationMessage): void {
    const { number } = message;
    if (number > 0) {
      if (number <= (this.taken.get(from) ?? 0)) return;
      this.taken.set(from, number);
    }
    this.port.received(from, message);
  }

  // Who is there.

  /** What is believed of a replica has changed, or our link with it. @param isKnown whether it may come back as it is */
  note(replica: ReplicaId, isLinked: boolean, isCounted: boolean, isKnown: boolean): void {
    this.outgoing.note(replica, isLinked, isCounted);
    if (isKnown) return;
    this.taken.delete(replica);
    this.incoming.drop(replica);
  }

  /** A peer has said what it can do. @param isRelay whether it passes messages on, and takes parts */
  introduced(peer: ReplicaId, isRelay: boolean): void {
    if (isRelay && !this.relays.has(peer)) {
      this.relays.add(peer);
      this.outgoing.routes.relayUp(peer);
      this.relay.changed(peer);
    }
    this.outgoing.introduced(peer);
  }

  peerDown(peer: ReplicaId): void {
    this.relays.delete(peer);
    this.outgoing.unlink(peer);
    this.outgoing.routes.relayDown(peer);
    this.incoming.peerDown(peer);
    this.relay.peerDown(peer);
  }

  drained(): void {
    this.outgoing.drained();
    this.relay.drained();
  }

  close(): void {
    this.outgoing.endAll();
  }

  tick(now: Millis): Millis {
    return Math.min(this.outgoing.tick(now), this.incoming.tick(now));
  }
}

function isEndToEnd(message: Message): message is EndToEndMessage {
  return "payload" in message || message.type === "part" || message.type === "part-ack";
}
