/** Colyseus' room listings over the key space of a presence: several processes need no other store. */
import type { KeyChange, Keyspace } from "@presently/keyspace";
import { PresentlyError } from "presently";
import { checkObject, checkString, jsonOf, stringsIn } from "presently/drop-in";
import { Listings, ROOMS } from "./listings.ts";
import type { PresentlyPresence } from "./presence.ts";
import {
  applyOperations,
  copyOf,
  type ListedRoom,
  type ListingOperations,
  type ListingOrder,
  listingOf,
} from "./room-listing.ts";

/** How long a claim to a room id lasts: longer than any creation of a room is under way. */
const CLAIM_MS = 10_000;
const NONE = undefined as unknown as SavingRoom;
/** Where core tells lobbies of a room: "id,0" to look at it, "id,1" that it is gone. */
const LOBBY = "$lobby";

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
 * Whole: a room and its changes are listed by every process within milliseconds, and before any message that its process
 * publishes afterwards; queries read local memory. A room stands for its process: it is hidden while that is not seen, and
 * gone with it; lobbies are told. One that others have removed while its process stalled is listed again by that process.
 * Partition: each side lists its own rooms. After: all.
 */
export class PresentlyDriver {
  private readonly presence: PresentlyPresence;
  private readonly opening: Promise<{ readonly keyspace: Keyspace; readonly listings: Listings }>;
  /** Rooms of this process, to be listed again should others remove them. */
  private readonly own = new Map<string, ListedRoom>();
  private endWatch: () => void = () => undefined;

  constructor(presence: PresentlyPresence) {
    checkObject("presence", presence, ["roster", "whenReady"]);
    this.presence = presence;
    this.opening = presence.keyspace.then((keyspace) => this.open(keyspace));
    // Whoever calls a method is told of it; the presence reports it.
    this.opening.catch(() => undefined);
  }

  /** A listing that is not saved yet. */
  createInstance(values: Readonly<Record<string, unknown>> = {}): SavingRoom {
    checkObject("values", values);
    return this.saving(listingOf(values));
  }

  async has(roomId: string): Promise<boolean> {
    checkString("roomId", roomId);
    return (await this.opening).listings.get(roomId) !== undefined;
  }

  /** Copies of the rooms that meet the conditions, in order. Cost: O(rooms of the name), once between two changes of any. */
  async query(
    conditions: Readonly<Record<string, unknown>> = {},
    order?: ListingOrder,
  ): Promise<SavingRoom[]> {
    checkObject("conditions", conditions);
    if (order !== undefined) checkObject("order", order);
    const { listings } = await this.opening;
    return listings.find(conditions, order).map((room) => this.saving(copyOf(room)));
  }

  /** The first room that meets the conditions; undefined if none does, although Colyseus does not declare that. Cost: as of `query`, but O(1) by room id. */
  async findOne(conditions: Readonly<Record<string, unknown>>, order?: ListingOrder): Promise<SavingRoom> {
    checkObject("conditions", conditions);
    if (order !== undefined) checkObject("order", order);
    const { roomId } = conditions;
    // Asked before anything is waited for: see there.
    const place = typeof roomId === "string" ? this.presence.joinQueue.roomFor(roomId) : undefined;
    const { listings } = await this.opening;
    const asked = place === undefined ? conditions : { roomId: await place };
    const [first] = listings.find(asked, order);
    return first === undefined ? NONE : this.saving(copyOf(first));
  }

  /** The rooms of these ids that are listed, by id. Cost: O(ids). */
  async findByIds(roomIds: readonly string[]): Promise<Map<string, SavingRoom>> {
    const { listings } = await this.opening;
    const found = new Map<string, SavingRoom>();
    for (const roomId of stringsIn("roomIds", roomIds)) {
      const room = listings.get(roomId);
      if (room !== undefined) found.set(roomId, this.saving(copyOf(room)));
    }
    return found;
  }

  /**
   * Removes the rooms of a process. If that process is seen to be up they are only hidden, and only here, until it answers
   * this one: others may reach it.
   */
  async cleanup(processId: string): Promise<void> {
    checkString("processId", processId);
    const { keyspace, listings } = await this.opening;
    for (const { roomId } of listings.find({ processId })) {
      this.own.delete(roomId);
      if (!keyspace.doubt(ROOMS, roomId)) keyspace.deleteField(ROOMS, roomId);
    }
  }

  /**
   * Saves a listing; answers whether it did. With `create` it is a new one; else it must be one of this process' rooms.
   *
   * @throws {LimitError} for metadata beyond `valueBytesMax` of the key space: the rest is listed, with the last metadata
   */
  async persist(room: ListedRoom, create = false): Promise<boolean> {
    const refused = await this.save(room, create);
    if (refused instanceof Error) throw refused;
    return refused;
  }

