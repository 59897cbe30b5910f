/**
 * Messages of the application between nodes: at most once, in order for each pair of nodes, never stored. They go over the
 * link with their receiver or, where there is none, over a third node; a peer that does not keep up goes without.
 */
import type { ReplicaId } from "@presently/crdt";
import { checkOptions, checkString, stringsIn } from "../arguments.ts";
import { decodeMessage, encodeMessage } from "../codec.ts";
import type { Counters } from "../counters.ts";
import { InvalidArgumentError, ProtocolError } from "../errors.ts";
import type { ReplicaChange } from "../followers.ts";
import { checkText, takePayload } from "../limits.ts";
import type {
  ApplicationMessage,
  InterestAckMessage,
  InterestMessage,
  Message,
  RelayedMessage,
  Unnumbered,
} from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";
import { Channels, type MessageListener } from "./channels.ts";
import { Outgoing } from "./outgoing.ts";
import { OwnInterests } from "./own-interests.ts";
import { PeerInterests } from "./peer-interests.ts";
import { Relay } from "./relay.ts";
import { type Answer, type RequestHandler, Requests } from "./requests.ts";
import { topicHash } from "./topic-hash.ts";

/** Tells other nodes that somebody here waits for broadcasts of a topic, until it ends. */
export interface TopicInterest {
  /** Whether `whenKnown` would call at once. */
  isKnown(): boolean;
  /**
   * Calls `settled` once every node that we have a link with sends us the topic's broadcasts, at the latest after
   * `interestTimeoutMs`: what a node publishes after it has heard from us since then comes here.
   */
  whenKnown(now: Millis, settled: () => void): void;
  end(): void;
}

/** To whom a broadcast goes. */
export interface BroadcastOptions {
  /** Only to nodes that want one of these topics of the channel, and to those whose wants are not known yet. Default: to all. */
  readonly topics?: readonly string[];
}

const BROADCAST_OPTIONS: readonly (keyof BroadcastOptions)[] = ["topics"];

/** What the messenger asks of its replica. */
export interface MessengerPort {
  readonly self: () => ReplicaId;
  /** Sends the local changes: whoever is told of something by a message should find what was tracked before it. */
  readonly flush: () => void;
  /** Those of the wanted peers that a message may go to now, and how many go without. Nobody after goodbye. */
  readonly readyPeers: (isWanted: (peer: ReplicaId) => boolean) => {
    readonly ready: readonly ReplicaId[];
    readonly skipped: number;
  };
  readonly congested: (peer: ReplicaId) => boolean;
  /** Calls `tellInterests` soon. */
  readonly interestsChanged: () => void;
  readonly isLinked: (peer: ReplicaId) => boolean;
  /** Whether it is known, and no newer life of its node is. */
  readonly isMember: (replica: ReplicaId) => boolean;
  /** After goodbye nothing is sent. */
  readonly isOver: () => boolean;
  readonly sendFrame: (peers: readonly ReplicaId[], frame: Uint8Array) => void;
  readonly send: (peers: readonly ReplicaId[], message: Message) => void;
  readonly wake: (delayMs: number) => void;
  /** A listener or handler threw. */
  readonly failed: (error: unknown, channel: string) => void;
}

/** The messages of the application at one replica: `broadcast`, `send` and `request`, and who listens to each channel. */
export class Messenger {
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly port: MessengerPort;
  private readonly broadcasts: Channels;
  private readonly messages: Channels;
  private readonly requests: Requests;
  private readonly own: OwnInterests;
  private readonly theirs: PeerInterests;
  private readonly outgoing: Outgoing;
  private readonly relay: Relay;
  /** Peers that pass messages on, and take those that were passed on. */
  private readonly relays = new Set<ReplicaId>();
  /** Of our last message. */
  private lastNumber = 0;
  /** Of the last message that was taken from each replica. */
  private readonly taken = new Map<ReplicaId, number>();

