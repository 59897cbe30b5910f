/**
 * Rooms by their users: the first component that uses one joins it, and when the last one is gone it is left.
 *
 * It is left a moment later: StrictMode mounts everything twice, and a page that changes takes the old away before the new is
 * there. Nobody sees either.
 */
import type { AnyRoom, Client, Meta, Room, RoomOptions } from "../index.ts";

interface Shared {
  readonly room: AnyRoom;
  /** Whether it was joined here: what others joined, they leave. */
  readonly isOwn: boolean;
  users: number;
}

const all = new WeakMap<Client, SharedRooms>();

export class SharedRooms {
  readonly #client: Client;
  readonly #shared = new Map<string, Shared>();

  static of(client: Client): SharedRooms {
    const rooms = all.get(client) ?? new SharedRooms(client);
    all.set(client, rooms);
    return rooms;
  }

  constructor(client: Client) {
    this.#client = client;
  }

  /** The room, if somebody uses it. */
  get<M extends Meta>(topic: string): Room<M> | undefined {
    return this.#shared.get(topic)?.room;
  }

  /** The room, until `release`. Of the options, all but `meta` count for whoever is the first. */
  use<M extends Meta>(topic: string, options: RoomOptions<M>): { room: Room<M>; release: () => void } {
    const present = this.#present(topic);
    const shared = present ?? this.#join(topic, options);
    shared.users++;
    // What the room could not do, it tells its own listeners.
    if (present !== undefined && options.meta !== undefined)
      present.room.update((previous: M) => ({ ...previous, ...options.meta })).catch(() => {});
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      shared.users--;
      if (shared.users === 0) setTimeout(() => this.#leaveUnused(topic, shared), 0);
    };
    return { room: shared.room, release };
  }

  #present(topic: string): Shared | undefined {
    const shared = this.#shared.get(topic);
    if (shared !== undefined && shared.room.status !== "left") return shared;
    const room = this.#client.room(topic);
    return room && this.#share(topic, { room, isOwn: false, users: 0 });
  }

  #join<M extends Meta>(topic: string, options: RoomOptions<M>): Shared {
    return this.#share(topic, { room: this.#client.join(topic, options), isOwn: true, users: 0 });
  }

  #share(topic: string, shared: Shared): Shared {
    this.#shared.set(topic, shared);
    return shared;
  }

  #leaveUnused(topic: string, shared: Shared): void {
    if (shared.users > 0) return;
    if (this.#shared.get(topic) === shared) this.#shared.delete(topic);
    if (shared.isOwn) void shared.room.leave();
  }
}

/** What a room would be that nobody has joined: the same object each time, as React wants it. */
export const NOT_JOINED = Object.freeze({
  people: Object.freeze([]),
  self: undefined,
  status: "joining",
  meta: Object.freeze({}),
  error: undefined,
} as const);
