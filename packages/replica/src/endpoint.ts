/** Binds a replica to a transport, the wire codec and a clock: all that a process or a simulator has to drive. */
import type { ReplicaId } from "@presently/crdt";
import type { Clock } from "./clock.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { ProtocolError } from "./errors.ts";
import { callListener } from "./listener-call.ts";
import type { Message } from "./messages.ts";
import type { TopicInterest } from "./messaging/messenger.ts";
import type { Answer } from "./messaging/requests.ts";
import type { Notice } from "./notice.ts";
import type { ReplicaOptions } from "./options.ts";
import type { Millis, Outbox } from "./outbox.ts";
import type { ReplicaReport } from "./presence.ts";
import { Replica } from "./replica.ts";
import type { Transport, TransportListener } from "./transport.ts";

/** The replica to run, what carries its messages, and who is told of what an operator should know. */
export interface EndpointOptions {
  readonly replica: ReplicaOptions;
  /** Called once, with the endpoint as its listener; it may start to call back as soon as `start` was called. */
  readonly transport: (listener: TransportListener, replica: ReplicaId) => Transport;
  readonly clock: Clock;
  /** What it throws is counted among the listener errors. */
  readonly onNotice?: (notice: Notice) => void;
  /** The replica goes on under another id: the transport must open its links anew. */
  readonly onRenamed?: (replica: ReplicaId) => void;
  /** Another process has taken over the node's name: the transport must be closed. */
  readonly onSuperseded?: (by: ReplicaId) => void;
}

/** A `TopicInterest` that knows the time. */
export interface TimedInterest extends Omit<TopicInterest, "whenKnown"> {
  whenKnown(settled: () => void): void;
}

export class Endpoint implements TransportListener {
  readonly replica: Replica;
  private readonly clock: Clock;
  private readonly transport: Transport;
  private wakeAt: Millis = Number.POSITIVE_INFINITY;
  private cancelWake: (() => void) | undefined = undefined;
  /** At the end of this turn of the event loop, besides the timer: a lone change should not have to set that anew. */
  private cancelSoon: (() => void) | undefined = undefined;
  private running = false;

  /** Construct, then `start`. Errors as of `Replica`. */
  constructor(options: EndpointOptions) {
    this.clock = options.clock;
    const outbox: Outbox = {
      send: (peers, message) => this.send(peers, message),
      sendFrame: (peers, frame) => this.sendFrame(peers, frame),
      congested: (peer) => this.transport.congested(peer),
      redial: (peer) => this.later(() => this.transport.redial(peer)),
      refuse: (peer, code, reason) => this.later(() => this.transport.refuse(peer, code, reason)),
      wake: (delayMs) => this.wake(this.clock.now() + delayMs),
      renamed: (replica) => this.later(() => options.onRenamed?.(replica)),
      superseded: (by) => this.later(() => options.onSuperseded?.(by)),
      notice: (notice) => this.notify(notice, options.onNotice),
    };
    this.replica = new Replica(options.replica, outbox);
    this.transport = options.transport(this, this.replica.id);
  }

  /** Starts the clockwork. */
  start(): void {
    this.running = true;
    this.tick();
  }

  /** Says goodbye to the peers; the transport may be closed once its buffers are empty. */
  leave(handoffMs: number): void {
    this.replica.leave(handoffMs);
  }

  /** Stops the clockwork; the replica stays readable. */
  close(): void {
    this.running = false;
    this.cancelWake?.();
    this.cancelWake = undefined;
    this.cancelSoon?.();
    this.cancelSoon = undefined;
  }

  /** What the replica believes of itself and every other, itself first. */
  cluster(): readonly ReplicaReport[] {
    return this.replica.cluster(this.clock.now());
  }

  /** As `Messenger.request`, timed by the clock. */
  request(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    timeoutMs: number,
    settled: (answer: Answer) => void,
  ): void {
    this.replica.messenger.request(to, channel, payload, { timeoutMs, now: this.clock.now() }, settled);
  }