  constructor(settings: ReplicaSettings, counters: Counters, port: MessengerPort) {
    this.settings = settings;
    this.counters = counters;
    this.port = port;
    this.broadcasts = new Channels(settings, port.failed);
    this.messages = new Channels(settings, port.failed);
    this.requests = new Requests(settings, (to, message, lost) => this.post(to, message, lost), port.failed);
    const { send, sendFrame, congested, isLinked } = port;
    this.outgoing = new Outgoing(settings, {
      isLinked,
      congested,
      relays: () => this.relays,
      send,
      sendFrame,
      routeLost: (replica) => this.requests.lost(replica),
      wake: port.wake,
    });
    this.relay = new Relay(settings, counters, {
      canPassOn: (peer) => this.relays.has(peer) && isLinked(peer) && !congested(peer),
      send,
      sendFrame,
    });
    this.theirs = new PeerInterests(settings.interestsMax);
    this.own = new OwnInterests(settings, {
      send: port.send,
      congested: port.congested,
      changed: port.interestsChanged,
      wake: port.wake,
    });
  }

  /**
   * Sends a message to every node that can be reached, or that wants it of these, and to this one.
   *
   * @param payload JSON or bytes, taken by value
   * @throws {InvalidArgumentError} for a channel or payload that cannot be used
   * @throws {LimitError} beyond `broadcastBytesMax`
   */
  broadcast(channel: string, payload: unknown, options: BroadcastOptions = {}): void {
    const taken = takePayload(channel, payload, this.settings);
    checkOptions(options, BROADCAST_OPTIONS);
    const topics = options.topics && stringsIn("topics", options.topics);
    this.port.flush();
    const hashes = topics?.map((topic) => topicHash(channel, topic));
    const isWanted = (peer: ReplicaId) => hashes === undefined || this.theirs.wants(peer, hashes);
    const { ready, skipped } = this.port.readyPeers(isWanted);
    let encoded: Uint8Array | undefined;
    const frame = () =>
      (encoded ??= encodeMessage({ type: "broadcast", channel, payload: taken, number: ++this.lastNumber }));
    if (ready.length > 0) this.port.sendFrame(ready, frame());
    const skippedAway = this.port.isOver() ? 0 : this.outgoing.broadcast(frame, isWanted);
    this.counters.broadcastsSkipped += skipped + skippedAway;
    this.broadcasts.deliver(channel, taken, this.port.self());
  }

  /** Calls `listener` with every broadcast on the channel that comes here, our own included, until the returned function is called. */
  onBroadcast(channel: string, listener: MessageListener): () => void {
    return this.broadcasts.listen(channel, listener);
  }

  /**
   * Says that broadcasts of a topic of the channel are wanted here, whoever listens to them: others that publish them by
   * their topics leave out nodes that do not. Several may want the same; each ends for itself.
   */
  subscribe(channel: string, topic: string): TopicInterest {
    checkText("channel", channel, this.settings.topicBytesMax);
    checkString("topic", topic);
    const hash = topicHash(channel, topic);
    const telling = this.own.add(hash);
    let ended = false;
    return {
      isKnown: () => this.own.isKnown(telling),
      whenKnown: (now, settled) => this.own.whenKnown(telling, now, settled),
      end: () => {
        if (!ended) this.own.delete(hash);
        ended = true;
      },
    };
  }

  /**
   * Sends a message to one replica; returns whether it is on its way, or came to ourselves. Errors as of `broadcast`.
   */
  send(to: ReplicaId, channel: string, payload: unknown): boolean {
    checkString("to", to);
    const taken = takePayload(channel, payload, this.settings);
    return this.post(to, { type: "message", channel, payload: taken }, () => undefined);
  }

  /** Calls `listener` with every message that was sent to us on the channel, until the returned function is called. */
  onMessage(channel: string, listener: MessageListener): () => void {
    return this.messages.listen(channel, listener);
  }

  /**
   * Asks one replica; `settled` is told the answer, or why there is none, exactly once. Errors as of `broadcast`.
   *
   * @param timeoutMs how long an answer may take
   */
  request(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    { timeoutMs, now }: { readonly timeoutMs: number; readonly now: Millis },
    settled: (answer: Answer) => void,
  ): void {
    checkString("to", to);
    const taken = takePayload(channel, payload, this.settings);
    if (typeof timeoutMs !== "number" || !(timeoutMs > 0 && Number.isFinite(timeoutMs)))
      throw new InvalidArgumentError("timeoutMs", "must be a positive number of milliseconds");
    this.requests.ask(to, channel, taken, now + timeoutMs, settled);
    this.port.wake(timeoutMs);
  }

  /**
   * Answers requests on the channel until the returned function is called. One handler for each channel.
   *
   * @throws {InvalidArgumentError} for a channel that cannot be used, or has a handler
   */
  onRequest(channel: string, handler: RequestHandler): () => void {
    return this.requests.handle(channel, handler);
  }

