/**
 * Messages on their way out: over the link with their receiver or, where there is none, over a third node that has one.
 *
 * All that goes to one replica goes in the order in which it was sent. Mostly it goes at once. What has to wait stands in
 * line: for a route, for a link that is full, or behind a large message, which goes in parts. Only so many bytes of parts are
 * under way to a replica at a time, so that heartbeats and presences that come after them are not held up.
 */
import type { ReplicaId } from "@presently/crdt";
import { encodeMessage } from "../codec.ts";
import type { Message, PartAckMessage } from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";
import { Lane, type Lost, type LostReason, type Parcel } from "./lane.ts";
import { Routes } from "./routes.ts";

/** Receivers that one message to a relay names. */
const RECEIVERS_PER_FRAME = 32;
/** Bytes of parts to one replica that are not acknowledged yet. */
const WINDOW_BYTES = 262_144;
/** Encoded parts of a message that are kept for its other receivers: a window's. */
const PARTS_KEPT = 8;
const PART_BYTES_MIN = 1_024;
/** A relay gets so long to bring what it was given, before the link that has opened since is used. */
const SWITCH_TIMEOUT_MS = 1_000;

export interface OutgoingPort {
  readonly isLinked: (replica: ReplicaId) => boolean;
  readonly congested: (peer: ReplicaId) => boolean;
  /** Peers that pass messages on, and take parts. */
  readonly relays: () => ReadonlySet<ReplicaId>;
  /** Whether a peer has said what it can do. */
  readonly isIntroduced: (peer: ReplicaId) => boolean;
  readonly send: (peers: readonly ReplicaId[], message: Message) => void;
  readonly sendFrame: (peers: readonly ReplicaId[], frame: Uint8Array) => void;
  /** What went to the replica over a route may not have arrived. */
  readonly routeLost: (replica: ReplicaId) => void;
  readonly wake: (delayMs: number) => void;
}

/** A message that goes in parts, whoever it goes to. */
interface Encodings {
  readonly transfer: number;
  /** By offset. */
  readonly parts: Map<number, Uint8Array>;
}

export class Outgoing {
  readonly routes: Routes;
  /** Members that are not down, and that we have no link with. */
  private readonly unlinked = new Set<ReplicaId>();
  /** Of the replicas to which something waits, or goes in parts. */
  private readonly lanes = new Map<ReplicaId, Lane>();
  /** By the frame that is sent. */
  private readonly encodings = new WeakMap<Uint8Array, Encodings>();
  private lastTransfer = 0;
  private readonly settings: ReplicaSettings;
  private readonly port: OutgoingPort;
  private readonly wholeBytesMax: number;
  private readonly partBytes: number;

  constructor(settings: ReplicaSettings, port: OutgoingPort) {
    this.settings = settings;
    this.port = port;
    // A relay says for whom a frame is, and of whom: that must fit as well.
    this.wholeBytesMax = Math.max(PART_BYTES_MIN, Math.floor((settings.frameBytesTarget * 15) / 16));
    this.partBytes = Math.max(PART_BYTES_MIN, Math.floor((settings.frameBytesTarget * 3) / 4));
    this.routes = new Routes({
      relays: () => port.relays(),
      send: port.send,
      settled: (replica) => this.pump(replica),
      broken: (replica) => this.routeBroken(replica),
      wake: port.wake,
    });
  }

  // What there is a way to.

  /** What is believed of a replica has changed, or the link with it. @param isCounted whether it is a member that is not down */
  note(replica: ReplicaId, isLinked: boolean, isCounted: boolean): void {
    if (isLinked) this.linked(replica);
    else if (isCounted) this.unlinked.add(replica);
    else {
      this.unlinked.delete(replica);
      this.routes.forget(replica);
      this.end(replica, "unreachable");
    }
  }

  /**
   * There is a link: what goes over a route still has to arrive before what goes over the link. So the relay is given
   * something to be acknowledged, and the link is used when that has come back.
   */
  private linked(replica: ReplicaId): void {
    if (!this.unlinked.delete(replica)) return;
    const via = this.routes.knownTo(replica);
    if (via === undefined) this.routes.forget(replica);
    else this.laneOf(replica).switchFrom(via, ++this.lastTransfer);
    this.pump(replica);
  }

