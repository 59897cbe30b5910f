/** The rooms that are listed now: parsed once a change, and in order, by name and all. */
import type { KeyChange, Keyspace } from "@presently/keyspace";
import {
  conditionsOf,
  isListedBefore,
  type ListedRoom,
  type ListingOrder,
  listingOf,
  sortRooms,
} from "./room-listing.ts";

/** The hash that holds them: room id to JSON. */
export const ROOMS = "roomcaches";
/** Queries whose answers are kept until a listing changes. */
const ANSWERS_MAX = 1_000;

type Conditions = Readonly<Record<string, unknown>>;

export class Listings {
  private readonly keyspace: Keyspace;
  private readonly byId = new Map<string, ListedRoom>();
  /** What each was parsed from. */
  private readonly sources = new WeakMap<ListedRoom, string>();
  /** In the order of creation. */
  private all: ListedRoom[] = [];
  private readonly byName = new Map<string, ListedRoom[]>();
  /** Ids of rooms that have changed since they were read. */
  private readonly stale = new Set<string>();
  /** What was asked since the last change: a storm asks the same many times. */
  private readonly answers = new Map<string, readonly ListedRoom[]>();
  private readonly endings: (() => void)[];
  private isWholeStale = true;

  /** `vanished` is told of rooms that come to show (false) or to hide (true) without a write: with their processes. */
  constructor(keyspace: Keyspace, vanished: (room: ListedRoom, hides: boolean) => void) {
    this.keyspace = keyspace;
    this.endings = [
      keyspace.watch((change) => this.noteChange(change)),
      keyspace.watchProcesses(() => {
        this.refresh();
        const before = new Map(this.byId);
        this.isWholeStale = true;
        this.refresh();
        for (const [roomId, room] of before) if (!this.byId.has(roomId)) vanished(room, true);
        for (const [roomId, room] of this.byId) if (!before.has(roomId)) vanished(room, false);
      }),
    ];
  }

  get(roomId: string): ListedRoom | undefined {
    this.refresh();
    return this.byId.get(roomId);
  }

  /** The rooms that meet the conditions, in order. Not to be changed. Cost: O(rooms of the name), once between two changes. */
  find(conditions: Conditions, order?: ListingOrder): readonly ListedRoom[] {
    this.refresh();
    const question = questionOf(conditions, order);
    const known = question === undefined ? undefined : this.answers.get(question);
    if (known !== undefined) return known;
    const { name, roomId } = conditions;
    let rooms: readonly ListedRoom[] = this.all;
    if (typeof roomId === "string") rooms = this.byId.has(roomId) ? [this.byId.get(roomId)!] : [];
    else if (typeof name === "string") rooms = this.byName.get(name) ?? [];
    const found = sortRooms(rooms.filter(conditionsOf(conditions)), order);
    if (question !== undefined && this.answers.size < ANSWERS_MAX) this.answers.set(question, found);
    return found;
  }

  /** Settles when a room is locked or not listed any more, or when the time is up. */
  whenClosed(roomId: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        end();
        resolve();
      };
      const look = () => this.get(roomId)?.locked === false || done();
      const timer = setTimeout(done, timeoutMs);
      // While a change is made it is not to be looked at.
      const end = this.keyspace.watch(({ item }) => {
        if (item.key === ROOMS && item.field === roomId) queueMicrotask(look);
      });
      look();
    });
  }

  end(): void {
    for (const end of this.endings) end();
  }

  private noteChange({ item }: KeyChange): void {
    if (item.key !== ROOMS) return;
    if (item.kind === "expiry") this.isWholeStale = true;
    else this.stale.add(item.field);
  }

  private refresh(): void {
    if (this.isWholeStale) {
      this.isWholeStale = false;
      this.stale.clear();
      this.answers.clear();
      const before = new Map(this.byId);
      this.byId.clear();
      this.byName.clear();
      for (const [roomId, json] of this.keyspace.fields(ROOMS))
        this.byId.set(roomId, this.parse(json, before.get(roomId)));
      this.all = [...this.byId.values()].sort((one, other) => (isListedBefore(one, other) ? -1 : 1));
      for (const room of this.all) this.bucket(room.name).push(room);
    } else if (this.stale.size > 0) {
      this.answers.clear();
      for (const roomId of this.stale) this.read(roomId);
      this.stale.clear();
    }
  }

  private read(roomId: string): void {
    const before = this.byId.get(roomId);
    if (before !== undefined) {
      take(this.all, before);
      take(this.bucket(before.name), before);
      if (this.byName.get(before.name)?.length === 0) this.byName.delete(before.name);
    }
    const json = this.keyspace.getField(ROOMS, roomId);
    if (json === undefined) {
      this.byId.delete(roomId);
      return;
    }
    const room = this.parse(json, before);
    this.byId.set(roomId, room);
    put(this.all, room);
    put(this.bucket(room.name), room);
  }

  private parse(json: string, known: ListedRoom | undefined): ListedRoom {
    if (known !== undefined && this.sources.get(known) === json) return known;
    const room = listingOf(JSON.parse(json));
    this.sources.set(room, json);
    return room;
  }

  private bucket(name: string): ListedRoom[] {
    let rooms = this.byName.get(name);
    if (rooms === undefined) {
      rooms = [];
      this.byName.set(name, rooms);
    }
    return rooms;
  }
}

/** The place of a room in an order of creation. Cost: O(log rooms). */
function placeOf(rooms: readonly ListedRoom[], room: ListedRoom): number {
  let low = 0;
  let high = rooms.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isListedBefore(rooms[middle]!, room)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function put(rooms: ListedRoom[], room: ListedRoom): void {
  rooms.splice(placeOf(rooms, room), 0, room);
}

function take(rooms: ListedRoom[], room: ListedRoom): void {
  const place = placeOf(rooms, room);
  if (rooms[place] === room) rooms.splice(place, 1);
}

/** Names a question, so that it need not be answered twice; undefined for one with values that JSON does not tell apart. */
function questionOf(conditions: Conditions, order: ListingOrder | undefined): string | undefined {
  for (const value of Object.values(conditions))
    if (
      typeof value === "object" ||
      value === undefined ||
      (typeof value === "number" && !Number.isFinite(value))
    )
      return undefined;
  return JSON.stringify([conditions, order === undefined ? 0 : Object.entries(order)]);
}