  /** A message of this kind came from a peer. */
  receive(
    from: ReplicaId,
    message: ApplicationMessage | Extract<Message, { type: "reach" | "reaches" | "relay" | "relayed" }>,
  ): void {
    if (message.type === "reach") this.relay.asked(from, message.replicas);
    else if (message.type === "reaches") this.outgoing.routes.answered(from, message);
    else if (message.type === "relay") this.relay.passOn(from, message);
    else if (message.type === "relayed") this.receiveRelayed(message);
    else this.take(from, message);
  }

  private receiveRelayed({ from, frame }: RelayedMessage): void {
    if (from === this.port.self() || !this.port.isMember(from)) return;
    const message = decodeRelayed(frame);
    if (message !== undefined) this.take(from, message);
  }

  /** What went two ways may come twice, or out of order: nothing is taken that is not newer than the last. */
  private take(from: ReplicaId, message: ApplicationMessage): void {
    const { number } = message;
    if (number > 0) {
      if (number <= (this.taken.get(from) ?? 0)) return;
      this.taken.set(from, number);
    }
    this.deliver(from, message);
  }

  private deliver(from: ReplicaId, message: Unnumbered): void {
    if (message.type === "broadcast") this.broadcasts.deliver(message.channel, message.payload, from);
    else if (message.type === "message") this.messages.deliver(message.channel, message.payload, from);
    else if (message.type === "request") this.requests.serve(from, message);
    else this.requests.answered(from, message);
  }

  /** A peer says what it wants. */
  interest(from: ReplicaId, message: InterestMessage): void {
    if (this.theirs.take(from, message))
      this.port.send([from], { type: "interest-ack", telling: message.telling });
    if (!message.relays || this.relays.has(from)) return;
    this.relays.add(from);
    this.outgoing.routes.relayUp(from);
    this.relay.changed(from);
  }

  /** A peer goes by what we have told it. */
  interestKnown(from: ReplicaId, { telling }: InterestAckMessage, now: Millis): void {
    this.own.acknowledged(from, telling, now);
  }

  get hasInterestsToTell(): boolean {
    return this.own.hasChanges;
  }

  /** Tells the peers what has changed in what is wanted here. */
  tellInterests(): void {
    this.own.tell();
  }

  /** What is believed of a replica has changed, or our link with it. */
  replicaChanged({ replica, status, linked }: ReplicaChange): void {
    this.outgoing.note(replica, !linked && status !== "down" && status !== "gone");
    if (status !== "gone") return;
    this.taken.delete(replica);
    this.requests.forget(replica);
  }

  peerUp(peer: ReplicaId): void {
    this.own.linked(peer);
    // What waits for a route to it goes before what is sent from now on.
    this.outgoing.note(peer, false);
  }

  peerDown(peer: ReplicaId): void {
    this.relays.delete(peer);
    this.requests.lost(peer);
    this.requests.forget(peer);
    this.theirs.forget(peer);
    this.own.unlinked(peer);
    this.outgoing.routes.relayDown(peer);
    this.relay.peerDown(peer);
  }

  drained(): void {
    this.own.drained();
    this.relay.drained();
  }

  /** We have said goodbye, and hear no more answers. */
  close(): void {
    this.outgoing.close();
    this.requests.lostAll();
    this.own.close();
  }

  tick(now: Millis): Millis {
    return Math.min(this.requests.tick(now), this.own.tick(now), this.outgoing.tick(now));
  }

  private post(to: ReplicaId, message: Unnumbered, lost: () => void): boolean {
    if (to === this.port.self()) {
      this.deliver(to, message);
      return true;
    }
    if (this.port.isOver() || !this.outgoing.reaches(to)) return false;
    this.port.flush();
    return this.outgoing.post(to, encodeMessage({ ...message, number: ++this.lastNumber }), lost);
  }
}

/**
 * The message that another node has passed on; undefined for what is none of the application. Whoever passed it on has not
 * looked into it: it is not to blame.
 */
function decodeRelayed(frame: Uint8Array): ApplicationMessage | undefined {
  try {
    const message = decodeMessage(frame);
    switch (message?.type) {
      case "broadcast":
      case "message":
      case "request":
      case "reply":
        return message;
      default:
        return undefined;
    }
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
