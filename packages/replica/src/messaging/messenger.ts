/**
 * Messages of the application between nodes: at most once, in order for each pair of nodes, never stored. They go over the
 * link with their receiver or, where there is none, over a third node; a peer that does not keep up goes without.
 */
import type { ReplicaId } from "@presently/crdt";
import { checkOptions, checkString, stringsIn } from "../arguments.ts";
import type { Counters } from "../counters.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { ReplicaChange } from "../followers.ts";
import { checkText, takePayload } from "../limits.ts";
import type { InterestAckMessage, InterestMessage, Unnumbered } from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";
import { Channels, type MessageListener } from "./channels.ts";
import { Exchange, type ExchangeMessage, type ExchangePort } from "./exchange.ts";
import type { LostReason } from "./lane.ts";
import { OwnInterests } from "./own-interests.ts";
import { PeerInterests } from "./peer-interests.ts";
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

/** How long answers may take, and the time. */
export interface Within {
  readonly timeoutMs: number;
  readonly now: Millis;
}

const BROADCAST_OPTIONS: readonly (keyof BroadcastOptions)[] = ["topics"];

/** What the messenger asks of its replica. */
export interface MessengerPort extends Omit<ExchangePort, "received" | "routeLost" | "isIntroduced"> {
  /** Those of the wanted peers that a message may go to now, and how many go without. */
  readonly readyPeers: (isWanted: (peer: ReplicaId) => boolean) => {
    readonly ready: readonly ReplicaId[];
    readonly skipped: number;
  };
  /** After goodbye nothing is sent. */
  readonly isOver: () => boolean;
  /** Calls `tellInterests` soon. */
  readonly interestsChanged: () => void;
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
  private readonly exchange: Exchange;
  private readonly own: OwnInterests;
  private readonly theirs: PeerInterests;
  /** Those that are suspected, as was told last. */
  private readonly suspects = new Set<ReplicaId>();

