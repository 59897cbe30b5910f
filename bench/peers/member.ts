/**
 * What every system that is compared must do, in one process: let somebody join, change and leave, tell a watcher, and
 * answer who is there. One file of this folder is one system, used as its README says.
 */

/** What is known of somebody, as in the workload of all questions. */
export interface Meta {
  readonly name: string;
  readonly online_at: number;
  readonly status: string;
}

export type ChangeType = "join" | "update" | "leave";

/** Told of everything that others do in a room, once for each. */
export type Listener = (type: ChangeType, key: string) => void;

/** Where and how a member is to run. */
export interface Place {
  readonly name: string;
  /** The addresses of the members that run already. */
  readonly peers: readonly string[];
  /** Of the Redis server, for the systems that need one. */
  readonly redisPort?: number | undefined;
  /** How many people can be in one room at a time, where each needs a connection of its own. */
  readonly seats: number;
  /** Where to listen, if the others must reach it by a path that is chosen for them; any free port by default. */
  readonly port?: number;
}

/** One process of a system. */
export interface Member {
  /** Where further members, or people, connect. Empty if they meet through something else. */
  readonly address: string;
  /** The port of people's own connections, which are no traffic between nodes. */
  readonly clientPort?: number;
  /** Settles when everybody who is to have a seat has one, and could enter these rooms. */
  seated?(rooms: readonly string[]): Promise<void>;
  /** Puts people into the lists for whom there are no seats, as if they had joined; only where seats are too dear. */
  fill?(room: string, people: readonly (readonly [key: string, meta: Meta])[]): Promise<unknown>;
  join(room: string, key: string, meta: Meta): unknown;
  /** Absent if the system tells nobody of a changed meta. */
  update?(room: string, key: string, meta: Meta): unknown;
  leave(room: string, key: string): unknown;
  /** Settles when changes that are made from now on are seen. */
  watch(room: string, listener: Listener): unknown;
  /** Lists a room, touches everybody in it, and gives how many there are. */
  list(room: string): number | Promise<number>;
  /** How many are in a room. Absent if there is no way but to list it. */
  count?(room: string): number | Promise<number>;
  /** Leaves gracefully, where that is more than ending the process. */
  stop?(handoffMs: number): Promise<void>;
}

/** Makes a member. */
export type OpenMember = (place: Place) => Promise<Member>;

/** The meta of the `index`th person. */
export function metaOf(index: number, status = "online"): Meta {
  return { name: `user ${index}`, online_at: 1_700_000_000_000 + index, status };
}

/** Uses a listed person so that no engine can leave the work out. */
export function touch(key: string | undefined, meta: object | string | undefined): number {
  return key !== undefined && meta !== undefined ? 1 : 0;
}

/** Monotonic, and the same for every process of this machine. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Seats of people who have one connection each, and may be in several rooms with it. */
export class Seats<Seat> {
  readonly #all: Seat[] = [];
  readonly #free = new Map<string, Seat[]>();
  readonly #taken = new Map<string, Seat>();

  add(seat: Seat): void {
    this.#all.push(seat);
    for (const free of this.#free.values()) free.push(seat);
  }

  get all(): readonly Seat[] {
    return this.#all;
  }

  take(room: string, key: string): Seat {
    let free = this.#free.get(room);
    if (free === undefined) {
      free = [...this.#all];
      this.#free.set(room, free);
    }
    const seat = free.pop();
    if (seat === undefined) throw new Error(`no seat is left in ${room}`);
    this.#taken.set(`${room} ${key}`, seat);
    return seat;
  }

  of(room: string, key: string): Seat {
    const seat = this.#taken.get(`${room} ${key}`);
    if (seat === undefined) throw new Error(`${key} has no seat in ${room}`);
    return seat;
  }

  giveBack(room: string, key: string): Seat {
    const seat = this.of(room, key);
    this.#taken.delete(`${room} ${key}`);
    this.#free.get(room)!.push(seat);
    return seat;
  }
}
