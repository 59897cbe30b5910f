/** Colyseus' room listings over the key space of a presence: several processes need no other store. */
import type { KeyChange, Keyspace } from "@presently/keyspace";
import { checkObject, checkString, jsonOf, stringsIn } from "presently/drop-in";
import type { PresentlyPresence } from "./presence.ts";
import {
  applyOperations,
  inOrder,
  type ListedRoom,
  type ListingOperations,
  type ListingOrder,
  listingOf,
  meets,
} from "./room-listing.ts";

const ROOMS = "roomcaches";
/** How long a claim to a room id lasts: longer than any creation of a room is under way. */
const CLAIM_MS = 10_000;
const NONE = undefined as unknown as SavingRoom;
/** How long a new room waits until every process lists it; after that whoever is late may not find it yet. */
const LISTED_TIMEOUT_MS = 1_000;

/** A listing as Colyseus 0.16 holds it: it saves itself. */
export interface SavingRoom extends ListedRoom {
  save(): Promise<void>;
  updateOne(operations: ListingOperations): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Give it to a Colyseus server beside its presence: `new Server({ presence, driver: new PresentlyDriver(presence) })`.
 * Has the methods that 0.16 calls, and those of 0.17 and 0.18.
 *
 * Whole: a room is listed by every process before whoever created it is told, and changes follow within milliseconds;
 * queries read local memory. A room stands for its process: it is hidden while that is not seen, and gone with it. One
 * that others have removed while its process stalled is listed again by that process. Partition: each side lists its own
 * rooms. After: all.
 */
export class PresentlyDriver {
  private readonly keyspace: Promise<Keyspace>;
  /** Rooms of this process, to be listed again should others remove them. */
  private readonly own = new Map<string, ListedRoom>();
  /** What was parsed last, by room id: a listing is read far more often than it changes. */
  private readonly parsed = new Map<string, { readonly json: string; readonly room: ListedRoom }>();
  private endWatch: () => void = () => undefined;

  constructor(presence: PresentlyPresence) {
    checkObject("presence", presence, ["roster", "whenReady"]);
    this.keyspace = presence.keyspace.then((keyspace) => {
      this.endWatch = keyspace.watch((change) => this.noteChange(keyspace, change));
      return keyspace;
    });
    // Whoever calls a method is told of it; the presence reports it.
    this.keyspace.catch(() => undefined);
  }

  /** A listing that is not saved yet. */
  createInstance(values: Readonly<Record<string, unknown>> = {}): SavingRoom {
    checkObject("values", values);
    return this.saving(listingOf(values));
  }

  async has(roomId: string): Promise<boolean> {
    checkString("roomId", roomId);
    return (await this.keyspace).getField(ROOMS, roomId) !== undefined;
  }

  /** The rooms that meet the conditions. Cost: O(rooms). */
  async query(
    conditions: Readonly<Record<string, unknown>> = {},
    order?: ListingOrder,
  ): Promise<SavingRoom[]> {
    checkObject("conditions", conditions);
    if (order !== undefined) checkObject("order", order);
    const rooms = this.rooms(await this.keyspace).filter((room) => meets(room, conditions));
    return inOrder(rooms, order).map((room) => this.saving({ ...room }));
  }

  /** The first room that meets the conditions; undefined if none does, although Colyseus does not declare that. Cost: O(1) by room id, else O(rooms). */
  async findOne(conditions: Readonly<Record<string, unknown>>, order?: ListingOrder): Promise<SavingRoom> {
    checkObject("conditions", conditions);
    if (order !== undefined) checkObject("order", order);
    const keyspace = await this.keyspace;
    if (typeof conditions.roomId === "string") {
      const json = keyspace.getField(ROOMS, conditions.roomId);
      const room = json === undefined ? undefined : this.parse(conditions.roomId, json);
      return room !== undefined && meets(room, conditions) ? this.saving({ ...room }) : NONE;
    }
    const [first] = inOrder(
      this.rooms(keyspace).filter((room) => meets(room, conditions)),
      order,
    );
    return first === undefined ? NONE : this.saving({ ...first });
  }

  /** The rooms of these ids that are listed, by id. Cost: O(ids). */
  async findByIds(roomIds: readonly string[]): Promise<Map<string, SavingRoom>> {
    const keyspace = await this.keyspace;
    const found = new Map<string, SavingRoom>();
    for (const roomId of stringsIn("roomIds", roomIds)) {
      const json = keyspace.getField(ROOMS, roomId);
      if (json !== undefined) found.set(roomId, this.saving({ ...this.parse(roomId, json) }));
    }
    return found;
  }