  constructor(settings: ReplicaSettings, counters: Counters, port: MessengerPort) {
    this.settings = settings;
    this.counters = counters;
    this.port = port;
    this.broadcasts = new Channels(settings, port.failed);
    this.messages = new Channels(settings, port.failed);
    this.requests = new Requests(settings, {
      post: (to, message, lost) => this.post(to, message, lost),
      deliver: (channel, payload, from) => this.messages.deliver(channel, payload, from),
      failed: port.failed,
    });
    this.exchange = new Exchange(settings, counters, {
      ...port,
      isIntroduced: (peer) => this.theirs.isKnown(peer),
      received: (from, message) => this.received(from, message),
      routeLost: (replica) => this.requests.lost(replica, "PEER_UNREACHABLE"),
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
   * @param payload JSON, bytes or a `Packet`, taken by value
   * @throws {InvalidArgumentError} for a channel or payload that cannot be used
   * @throws {LimitError} for JSON beyond `broadcastBytesMax`, or raw bytes beyond `messageBytesMax`
   */
  broadcast(channel: string, payload: unknown, options: BroadcastOptions = {}): void {
    const taken = takePayload(channel, payload, this.settings);
    checkOptions(options, BROADCAST_OPTIONS);
    const topics = options.topics && stringsIn("topics", options.topics);
    const hashes = topics?.map((topic) => topicHash(channel, topic));
    const isWanted = (peer: ReplicaId) => hashes === undefined || this.theirs.wants(peer, hashes);
    if (!this.port.isOver()) {
      const { ready, skipped } = this.port.readyPeers(isWanted);
      const message: Unnumbered = { type: "broadcast", channel, payload: taken };
      this.counters.broadcastsSkipped += skipped + this.exchange.broadcast(ready, message, isWanted);
    }
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
    let isLost = false;
    this.post([to], { type: "message", channel, payload: taken }, () => {
      isLost = true;
    });
    return !isLost;
  }

  /** Calls `listener` with every message that was sent to us on the channel, until the returned function is called. */
  onMessage(channel: string, listener: MessageListener): () => void {
    return this.messages.listen(channel, listener);
  }

  /**
   * Sends a message to one replica as `send` does; `settled` is told once that its listeners have it, or why that is not known.
   * Errors as of `broadcast`.
   */
  deliver(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    within: Within,
    settled: (answer: Answer) => void,
  ): void {
    checkString("to", to);
    this.ask(new Set([to]), channel, payload, true, within, (_, answer) => settled(answer));
  }

  /** Asks one replica; `settled` is told the answer, or why there is none, exactly once. Errors as of `broadcast`. */
  request(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    within: Within,
    settled: (answer: Answer) => void,
  ): void {
    checkString("to", to);
    this.ask(new Set([to]), channel, payload, false, within, (_, answer) => settled(answer));
  }

  /**
   * Asks several replicas the same, in one encoding; `settled` is told the answer of each, or why there is none, exactly once
   * for each. Errors as of `broadcast`.
   */
  requestAll(
    replicas: Iterable<ReplicaId>,
    channel: string,
    payload: unknown,
    within: Within,
    settled: (replica: ReplicaId, answer: Answer) => void,
  ): void {
    const to = new Set(stringsIn("replicas", replicas) as readonly ReplicaId[]);
    this.ask(to, channel, payload, false, within, settled);
  }

  private ask(
    to: ReadonlySet<ReplicaId>,
    channel: string,
    payload: unknown,
    isMessage: boolean,
    { timeoutMs, now }: Within,
    settled: (replica: ReplicaId, answer: Answer) => void,
  ): void {
    const taken = takePayload(channel, payload, this.settings);
    if (typeof timeoutMs !== "number" || !(timeoutMs > 0 && Number.isFinite(timeoutMs)))
      throw new InvalidArgumentError("timeoutMs", "must be a positive number of milliseconds");
    this.requests.ask(to, { channel, payload: taken, isMessage }, now + timeoutMs, settled);
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

  private post(
    to: Iterable<ReplicaId>,
    message: Unnumbered,
    lost: (replica: ReplicaId, reason: LostReason) => void,
  ): void {
    if (this.port.isOver()) for (const replica of to) lost(replica, "unreachable");
    else this.exchange.post(to, message, lost);
  }

  /** A message of the application, or of those that take it here, came from a peer. @throws {ProtocolError} if it breaks the protocol */
  receive(from: ReplicaId, message: ExchangeMessage): void {
    this.exchange.receive(from, message);
  }

  private received(from: ReplicaId, message: Unnumbered): void {
    if (message.type === "broadcast") this.broadcasts.deliver(message.channel, message.payload, from);
    else if (message.type === "message") this.messages.deliver(message.channel, message.payload, from);
    else if (message.type === "request") this.requests.serve(from, message);
    else this.requests.answered(from, message);
  }

  /** A peer says what it wants. */
  interest(from: ReplicaId, message: InterestMessage): void {
    if (this.theirs.take(from, message))
      this.port.send([from], { type: "interest-ack", telling: message.telling });
    this.exchange.introduced(from, message.relays);
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
    const isCounted = status !== "down" && status !== "gone";
    this.exchange.note(replica, linked, isCounted, status !== "gone");
    if (!isCounted) this.requests.lost(replica, "PEER_UNREACHABLE");
    if (status === "gone") this.requests.forget(replica);
    if (status !== "suspect") this.suspects.delete(replica);
    else if (!this.suspects.has(replica)) {
      this.suspects.add(replica);
      this.requests.lost(replica, "PEER_SUSPECT");
    }
  }

  peerUp(peer: ReplicaId): void {
    this.own.linked(peer);
    // What waits for a route to it goes before what is sent from now on.
    this.exchange.note(peer, true, true, true);
  }

  peerDown(peer: ReplicaId): void {
    this.exchange.peerDown(peer);
    this.requests.lost(peer, "PEER_UNREACHABLE");
    this.requests.forget(peer);
    this.theirs.forget(peer);
    this.own.unlinked(peer);
  }

  drained(): void {
    this.own.drained();
    this.exchange.drained();
  }

  /** We have said goodbye, and hear no more answers. */
  close(): void {
    this.exchange.close();
    this.requests.lostAll();
    this.own.close();
  }

  tick(now: Millis): Millis {
    return Math.min(this.requests.tick(now), this.own.tick(now), this.exchange.tick(now));
  }
}
