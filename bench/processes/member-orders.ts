/** What a process that is a member (`member.ts`) may be asked for, and what it answers. */
import type { PeerName } from "../peers/index.ts";
import type { ChangeType, Place } from "../peers/member.ts";
import type { Connection } from "./bytes-between.ts";

/** A change, and when it was made or seen, on the clock that all processes share. */
export type Seen = readonly [type: ChangeType, key: string, atMs: number];

/** What the parent may ask for, and what each gives. */
export interface Orders {
  open(given: { peer: PeerName; place: Place }): { address: string };
  seated(given: { rooms: readonly string[] }): undefined;
  watch(given: { rooms: readonly string[] }): undefined;
  /** `count` people join, then change, then leave, one at a time and at random times. Gives when each was told to. */
  pace(given: { room: string; count: number; pauseMs: readonly [from: number, to: number] }): readonly Seen[];
  one(given: { type: ChangeType; room: string; index: number }): undefined;
  /** `count` people at once, spread over the rooms. Gives when the first was told to. */
  burst(given: { type: ChangeType; rooms: readonly string[]; count: number }): { startedMs: number };
  /** Waits until so many changes were seen since the last time that they were asked for, and gives them. */
  seen(given: { count: number; timeoutMs: number }): readonly Seen[];
  /** Forgets what was seen and not asked for. */
  forget(given: object): undefined;
  fill(given: { room: string; count: number }): undefined;
  query(given: { what: "list" | "count"; room: string; forMs: number; inFlight: number }): Queried;
  /**
   * Counts, or lists where there is no count, every millisecond until so many are there; gives when that was, or nothing if
   * it took longer.
   */
  counted(given: { room: string; count: number; timeoutMs: number }): {
    atMs?: number;
    failures: number;
    /** The longest time between two looks. */
    stallMs: number;
  };
  /** Leaves gracefully. */
  stop(given: { handoffMs: number }): undefined;
  traffic(given: object): readonly Connection[];
  /** Blocks the event loop. */
  stall(given: { forMs: number }): undefined;
}

export interface Queried {
  readonly queries: number;
  readonly elapsedMs: number;
  /** Questions that were not answered: some systems give up after a time. */
  readonly failures: number;
  /** How many the last query gave. */
  readonly members: number;
}

export type OrderName = keyof Orders;
export interface Request<Name extends OrderName = OrderName> {
  readonly order: Name;
  readonly number: number;
  readonly given: Parameters<Orders[Name]>[0];
}
export interface Answer {
  readonly answers: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Said once when orders are listened for: what is sent to a worker of a cluster before that is lost. */
export const READY = -1;
