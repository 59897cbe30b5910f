/**
 * Messages of the application between nodes: at most once, in order for each pair of nodes, never stored. They go over
 * direct links only; a peer that does not keep up goes without.
 */
import type { ReplicaId } from "@presently/crdt";
import { Channels, checkMessage, type MessageListener } from "./channels.ts";
import type { Counters } from "./counters.ts";
import { InvalidArgumentError } from "./errors.ts";
import type { Message } from "./messages.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis } from "./outbox.ts";
import { type Answer, type RequestHandler, Requests } from "./requests.ts";

/** What the messenger asks of its replica. */
export interface MessengerPort {
  readonly self: () => ReplicaId;
  /** Sends the local changes: whoever is told of something by a message should find what was tracked before it. */
  readonly flush: () => void;
  /** The peers that a message may go to now, and how many go without. Nobody after goodbye. */
  readonly readyPeers: () => { readonly ready: readonly ReplicaId[]; readonly skipped: number };
  readonly isReady: (peer: ReplicaId) => boolean;
  readonly send: (peers: Iterable<ReplicaId>, message: Message) => void;
  readonly wake: (delayMs: number) => void;
  /** A listener or handler threw. */
  readonly failed: (error: unknown, channel: string) => void;
}

export class Messenger {
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly port: MessengerPort;
  private readonly broadcasts: Channels;
  private readonly messages: Channels;
  private readonly requests: Requests;

  constructor(settings: ReplicaSettings, counters: Counters, port: MessengerPort) {
    this.settings = settings;
    this.counters = counters;
    this.port = port;
    this.broadcasts = new Channels(settings, port.failed);
    this.messages = new Channels(settings, port.failed);
    this.requests = new Requests(settings, (to, message) => this.post(to, message), port.failed);
  }

  /**
   * Sends a message to every node that we have a link with, and to this one.
   *
   * @param payload JSON or bytes; must not be changed afterwards
   * @throws {InvalidArgumentError} for a channel or payload that cannot be used
   * @throws {LimitError} beyond `broadcastBytesMax`
   */
  broadcast(channel: string, payload: unknown): void {
    checkMessage(channel, payload, this.settings);
    this.port.flush();
    const { ready, skipped } = this.port.readyPeers();
    this.counters.broadcastsSkipped += skipped;
    if (ready.length > 0) this.port.send(ready, { type: "broadcast", channel, payload });
    this.broadcasts.deliver(channel, payload, this.port.self());
  }

  /** Calls `listener` with every broadcast on the channel, our own included, until the returned function is called. */
  onBroadcast(channel: string, listener: MessageListener): () => void {
    return this.broadcasts.listen(channel, listener);
  }

  /**
   * Sends a message to one replica; answers whether it went onto a link, or to ourselves. Errors as of `broadcast`.
   */
  send(to: ReplicaId, channel: string, payload: unknown): boolean {
    checkMessage(channel, payload, this.settings);
    return this.post(to, { type: "message", channel, payload });
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
    checkMessage(channel, payload, this.settings);
    if (!(timeoutMs > 0 && Number.isFinite(timeoutMs)))
      throw new InvalidArgumentError("timeoutMs", "must be a positive number of milliseconds");
    this.requests.ask(to, channel, payload, now + timeoutMs, settled);
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

  peerDown(peer: ReplicaId): void {
    this.requests.lost(peer);
  }

  /** We have said goodbye, and hear no more answers. */
  close(): void {
    this.requests.lostAll();
  }

  tick(now: Millis): Millis {
    return this.requests.tick(now);
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
