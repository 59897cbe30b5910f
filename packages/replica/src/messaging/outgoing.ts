/**
 * Messages on their way out: over the link with their receiver or, where there is none, over a third node that has one.
 * All that goes to one replica goes in the order in which it was sent.
 */
import type { ReplicaId } from "@presently/crdt";
import { encodeMessage } from "../codec.ts";
import type { Message } from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";
import { Routes } from "./routes.ts";

/** Receivers that one message to a relay names. */
const RECEIVERS_PER_FRAME = 64;

export interface OutgoingPort {
  readonly isLinked: (replica: ReplicaId) => boolean;
  readonly congested: (peer: ReplicaId) => boolean;
  readonly relays: () => Iterable<ReplicaId>;
  readonly send: (peers: readonly ReplicaId[], message: Message) => void;
  readonly sendFrame: (peers: readonly ReplicaId[], frame: Uint8Array) => void;
  /** Requests that went to the replica over a route may not have arrived. */
  readonly routeLost: (replica: ReplicaId) => void;
  readonly wake: (delayMs: number) => void;
}

/** A message that waits. */
interface Waiting {
  readonly frame: Uint8Array;
  /** Called if it is known not to go out. */
  readonly lost: () => void;
}

const ignored = (): void => undefined;

export class Outgoing {
  readonly routes: Routes;
  /** Members that are not down, and that we have no link with. */
  private readonly unlinked = new Set<ReplicaId>();
  /** Messages to replicas that a route is looked for to. */
  private readonly waiting = new Map<ReplicaId, { readonly messages: Waiting[]; bytes: number }>();
  private readonly settings: ReplicaSettings;
  private readonly port: OutgoingPort;

  constructor(settings: ReplicaSettings, port: OutgoingPort) {
    this.settings = settings;
    this.port = port;
    this.routes = new Routes({
      relays: port.relays,
      send: port.send,
      settled: (replica) => this.flush(replica),
      broken: (replica) => port.routeLost(replica),
      wake: port.wake,
    });
  }

  /** What is believed of a replica has changed. @param isAway whether it counts, and there is no link with it */
  note(replica: ReplicaId, isAway: boolean): void {
    if (isAway) {
      this.unlinked.add(replica);
      return;
    }
    this.unlinked.delete(replica);
    this.routes.forget(replica);
    this.flush(replica);
  }

  /** Whether a message to the replica may get there: there is a link that is not full, or there may be a route. */
  reaches(to: ReplicaId): boolean {
    if (this.port.isLinked(to)) return !this.port.congested(to);
    return this.unlinked.has(to) && this.routes.to(to) !== undefined;
  }

  /**
   * Sends a frame to one replica; returns whether it is on its way.
   *
   * @param lost called if it turns out later that it does not go out
   */
  post(to: ReplicaId, frame: Uint8Array, lost: () => void): boolean {
    if (this.port.isLinked(to)) {
      if (this.port.congested(to)) return false;
      this.port.sendFrame([to], frame);
      return true;
    }
    if (!this.unlinked.has(to)) return false;
    const via = this.routes.to(to);
    if (via === undefined) return false;
    if (via === "looking") return this.keep(to, { frame, lost });
    if (this.port.congested(via)) return false;
    this.passOn(via, [to], frame);
    return true;
  }

  /** Sends a frame to the members without a link that are wanted; returns how many go without it. Cost: O(members without a link). */
  broadcast(frame: () => Uint8Array, isWanted: (replica: ReplicaId) => boolean): number {
    if (this.unlinked.size === 0) return 0;
    const receivers = new Map<ReplicaId, ReplicaId[]>();
    let skipped = 0;
    for (const replica of this.unlinked) {
      if (this.port.isLinked(replica) || !isWanted(replica)) continue;
      const via = this.routes.to(replica);
      if (via === "looking") {
        if (!this.keep(replica, { frame: frame(), lost: ignored })) skipped++;
      } else if (via === undefined || this.port.congested(via)) skipped++;
      else {
        const others = receivers.get(via);
        if (others === undefined) receivers.set(via, [replica]);
        else others.push(replica);
      }
    }
    for (const [via, replicas] of receivers) this.passOn(via, replicas, frame());
    return skipped;
  }

  private passOn(via: ReplicaId, to: readonly ReplicaId[], frame: Uint8Array): void {
    for (let start = 0; start < to.length; start += RECEIVERS_PER_FRAME) {
      const part = to.slice(start, start + RECEIVERS_PER_FRAME);
      this.port.sendFrame([via], encodeMessage({ type: "relay", to: part, frame }));
    }
  }

  private keep(to: ReplicaId, message: Waiting): boolean {
    const waiting = this.waiting.get(to) ?? { messages: [], bytes: 0 };
    if (waiting.bytes + message.frame.length > this.settings.messagesWaitingBytesMax) return false;
    this.waiting.set(to, waiting);
    waiting.bytes += message.frame.length;
    waiting.messages.push(message);
    return true;
  }

  /** There is a route, a link, or neither: what waits goes over it, or is lost. */
  private flush(replica: ReplicaId): void {
    const waiting = this.waiting.get(replica);
    if (waiting === undefined) return;
    this.waiting.delete(replica);
    for (const { frame, lost } of waiting.messages) if (!this.post(replica, frame, lost)) lost();
  }

  /** Nothing goes out any more. */
  close(): void {
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const { messages } of waiting) for (const { lost } of messages) lost();
  }

  tick(now: Millis): Millis {
    return this.routes.tick(now);
  }
}
