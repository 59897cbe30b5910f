/**
 * Messages of the application between nodes: at most once, in order for each pair of nodes, never stored. They go over
 * direct links only; a peer that does not keep up goes without.
 */
import type { ReplicaId } from "@presently/crdt";
import { checkOptions, checkString, stringsIn } from "../arguments.ts";
import type { Counters } from "../counters.ts";
import { InvalidArgumentError } from "../errors.ts";
import { checkText, takePayload } from "../limits.ts";
import type { InterestAckMessage, InterestMessage, Message } from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";
import { Channels, type MessageListener } from "./channels.ts";
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
  readonly isReady: (peer: ReplicaId) => boolean;
  readonly send: (peers: Iterable<ReplicaId>, message: Message) => void;
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

  constructor(settings: ReplicaSettings, counters: Counters, port: MessengerPort) {
    this.settings = settings;
    this.counters = counters;
    this.port = port;
    this.broadcasts = new Channels(settings, port.failed);
    this.messages = new Channels(settings, port.failed);
    this.requests = new Requests(settings, (to, message) => this.post(to, message), port.failed);
    this.theirs = new PeerInterests(settings.interestsMax);
    this.own = new OwnInterests(settings, {
      send: port.send,
      congested: port.congested,
      changed: port.interestsChanged,
      wake: port.wake,
    });
  }

  /**
   * Sends a message to every node that we have a link with, or that wants it of these, and to this one.
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
    const { ready, skipped } = this.port.readyPeers(
      (peer) => hashes === undefined || this.theirs.wants(peer, hashes),
    );
    this.counters.broadcastsSkipped += skipped;
    if (ready.length > 0) this.port.send(ready, { type: "broadcast", channel, payload: taken });
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
   * Sends a message to one replica; answers whether it went onto a link, or to ourselves. Errors as of `broadcast`.
   */
  send(to: ReplicaId, channel: string, payload: unknown): boolean {
    checkString("to", to);
    return this.post(to, { type: "message", channel, payload: takePayload(channel, payload, this.settings) });
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
    message: Extract<Message, { type: "broadcast" | "message" | "request" | "reply" }>,
  ): void {
    if (message.type === "broadcast") this.broadcasts.deliver(message.channel, message.payload, from);
    else if (message.type === "message") this.messages.deliver(message.channel, message.payload, from);
    else if (message.type === "request") this.requests.serve(from, message);
    else this.requests.answered(from, message);
  }

  /** A peer says what it wants. */
  interest(from: ReplicaId, message: InterestMessage): void {
    if (this.theirs.take(from, message))
      this.port.send([from], { type: "interest-ack", telling: message.telling });
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

  peerUp(peer: ReplicaId): void {
    this.own.linked(peer);
  }

  peerDown(peer: ReplicaId): void {
    this.requests.lost(peer);
    this.theirs.forget(peer);
    this.own.unlinked(peer);
  }

  drained(): void {
    this.own.drained();
  }

  /** We have said goodbye, and hear no more answers. */
  close(): void {
    this.requests.lostAll();
    this.own.close();
  }

  tick(now: Millis): Millis {
    return Math.min(this.requests.tick(now), this.own.tick(now));
  }

  private post(to: ReplicaId, message: Extract<Message, { type: "message" | "request" | "reply" }>): boolean {
    if (to === this.port.self()) {
      this.receive(to, message);
      return true;
    }
    if (!this.port.isReady(to)) return false;
    this.port.flush();
    this.port.send([to], message);
    return true;
  }
}
