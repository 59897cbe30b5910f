/**
 * How can many replicas hold Redis-like keys with no master, and agree after every partition?
 *
 * Every fact about a key is an entry of one observed-remove set (`@presently/crdt`): writing adds an entry and removes
 * those that it was seen to replace; deleting removes what was seen, and so never takes a concurrent write along. There
 * are no tombstones, and equal version vectors mean equal entries. What shows of a key is a pure function of its
 * entries: the newest of concurrent registers, the sum of all counts, the union of members, the elements by position.
 *
 * Sans-I/O: time comes in by `advance`, what is to be sent is taken from `set`.
 */
import { ObservedRemoveSet } from "@presently/crdt";
import { InvalidArgumentError, LimitError, type ReplicaId } from "presently";
import { WrongTypeError } from "./errors.ts";
import { ExpiryQueue } from "./expiry-queue.ts";
import { HybridClock } from "./hybrid-clock.ts";
import { bytesOf, type Item, itemOf, type PlacedItem, utf8Length } from "./item.ts";
import type { KeyState, KeyType } from "./key-state.ts";
import { type KeyChange, KeyTable } from "./key-table.ts";
import type { KeyspaceSettings } from "./options.ts";
import type { IsAlive } from "./slot.ts";

/** What the store asks of its shell. */
export interface StorePort {
  /** Whether the process behind a replica id is seen now. */
  readonly isAlive: IsAlive;
  /** How many replicas are to remove an expired key before this one does. */
  readonly purgeRank: (key: string) => number;
  /** Told of every change while it is made. Must not write. */
  readonly changed: (change: KeyChange) => void;
  /** The local events that wait are about to fill a message: take them now. */
  readonly flush: () => void;
}

/** How long each further replica waits before it removes an expired key that the one before it has not removed. */
const PURGE_RANK_MS = 1_000;
/** Dots that one event removes: it has to fit into a message. */
const REMOVALS_PER_EVENT = 1_000;
const REMOVAL_BYTES = 12;
const MALFORMED = /\p{Surrogate}/u;

export class KeyStore {
  readonly set: ObservedRemoveSet<Item>;
  readonly table: KeyTable;
  readonly settings: KeyspaceSettings;
  readonly isAlive: IsAlive;
  private readonly port: StorePort;
  private readonly clock: HybridClock;
  private readonly expiries = new ExpiryQueue();
  private nowMs = 0;
  private wallMs = 0;
  private openBytes = 0;

  constructor(replica: ReplicaId, settings: KeyspaceSettings, port: StorePort) {
    this.settings = settings;
    this.port = port;
    this.isAlive = (origin) => origin === this.set.replica || port.isAlive(origin);
    this.clock = new HybridClock(settings.clockSkewMaxMs);
    this.table = new KeyTable((change) => this.noteChange(change));
    this.set = new ObservedRemoveSet<Item>(replica, this.table, { logSizeMax: settings.logSizeMax });
  }

  /** Tells the time: a monotonic clock for expiry, the wall clock for stamps. Before every call of which it matters. */
  advance(nowMs: number, wallMs: number): void {
    this.nowMs = nowMs;
    this.wallMs = wallMs;
  }

  /** A stamp for a write. */
  stamp(): number {
    return this.clock.next(this.wallMs);
  }

  /**
   * Since when a key holds what is about to be written beside the rest of it: now, if it is missing. An expiry from
   * before that was for something else.
   */
  since(key: string, part: "text" | "rest"): number {
    return this.table.get(key)?.since(part) ?? this.stamp();
  }

  /** What is known of a key; undefined if it has expired. */
  state(key: string): KeyState | undefined {
    const state = this.table.get(key);
    return state !== undefined && state.deadlineMs > this.nowMs ? state : undefined;
  }

  /** What a key holds, for everybody. */
  type(key: string): KeyType {
    return this.state(key)?.type(this.isAlive) ?? "none";
  }

  /**
   * What is known of a key that is about to be read as a `wanted`; undefined if it is missing.
   *
   * @throws {WrongTypeError} if it holds another type
   */
  read(key: string, wanted: KeyType): KeyState | undefined {
    const state = this.state(key);
    if (state === undefined) return undefined;
    const type = state.type(this.isAlive);
    if (type === "none") return undefined;
    if (type !== wanted) throw new WrongTypeError(key, type, wanted);
    return state;
  }

  /**
   * As `read`, of a key that is about to be written: what has expired is removed, and what is to be added must fit.
   *
   * @throws {InvalidArgumentError} for a key or text that is empty (keys only), too long or malformed
   * @throws {LimitError} `keysMax`, `bytesMax`, `valueBytesMax`
   */
  write(key: string, wanted: KeyType, texts: readonly string[]): KeyState | undefined {
    this.check(key, texts);
    this.purgeIfExpired(key);
    this.tidy(key);
    return this.read(key, wanted);
  }

  /** The checks of `write` alone. */
  check(key: string, texts: readonly string[]): void {
    const { keysMax, bytesMax, valueBytesMax } = this.settings;
    const keyBytes = this.checkKey(key);
    let bytes = 0;
    for (const text of texts) {
      if (typeof text !== "string") throw new InvalidArgumentError("value", "must be a text");
      if (MALFORMED.test(text))
        throw new InvalidArgumentError("text", "must be well-formed Unicode, without half characters");
      bytes += utf8Length(text);
    }
    if (bytes > valueBytesMax)
      throw new LimitError("valueBytesMax", valueBytesMax, "what is to be written is too large");
    if (this.table.size >= keysMax && this.table.get(key) === undefined)
      throw new LimitError("keysMax", keysMax, "there are too many keys");
    if (this.table.bytes + keyBytes + bytes > bytesMax)
      throw new LimitError("bytesMax", bytesMax, "the key space is full");
  }

