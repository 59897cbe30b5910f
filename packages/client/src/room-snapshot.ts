/** What a room is told, and what it tells. */
import type { ClientError } from "./errors.ts";
import type { Meta, Person } from "./person.ts";

/**
 * `joining` until who is there is known; `joined`; `rejoining` while the connection is away, when the list is the one of before;
 * `refused` by the server, for good; `left`, by this client or because the server closed the room.
 */
export type RoomStatus = "joining" | "joined" | "rejoining" | "refused" | "left";

/** What one says of oneself on joining a room, and how long those who are gone stay in its list. */
export interface RoomOptions<M extends Meta> {
  /** What this client says of itself, a map of JSON values of at most 8 KiB. Default: nothing. */
  readonly meta?: M;
  /**
   * How long who is gone stays in the list: who is back by then was never away. Default 2,000 ms; 0 shows every leave at once.
   * Raising it hides longer reconnects, and shows everybody who really left so much later.
   */
  readonly leaveDelayMs?: number;
  /** Connections that are kept in the list so at a time; more are shown as gone at once. Default 10,000. */
  readonly heldMax?: number;
}

/** A room at one moment. Never changed: the same object until something is different. */
export interface RoomSnapshot<M extends Meta> {
  readonly people: readonly Person<M>[];
  /** This client's own person, with its other tabs and devices; undefined until it is in the list. */
  readonly self: Person<M> | undefined;
  readonly status: RoomStatus;
  /** What this client says of itself, also where the server has not heard it yet. */
  readonly meta: M;
  /** Why it is not joined, if it was refused or timed out. */
  readonly error: ClientError | undefined;
}

/** What `room.on` can listen to, with what each listener is given. */
export interface RoomEvents<M extends Meta> {
  readonly join: readonly [person: Person<M>];
  readonly leave: readonly [person: Person<M>];
  readonly update: readonly [person: Person<M>, previous: Person<M>];
  /** After the changes that came together, and whenever the whole list has come. */
  readonly sync: readonly [people: readonly Person<M>[]];
  readonly status: readonly [status: RoomStatus];
  /** Something of the snapshot is different. */
  readonly change: readonly [snapshot: RoomSnapshot<M>];
  /** A join or an update was refused, or a join timed out. */
  readonly error: readonly [error: ClientError];
  /** The room is about to be left: what is sent now arrives, if there is a connection. */
  readonly leaving: readonly [];
}
