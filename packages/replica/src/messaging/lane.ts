/** What waits to go to one replica, in order, and what goes to it in parts. */
import type { ReplicaId } from "@presently/crdt";
import type { Millis } from "../outbox.ts";

/** Why a message does not arrive: there is no way any more, a part is missing, it was not taken, or nothing was heard of it. */
export type LostReason = "unreachable" | "lost" | "refused" | "late";
export type Lost = (reason: LostReason) => void;

/** A message that waits or goes in parts. */
export interface Parcel {
  readonly frame: Uint8Array;
  /** Bytes of the frame; 0 for what is sent only to be acknowledged. */
  readonly total: number;
  readonly lost: Lost;
  /** Names it to its receiver; 0 before its first part. */
  transfer: number;
  /** The peer that its parts go to, all of them. */
  carrier: ReplicaId | undefined;
  sent: number;
  acknowledged: number;
}

const NOTHING = new Uint8Array();

export class Lane {
  private readonly waiting: Parcel[] = [];
  private waitingBytes = 0;
  /** All of these is sent, and not acknowledged yet. */
  private readonly inFlight = new Map<number, Parcel>();
  /** Bytes of parts that are not acknowledged. */
  unacknowledged = 0;
  /** Nothing goes out before this one is acknowledged. */
  private barrier: Parcel | undefined = undefined;
  /** Until when an acknowledgement is waited for; undefined until the next tick. */
  private until: Millis | undefined = undefined;

  /** Whether what is sent now has to wait. */
  get isBusy(): boolean {
    return this.waiting.length > 0 || this.barrier !== undefined;
  }

  get isEmpty(): boolean {
    return !this.isBusy && this.inFlight.size === 0;
  }

  /** Whether it waits for what went over a route, to use the link. */
  get isSwitching(): boolean {
    return this.barrier !== undefined;
  }

  /** The next to go out; undefined if nothing waits, or must not go yet. */
  get next(): Parcel | undefined {
    return this.barrier === undefined ? this.waiting[0] : undefined;
  }

  /** Puts a message behind the others; returns false if there is no room for it. One message finds room always. */
  add(frame: Uint8Array, lost: Lost, bytesMax: number): boolean {
    if (this.waitingBytes > 0 && this.waitingBytes + frame.length > bytesMax) return false;
    this.waitingBytes += frame.length;
    const total = frame.length;
    this.waiting.push({ frame, total, lost, transfer: 0, carrier: undefined, sent: 0, acknowledged: 0 });
    return true;
  }

  /** What goes over `carrier` now is to arrive before all that goes another way. */
  switchFrom(carrier: ReplicaId, transfer: number): void {
    const lost = () => undefined;
    const mark = { frame: NOTHING, total: 0, lost, transfer, carrier, sent: 0, acknowledged: 0 };
    const isUnderWay = this.waiting[0]?.carrier !== undefined;
    this.waiting.splice(isUnderWay ? 1 : 0, 0, mark);
  }

  /** The first of those that wait has gone. */
  shift(): void {
    this.waitingBytes -= this.waiting.shift()?.total ?? 0;
  }

  /** A part of the first of those that wait has gone. */
  sent(parcel: Parcel, carrier: ReplicaId, bytes: number): void {
    parcel.carrier = carrier;
    parcel.sent += bytes;
    this.unacknowledged += bytes;
    if (parcel.sent < parcel.total) return;
    this.shift();
    this.inFlight.set(parcel.transfer, parcel);
    if (parcel.total === 0) this.barrier = parcel;
    this.until = undefined;
  }

  /** Takes in how much of a message has come; returns the message if it is one of these. @param isOver no more of it is wanted */
  acknowledge(transfer: number, received: number, isOver: boolean): Parcel | undefined {
    const first = this.waiting[0];
    const parcel = this.inFlight.get(transfer) ?? (first?.transfer === transfer ? first : undefined);
    if (parcel === undefined) return undefined;
    this.until = undefined;
    const acknowledged = isOver
      ? parcel.sent
      : Math.min(parcel.sent, Math.max(parcel.acknowledged, received));
    this.unacknowledged -= acknowledged - parcel.acknowledged;
    parcel.acknowledged = acknowledged;
    if (isOver) this.remove(parcel);
    return parcel;
  }

  private remove(parcel: Parcel): void {
    if (!this.inFlight.delete(parcel.transfer)) this.shift();
    if (this.barrier === parcel) this.barrier = undefined;
  }

  /** Takes out what has gone in part or as a whole, and is not acknowledged. */
  takeSent(): Parcel[] {
    const parcels = [...this.inFlight.values()];
    while (this.waiting[0]?.carrier !== undefined) {
      parcels.push(this.waiting[0]);
      this.shift();
    }
    this.inFlight.clear();
    this.barrier = undefined;
    this.unacknowledged = 0;
    this.until = undefined;
    return parcels;
  }

  /** Takes out everything. */
  takeAll(): Parcel[] {
    const parcels = [...this.takeSent(), ...this.waiting.splice(0)];
    this.waitingBytes = 0;
    return parcels;
  }

  /** Until when it is waited for an acknowledgement, or for a peer to say what it can do; never, if neither is wanted. */
  waitUntil(now: Millis, patienceMs: Millis): Millis {
    if (this.isEmpty) return Number.POSITIVE_INFINITY;
    this.until ??= now + patienceMs;
    return this.until;
  }
}