  /** The link with a replica is gone, and with it whatever was to go over it. */
  unlink(replica: ReplicaId): void {
    this.unlinked.add(replica);
    this.end(replica, "unreachable");
  }

  private routeBroken(replica: ReplicaId): void {
    if (!this.port.isLinked(replica)) {
      this.end(replica, "unreachable");
      this.port.routeLost(replica);
      return;
    }
    for (const { lost } of this.lanes.get(replica)?.takeSent() ?? []) lost("unreachable");
    this.pump(replica);
  }

  /** The peer that a message to the replica goes to; `looking` while a route is looked for, undefined if there is none. */
  private carrierTo(replica: ReplicaId): ReplicaId | "looking" | undefined {
    if (this.port.isLinked(replica)) return replica;
    return this.unlinked.has(replica) ? this.routes.to(replica) : undefined;
  }

  /** Whether a message to the replica may get there: it can go, or wait. */
  reaches(to: ReplicaId): boolean {
    const carrier = this.carrierTo(to);
    if (carrier === undefined) return false;
    return carrier === "looking" || this.isBusy(to) || !this.port.congested(carrier);
  }

  // Sending.

  /**
   * Sends a frame to one replica; returns whether it is on its way.
   *
   * @param lost called if it is found out later that it does not arrive, which is found out of what waits or goes in parts
   */
  post(to: ReplicaId, frame: Uint8Array, lost: Lost): boolean {
    const carrier = this.carrierTo(to);
    if (carrier === undefined) return false;
    if (carrier !== "looking" && !this.isBusy(to)) {
      if (this.port.congested(carrier)) return false;
      if (frame.length <= this.wholeBytesMax) {
        this.carry(carrier, [to], frame);
        return true;
      }
    }
    const isKept = this.laneOf(to).add(frame, lost, this.settings.messagesWaitingBytesMax);
    this.pump(to);
    return isKept;
  }

  /**
   * Sends a frame to those of the peers that are ready, and to the members without a link that are wanted; returns how many
   * go without it. Cost: O(receivers + members without a link).
   */
  broadcast(
    peers: readonly ReplicaId[],
    encoded: () => Uint8Array,
    isWanted: (replica: ReplicaId) => boolean,
  ): number {
    if (peers.length === 0 && this.unlinked.size === 0) return 0;
    const frame = encoded();
    const isSimple = this.lanes.size === 0 && frame.length <= this.wholeBytesMax;
    let skipped = 0;
    if (isSimple) {
      if (peers.length > 0) this.port.sendFrame(peers, frame);
    } else for (const peer of peers) if (!this.post(peer, frame, ignored)) skipped++;
    const receivers = new Map<ReplicaId, ReplicaId[]>();
    for (const replica of this.unlinked) {
      if (!isWanted(replica)) continue;
      const carrier = this.carrierTo(replica);
      if (!isSimple || carrier === undefined || carrier === "looking" || this.port.congested(carrier)) {
        if (!this.post(replica, frame, ignored)) skipped++;
        continue;
      }
      const others = receivers.get(carrier);
      if (others === undefined) receivers.set(carrier, [replica]);
      else others.push(replica);
    }
    for (const [carrier, replicas] of receivers) this.carry(carrier, replicas, frame);
    return skipped;
  }

  private carry(carrier: ReplicaId, to: readonly ReplicaId[], frame: Uint8Array): void {
    if (to.length === 1 && to[0] === carrier) this.port.sendFrame(to, frame);
    else this.passOn(carrier, to, frame);
  }

  /** Gives a frame to a peer that passes it on. */
  passOn(carrier: ReplicaId, to: readonly ReplicaId[], frame: Uint8Array): void {
    for (let start = 0; start < to.length; start += RECEIVERS_PER_FRAME) {
      const part = to.slice(start, start + RECEIVERS_PER_FRAME);
      this.port.sendFrame([carrier], encodeMessage({ type: "relay", to: part, frame }));
    }
  }

  // What waits, and what goes in parts.

  private isBusy(to: ReplicaId): boolean {
    return this.lanes.get(to)?.isBusy ?? false;
  }

  private laneOf(to: ReplicaId): Lane {
    let lane = this.lanes.get(to);
    if (lane === undefined) {
      lane = new Lane();
      this.lanes.set(to, lane);
      this.port.wake(SWITCH_TIMEOUT_MS);
    }
    return lane;
  }