  /** As `Messenger.requestAll`, timed by the clock. */
  requestAll(
    replicas: Iterable<ReplicaId>,
    channel: string,
    payload: unknown,
    timeoutMs: number,
    settled: (replica: ReplicaId, answer: Answer) => void,
  ): void {
    const within = { timeoutMs, now: this.clock.now() };
    this.replica.messenger.requestAll(replicas, channel, payload, within, settled);
  }

  /** As `Messenger.deliver`, timed by the clock. */
  deliver(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    timeoutMs: number,
    settled: (answer: Answer) => void,
  ): void {
    this.replica.messenger.deliver(to, channel, payload, { timeoutMs, now: this.clock.now() }, settled);
  }

  /** As `Messenger.subscribe`, timed by the clock. */
  subscribe(channel: string, topic: string): TimedInterest {
    const interest = this.replica.messenger.subscribe(channel, topic);
    return { ...interest, whenKnown: (settled) => interest.whenKnown(this.clock.now(), settled) };
  }

  peerUp(peer: ReplicaId): void {
    this.replica.peerUp(peer, this.clock.now());
    this.replan();
  }

  peerDown(peer: ReplicaId): void {
    this.replica.peerDown(peer, this.clock.now());
    this.replan();
  }

  unreachable(peer: ReplicaId): void {
    this.replica.unreachable(peer, this.clock.now());
    this.replan();
  }

  drained(peer: ReplicaId): void {
    this.replica.drained(peer, this.clock.now());
  }

  /** Somebody knows our name with this incarnation, which may be another process, our earlier life, or a lie. */
  newerLifeSeen(incarnation: number): void {
    this.replica.newerLifeSeen(incarnation, this.clock.now());
  }

  /** What a peer sends can cost it its link, and nothing else. */
  frame(peer: ReplicaId, frame: Uint8Array): void {
    try {
      const message = decodeMessage(frame);
      if (message !== undefined) this.replica.receive(peer, message, this.clock.now());
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.transport.refuse(peer, error.code, error.message);
    }
    this.replan();
  }

  private send(peers: Iterable<ReplicaId>, message: Message): void {
    const all = Array.isArray(peers) ? (peers as readonly ReplicaId[]) : [...peers];
    if (all.length > 0) this.sendFrame(all, encodeMessage(message));
  }

  private sendFrame(peers: readonly ReplicaId[], frame: Uint8Array): void {
    if (this.transport.sendToMany !== undefined) this.transport.sendToMany(peers, frame);
    else for (const peer of peers) this.transport.send(peer, frame);
  }

  /** Comes in the middle of the replica's work, which must be finished whatever the listener does. */
  private notify(notice: Notice, listener: EndpointOptions["onNotice"]): void {
    if (listener === undefined) return;
    callListener(listener, notice, () => {
      this.replica.counters.listenerErrors++;
    });
  }

  /** A transport may call back at once, and the replica must have finished its own call first. */
  private later(run: () => void): void {
    this.clock.schedule(0, () => {
      if (this.running) run();
    });
  }

  /** An input may have moved a deadline closer. */
  private replan(): void {
    this.wake(this.replica.nextDeadline);
  }

  /** A timer that goes off before there is anything to do does no harm. */
  private wake(at: Millis): void {
    if (!this.running || at >= this.wakeAt) return;
    const delayMs = at - this.clock.now();
    if (delayMs <= 0) {
      this.cancelSoon ??= this.clock.schedule(0, () => {
        this.cancelSoon = undefined;
        this.tick();
      });
      return;
    }
    this.cancelWake?.();
    this.wakeAt = at;
    this.cancelWake = this.clock.schedule(delayMs, () => {
      this.wakeAt = Number.POSITIVE_INFINITY;
      this.tick();
    });
  }

  private tick(): void {
    if (this.running) this.wake(this.replica.tick(this.clock.now()));
  }
}