  /** Answers the bytes of a key that can be used. */
  checkKey(key: string): number {
    if (typeof key !== "string" || key === "" || MALFORMED.test(key))
      throw new InvalidArgumentError("key", "must be a text of well-formed Unicode that is not empty");
    const bytes = utf8Length(key);
    const { keyBytesMax } = this.settings;
    if (bytes > keyBytesMax) throw new LimitError("keyBytesMax", keyBytesMax, "the key is too long");
    return bytes;
  }

  /** Adds an item, and then removes those that it takes the place of. */
  put(item: Item, replaced: Iterable<PlacedItem> = []): void {
    const before = [...replaced];
    this.reserve(bytesOf(item));
    this.set.add(item);
    this.remove(before);
  }

  /** Puts an item in the place of one of this replica's own, as one event. */
  exchange(previous: PlacedItem, item: Item): void {
    this.reserve(bytesOf(item) + REMOVAL_BYTES);
    this.set.update(previous.number, item);
  }

  /** Removes items, whoever wrote them. */
  remove(items: Iterable<PlacedItem>): void {
    let byOrigin = new Map<ReplicaId, number[]>();
    let count = 0;
    const close = () => {
      if (count === 0) return;
      this.reserve(count * REMOVAL_BYTES);
      this.set.remove(Array.from(byOrigin, ([origin, numbers]) => ({ origin, numbers })));
      byOrigin = new Map();
      count = 0;
    };
    for (const { origin, number } of [...items]) {
      const numbers = byOrigin.get(origin);
      if (numbers === undefined) byOrigin.set(origin, [number]);
      else numbers.push(number);
      if (++count === REMOVALS_PER_EVENT) close();
    }
    close();
  }

  /** Removes all that is known of a key; answers whether it held something that showed. */
  delete(key: string): boolean {
    const state = this.table.get(key);
    if (state === undefined) return false;
    const existed = this.type(key) !== "none";
    this.remove(state.items());
    return existed;
  }

  /** After something was taken from a key: an expiry without anything to expire goes too. */
  tidy(key: string): void {
    const state = this.table.get(key);
    if (state !== undefined && state.expiries.length > 0 && state.holdsNothing) this.remove(state.expiries);
  }

  /** Lets the whole key expire; answers whether there is one. Zero or less removes it now. */
  expire(key: string, ttlMs: number): boolean {
    if (!Number.isFinite(ttlMs))
      throw new InvalidArgumentError("the time to live", "must be a finite number");
    this.purgeIfExpired(key);
    const state = this.state(key);
    if (state === undefined || state.type(this.isAlive) === "none") return false;
    if (ttlMs <= 0) return this.delete(key);
    this.put(itemOf("expiry", key, { number: ttlMs, stamp: this.stamp() }), state.expiries);
    return true;
  }

  /** Milliseconds until the key expires; infinity if it does not, undefined if it is missing. */
  remainingMs(key: string): number | undefined {
    return this.type(key) === "none" ? undefined : this.state(key)!.deadlineMs - this.nowMs;
  }

  /** Removes the keys that are due. Cost: O(due · log keys). */
  tick(): void {
    for (let key = this.expiries.take(this.nowMs); key !== undefined; key = this.expiries.take(this.nowMs)) {
      const state = this.table.get(key);
      if (state === undefined || state.deadlineMs > this.nowMs) continue;
      // All replicas hide it now; one is enough to remove it, and the next ones are there if that one is not.
      const atMs = state.deadlineMs + this.port.purgeRank(key) * PURGE_RANK_MS;
      if (atMs <= this.nowMs) this.remove(state.due);
      else this.expiries.add(key, atMs);
    }
  }

  /** When the next key may be due, by the monotonic clock; infinity if none expires. */
  get nextDueMs(): number {
    return this.expiries.nextMs;
  }

  /** Removes what stood for a process that will not come back. Cost: O(entries of that replica). */
  dropBound(origin: ReplicaId): void {
    const gone: PlacedItem[] = [];
    for (const [number, item] of this.set.entriesOf(origin))
      if (item.bound) gone.push({ item, origin, number });
    this.remove(gone);
  }

  /** The waiting events were taken. */
  flushed(): void {
    this.openBytes = 0;
  }

  private purgeIfExpired(key: string): void {
    const state = this.table.get(key);
    if (state !== undefined && state.deadlineMs <= this.nowMs) this.remove(state.due);
  }

  private reserve(bytes: number): void {
    if (this.openBytes > 0 && this.openBytes + bytes > this.settings.frameBytesTarget) this.port.flush();
    this.openBytes += bytes;
  }

  private noteChange(change: KeyChange): void {
    const { item, type } = change;
    if (type === "inserted") {
      if (item.stamp > 0) this.clock.witness(item.stamp, this.wallMs);
      if (item.kind === "expiry") {
        item.deadlineMs = this.nowMs + item.number;
        this.expiries.add(item.key, item.deadlineMs);
      }
    } else {
      // What an expiry had no hold on is gone; what is left may have been due for long.
      const state = this.table.get(item.key);
      if (state !== undefined && state.deadlineMs <= this.nowMs)
        this.expiries.add(item.key, state.deadlineMs);
    }
    this.port.changed(change);
  }
}