  /** Sends what waits, as far as it can go now. */
  private pump(to: ReplicaId): void {
    const lane = this.lanes.get(to);
    if (lane === undefined) return;
    for (let parcel = lane.next; parcel !== undefined; parcel = lane.next) {
      const carrier = parcel.carrier ?? this.carrierTo(to);
      if (carrier === undefined) {
        this.end(to, "unreachable");
        return;
      }
      if (carrier === "looking" || this.port.congested(carrier)) return;
      if (parcel.total > 0 && parcel.total <= this.wholeBytesMax) {
        lane.shift();
        this.carry(carrier, [to], parcel.frame);
      } else if (carrier === to && !this.port.relays().has(to)) {
        // A peer of an older version takes no parts.
        if (!this.port.isIntroduced(to)) return;
        lane.shift();
        parcel.lost("refused");
      } else if (lane.unacknowledged >= WINDOW_BYTES) return;
      else this.sendPart(to, lane, parcel, carrier);
    }
    if (lane.isEmpty) this.close(to);
  }

  private sendPart(to: ReplicaId, lane: Lane, parcel: Parcel, carrier: ReplicaId): void {
    const { total, sent: offset, frame } = parcel;
    const end = Math.min(total, offset + this.partBytes);
    const encodings = this.encodingsOf(frame);
    if (parcel.transfer === 0) parcel.transfer = encodings.transfer;
    const { transfer } = parcel;
    let part = total === 0 ? undefined : encodings.parts.get(offset);
    if (part === undefined) {
      part = encodeMessage({ type: "part", transfer, total, offset, bytes: frame.subarray(offset, end) });
      if (encodings.parts.size >= PARTS_KEPT) encodings.parts.clear();
      encodings.parts.set(offset, part);
    }
    lane.sent(parcel, carrier, end - offset);
    this.carry(carrier, [to], part);
  }

  /** The same message goes to all its receivers as the same parts. */
  private encodingsOf(frame: Uint8Array): Encodings {
    let encodings = this.encodings.get(frame);
    if (encodings === undefined) {
      encodings = { transfer: ++this.lastTransfer, parts: new Map() };
      this.encodings.set(frame, encodings);
    }
    return encodings;
  }

  /** A receiver says how much of a message has come. What is said of others is ignored. */
  acknowledged(from: ReplicaId, { transfer, received, outcome }: PartAckMessage): void {
    const lane = this.lanes.get(from);
    const parcel = lane?.acknowledge(transfer, received, outcome !== "more");
    if (parcel === undefined) return;
    if (outcome === "lost" || outcome === "refused") parcel.lost(outcome);
    this.pump(from);
  }

  /** A peer has said what it can do. */
  introduced(peer: ReplicaId): void {
    this.pump(peer);
  }

  /** A congested link has room again. Cost: O(replicas to which something waits). */
  drained(): void {
    for (const to of [...this.lanes.keys()]) this.pump(to);
  }

  private close(to: ReplicaId): void {
    this.lanes.delete(to);
    if (this.port.isLinked(to)) this.routes.forget(to);
  }

  /** Nothing of what waits and what is under way in parts arrives. */
  private end(to: ReplicaId, reason: LostReason): void {
    const lane = this.lanes.get(to);
    if (lane === undefined) return;
    this.close(to);
    for (const { lost } of lane.takeAll()) lost(reason);
  }

  /** Nothing goes out any more. */
  endAll(): void {
    for (const to of [...this.lanes.keys()]) this.end(to, "unreachable");
  }

  /** Gives up what nobody acknowledges; returns when it next wants to be called. Cost: O(replicas to which something waits). */
  tick(now: Millis): Millis {
    let next = this.routes.tick(now);
    for (const [to, lane] of [...this.lanes]) {
      const patienceMs = lane.isSwitching ? SWITCH_TIMEOUT_MS : this.settings.messageTimeoutMs;
      const until = lane.waitUntil(now, patienceMs);
      if (until > now) {
        next = Math.min(next, until);
        continue;
      }
      for (const { lost } of lane.takeSent()) lost("late");
      this.pump(to);
    }
    return next;
  }
}

const ignored = (): void => undefined;