  /** Removes the rooms of a process. Should it be alive after all, it lists them again. */
  async cleanup(processId: string): Promise<void> {
    checkString("processId", processId);
    const keyspace = await this.keyspace;
    for (const room of this.rooms(keyspace)) {
      if (room.processId !== processId) continue;
      this.own.delete(room.roomId);
      keyspace.deleteField(ROOMS, room.roomId);
    }
  }

  /**
   * Saves a listing; answers whether it did. With `create` it is a new one, and every process that can be reached has it
   * when this settles; else it must be one of this process' rooms.
   */
  async persist(room: ListedRoom, create = false): Promise<boolean> {
    checkObject("room", room);
    if (!room.roomId || !(create || this.own.has(room.roomId))) return false;
    const keyspace = await this.keyspace;
    this.own.set(room.roomId, room);
    keyspace.setField(ROOMS, room.roomId, jsonOf("room", room), { bound: true });
    if (create) await keyspace.confirmed({ by: "all", timeoutMs: LISTED_TIMEOUT_MS });
    return true;
  }

  /**
   * Saves a new listing unless its id is taken; answers whether it did. Whole: of several processes that insert one id,
   * one is told true. Partition: one on each side; after it, the later listing shows.
   */
  async insert(room: ListedRoom): Promise<boolean> {
    checkObject("room", room);
    const keyspace = await this.keyspace;
    if (!room.roomId || keyspace.getField(ROOMS, room.roomId) !== undefined) return false;
    const claim = claimOf(room.roomId);
    if ((await keyspace.gate(claim, "", 1, CLAIM_MS)) === 1) return await this.persist(room, true);
    await keyspace.gate(claim, "", -1, CLAIM_MS);
    return false;
  }

  async update(room: ListedRoom, operations: ListingOperations): Promise<boolean> {
    checkObject("room", room);
    checkObject("operations", operations);
    applyOperations(room, operations);
    return await this.persist(room);
  }

  async remove(roomId: string): Promise<boolean> {
    checkString("roomId", roomId);
    this.own.delete(roomId);
    const keyspace = await this.keyspace;
    const existed = keyspace.deleteField(ROOMS, roomId);
    // By way of the owner: those who lost the claim may be counting there just now.
    if (keyspace.has(claimOf(roomId))) await keyspace.gate(claimOf(roomId), "", -1, CLAIM_MS);
    return existed;
  }

  /** Removes all listings of all processes. */
  async clear(): Promise<void> {
    this.own.clear();
    (await this.keyspace).delete(ROOMS);
  }

  /** Ends the driver; the presence ends by its own `shutdown`. */
  shutdown(): void {
    this.own.clear();
    this.endWatch();
  }

  private saving(room: ListedRoom): SavingRoom {
    let removed = false;
    // Core does not look at what becomes of them; a failure must not end its process.
    const methods = {
      save: () => handled(removed ? undefined : this.persist(room, !this.own.has(room.roomId))),
      updateOne: (operations: ListingOperations) => {
        applyOperations(room, operations);
        return handled(removed ? undefined : this.persist(room));
      },
      remove: () => {
        removed = true;
        return handled(room.roomId ? this.remove(room.roomId) : undefined);
      },
    };
    // As in Colyseus' own, they are not seen by whoever copies or sends a listing.
    for (const [name, value] of Object.entries(methods))
      Object.defineProperty(room, name, { value, enumerable: false, writable: true, configurable: true });
    return room as SavingRoom;
  }

  private rooms(keyspace: Keyspace): ListedRoom[] {
    const fields = keyspace.fields(ROOMS);
    if (this.parsed.size > 2 * fields.length + 16) this.parsed.clear();
    return fields.map(([roomId, json]) => this.parse(roomId, json));
  }

  private parse(roomId: string, json: string): ListedRoom {
    const known = this.parsed.get(roomId);
    if (known?.json === json) return known.room;
    const room = listingOf(JSON.parse(json));
    this.parsed.set(roomId, { json, room });
    return room;
  }

  /** A room of ours that somebody else has taken for dead. */
  private noteChange(keyspace: Keyspace, { type, item, origin, by }: KeyChange): void {
    if (type !== "deleted" || item.key !== ROOMS || origin !== keyspace.origin || by === keyspace.origin)
      return;
    queueMicrotask(() => {
      const room = this.own.get(item.field);
      if (room === undefined || keyspace.getField(ROOMS, item.field) !== undefined) return;
      this.persist(room).catch(() => undefined);
    });
  }
}

/** Counts those who insert a room of this id. */
function claimOf(roomId: string): string {
  return `${ROOMS}:claim:${roomId}`;
}

async function settled(outcome: Promise<unknown> | undefined): Promise<void> {
  await outcome;
}

/** A promise that rejects for whoever looks at it, and is no error of the process if nobody does. */
function handled(outcome: Promise<unknown> | undefined): Promise<void> {
  const done = settled(outcome);
  done.catch(() => undefined);
  return done;
}