  /** As `persist`, but returns what was refused of a listing that was saved otherwise. */
  private async save(room: ListedRoom, create: boolean): Promise<boolean | Error> {
    checkObject("room", room);
    if (!room.roomId || !(create || this.own.has(room.roomId))) return false;
    const { keyspace, listings } = await this.opening;
    this.own.set(room.roomId, room);
    const write = (listed: ListedRoom) =>
      keyspace.setField(ROOMS, room.roomId, jsonOf("room", listed), { bound: true });
    try {
      write(room);
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.presence.report(error);
      try {
        // The rest of it must not stand still: a locked room that is listed as open draws players.
        write({ ...room, metadata: listings.get(room.roomId)?.metadata });
      } catch (again) {
        if (!isRefused(again)) throw again;
      }
      return error;
    }
    // Before whatever is published of it: a message waits for no confirmation.
    if (create) keyspace.flush();
    return true;
  }

  /**
   * Saves a new listing unless its id is taken; answers whether it did. Whole: of several processes that insert one id,
   * one is told true. Partition: one on each side; after it, the later listing shows.
   */
  async insert(room: ListedRoom): Promise<boolean> {
    checkObject("room", room);
    const { keyspace, listings } = await this.opening;
    if (!room.roomId || listings.get(room.roomId) !== undefined) return false;
    const claim = claimOf(room.roomId);
    if ((await keyspace.gate(claim, "", 1, CLAIM_MS)) === 1) return await this.persist(room, true);
    await keyspace.gate(claim, "", -1, CLAIM_MS);
    return false;
  }

  async update(room: ListedRoom, operations: ListingOperations): Promise<boolean> {
    checkObject("room", room);
    checkObject("operations", operations);
    return await this.change(room, operations);
  }

  /** Metadata that are refused are told of by the call that sets them, and by no other. */
  private async change(room: ListedRoom, operations: ListingOperations): Promise<boolean> {
    applyOperations(room, operations);
    const refused = await this.save(room, false);
    if (refused instanceof Error && operations.$set?.metadata !== undefined) throw refused;
    return refused !== false;
  }

  async remove(roomId: string): Promise<boolean> {
    checkString("roomId", roomId);
    this.own.delete(roomId);
    const { keyspace } = await this.opening;
    const existed = keyspace.deleteField(ROOMS, roomId);
    // By way of the owner: those who lost the claim may be counting there just now.
    if (keyspace.has(claimOf(roomId))) await keyspace.gate(claimOf(roomId), "", -1, CLAIM_MS);
    return existed;
  }

  /** Removes all listings of all processes; after the presence was shut down there are none to remove. */
  async clear(): Promise<void> {
    this.own.clear();
    const { keyspace } = await this.opening;
    try {
      keyspace.delete(ROOMS);
    } catch (error) {
      if (!(error instanceof PresentlyError && error.code === "CLOSED")) throw error;
    }
  }

  /** Ends the driver; the presence ends by its own `shutdown`. */
  shutdown(): void {
    this.own.clear();
    this.endWatch();
  }

  private open(keyspace: Keyspace): { readonly keyspace: Keyspace; readonly listings: Listings } {
    const { joinQueue, subscriptions } = this.presence;
    const listings = new Listings(keyspace, ({ roomId, unlisted, private: isPrivate }, isGone) => {
      // Its process cannot tell lobbies, or did so in vain.
      if (!unlisted && (isGone || !isPrivate)) subscriptions.deliver(LOBBY, `${roomId},${isGone ? 1 : 0}`);
    });
    const endWatch = keyspace.watch((change) => this.noteChange(keyspace, change));
    this.endWatch = () => {
      endWatch();
      listings.end();
      joinQueue.port = undefined;
    };
    joinQueue.port = {
      keyspace,
      roomOf: (roomId) => listings.get(roomId),
      whenFull: (roomId, timeoutMs) => listings.whenClosed(roomId, timeoutMs),
    };
    return { keyspace, listings };
  }

  private saving(room: ListedRoom): SavingRoom {
    let removed = false;
    // Core does not look at what becomes of them; a failure must not end its process.
    const methods = {
      save: () => handled(removed ? undefined : this.persist(room, !this.own.has(room.roomId))),
      updateOne: (operations: ListingOperations) =>
        handled(removed ? undefined : this.change(room, operations)),
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

/** By a bound of the key space. */
function isRefused(error: unknown): error is PresentlyError {
  return error instanceof PresentlyError && error.code === "LIMIT_REACHED";
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
