/**
 * How does a replica tell "I have not seen this entry yet" from "I have seen that it was removed", without keeping a
 * tombstone for every entry that ever was?
 *
 * It keeps a version vector: the events it has applied. An entry whose dot the vector covers but which is not in the
 * set has been removed; an entry whose dot lies above the vector is new. A remove names the dots that it observed, so
 * an add that it did not observe wins over it. A remove is an event with a number of its own, so that the vector
 * tells who has seen it. Removed dots that lie above our own vector wait in `pending` until their add arrives:
 * *learning that an event's entry was removed is not having seen the event*, which may have removed something itself.
 *
 * Sources: Bieniusa, Zawirski, Preguiça, Shapiro, Baquero, Balegas, Duarte, "An optimized conflict-free replicated
 * set", arXiv 1210.3368; Almeida, Shoker, Baquero, "Delta State Replicated Data Types", arXiv 1603.01529.
 */
import type { Delta, Entries, FrozenState, FullState, Removal } from "./delta.ts";
import type { EventNumber, ReplicaId } from "./dot.ts";
import { CrdtError } from "./errors.ts";
import { freeze, missingFrom, snapshot } from "./full-state.ts";
import { OpenInterval } from "./open-interval.ts";
import { Origin } from "./origin.ts";
import type { VersionVector } from "./version-vector.ts";

/** Told of every change while the call that makes it runs. Must not call back into the set. */
export interface SetListener<V> {
  inserted(value: V, origin: ReplicaId, number: EventNumber): void;
  /**
   * `by` made the remove event; undefined when only a full state told that the entry is gone. `deliberate`: as the
   * removal says.
   */
  deleted(
    value: V,
    origin: ReplicaId,
    number: EventNumber,
    by: ReplicaId | undefined,
    deliberate: boolean,
  ): void;
}

/** How much of its recent history a set keeps for peers that fell behind. */
export interface ObservedRemoveSetOptions {
  /** Adds and removes kept per origin for peers that missed a few; beyond it they are given the full state. Default 10,000. */
  readonly logSizeMax?: number;
}

/** `applied`: news. `known`: nothing new in it. `gap`: it starts above our vector, so it was dropped; pull what is missing. */
export type ApplyOutcome = "applied" | "known" | "gap";

/** `incomplete`: entries that the state calls live were not handed over; nothing was changed, ask again from the start. */
export type MergeOutcome = "merged" | "incomplete";

/** What one origin looks like here; equal for two replicas whose whole vectors are equal. */
export interface OriginDigest {
  readonly vector: EventNumber;
  /** Order-independent hash of the live dots up to `vector`. */
  readonly hash: number;
}

const LOG_SIZE_MAX = 10_000;

/** An observed-remove set of values of type V, one per add event. Values are never copied, compared or looked into. */
export class ObservedRemoveSet<V> {
  readonly replica: ReplicaId;
  private readonly own: Origin<V>;
  private readonly origins = new Map<ReplicaId, Origin<V>>();
  private readonly evicted = new Set<ReplicaId>();
  private readonly open = new OpenInterval<V>();
  private readonly listener: SetListener<V>;
  private readonly logSizeMax: number;

  constructor(replica: ReplicaId, listener: SetListener<V>, options: ObservedRemoveSetOptions = {}) {
    this.replica = replica;
    this.listener = listener;
    this.logSizeMax = options.logSizeMax ?? LOG_SIZE_MAX;
    this.own = this.originOf(replica);
  }

  // Local changes: each is one event of this replica.

  /** The number that the next local event takes. */
  get nextNumber(): EventNumber {
    return this.own.vector + 1;
  }

  /** Adds an entry; its dot is `(replica, answer)`. Cost: O(1). */
  add(value: V): EventNumber {
    const number = ++this.own.vector;
    this.own.insert(number, value);
    this.open.add(number, value);
    this.listener.inserted(value, this.replica, number);
    return number;
  }

  /** Removes those of the dots that are live, whoever added them; answers how many. None: no event is made. Cost: O(dots). */
  remove(removals: readonly Removal[]): number {
    const number = this.own.vector + 1;
    const count = this.removeLive(removals);
    if (count > 0) this.own.vector = number;
    return count;
  }

  private removeLive(removals: readonly Removal[]): number {
    let count = 0;
    for (const { origin, numbers, deliberate = false } of removals) {
      const from = this.origins.get(origin);
      if (from === undefined) continue;
      for (const dot of numbers) {
        if (!this.delete(from, dot, this.replica, deliberate)) continue;
        if (dot > from.vector) from.pending.add(dot);
        this.open.remove(origin, dot, origin === this.replica, deliberate);
        count++;
      }
    }
    return count;
  }

  /** Removes an own entry and adds another in its place, as one event: no replica ever sees neither. Cost: O(1). */
  update(previous: EventNumber, value: V): EventNumber {
    if (!this.own.live.has(previous)) {
      throw new CrdtError("NOT_LIVE", `update of event ${previous} of ${this.replica}, which is not live`);
    }
    const number = this.add(value);
    this.delete(this.own, previous, this.replica);
    this.open.remove(this.replica, previous, true);
    return number;
  }

  /**
   * As `update`, where the previous own entry is gone from here without an event, as only a full state can tell: the event
   * names it all the same, for those who hold it still. Cost: O(1).
   */
  restore(previous: EventNumber, value: V): EventNumber {
    const number = this.add(value);
    this.open.remove(this.replica, previous, true);
    return number;
  }

  /** Adds an entry and removes those of the dots that are live, whoever added them, as one event. Cost: O(dots). */
  replace(removals: readonly Removal[], value: V): EventNumber {
    const number = this.add(value);
    this.removeLive(removals);
    return number;
  }

  /** How many local changes `takeDelta` would hand out. */
  get openSize(): number {
    return this.open.size;
  }

  /** The local events since the last call, joined, to be sent to every peer; undefined if there are none. */
  takeDelta(): Delta<V> | undefined {
    const closed = this.open.close(this.replica, this.own.vector);
    if (closed === undefined) return undefined;
    const delta = this.withoutForgotten(closed);
    this.own.log.push(delta);
    return delta;
  }

  // What other replicas send.

  /**
   * Applies a delta. May come late, twice, or again by another path. Cost: O(its size), whatever the size of the set.
   */
  apply(delta: Delta<V>): ApplyOutcome {
    if (delta.origin === this.replica || this.evicted.has(delta.origin)) return "known";
    const origin = this.originOf(delta.origin);
    if (delta.from > origin.vector) return "gap";
    if (delta.to <= origin.vector) return "known";
    // Adds first: a listener that sees both of an update never sees neither. Then the vector, which covers whatever of
    // its own interval a removal names.
    this.applyAdds(origin, delta);
    origin.vector = delta.to;
    for (const removal of delta.removals) this.applyRemoval(removal, delta.origin);
    origin.dropOvertakenPending();
    origin.log.push(delta);
    return "applied";
  }

  private applyRemoval(removal: Removal, by: ReplicaId): void {
    if (this.evicted.has(removal.origin)) return;
    const origin = this.originOf(removal.origin);
    for (const number of removal.numbers) {
      if (number > origin.vector) origin.pending.add(number);
      this.delete(origin, number, by, removal.deliberate);
    }
  }

  private applyAdds(origin: Origin<V>, delta: Delta<V>): void {
    const { numbers, values } = delta;
    const staged = origin.ahead > 0 ? origin.aheadUpTo(delta.to) : undefined;
    for (let index = 0; index < numbers.length; index++) {
      const number = numbers[index]!;
      if (number <= origin.vector || origin.pending.has(number)) continue;
      if (staged?.delete(number)) {
        origin.promote(number);
        continue;
      }
      const value = values[index]!;
      origin.insert(number, value);
      this.listener.inserted(value, origin.id, number);
    }
    // What was staged and is not among the adds was removed by an event of this interval.
    if (staged !== undefined) for (const number of staged) this.delete(origin, number, delta.origin);
  }

  /**
   * Takes in live entries of a full state that is still on its way: they are visible at once, but the vector stays
   * until `merge`. A repeated or overtaken entry is no news. Cost: O(entries).
   */
  stage(entries: Entries<V>): void {
    if (entries.origin === this.replica || this.evicted.has(entries.origin)) return;
    const origin = this.originOf(entries.origin);
    for (let index = 0; index < entries.numbers.length; index++) {
      const number = entries.numbers[index]!;
      if (number <= origin.vector || origin.pending.has(number) || origin.live.has(number)) continue;
      const value = entries.values[index]!;
      origin.insertAhead(number, value);
      this.listener.inserted(value, origin.id, number);
    }
  }

  /**
   * Merges a full state: keeps what both know; drops an own entry that the other has seen and no longer has, or knows
   * to be removed; takes what is new. Commutative, associative, idempotent.
   *
   * Cost: O(entries of the origins that the state names).
   */
  merge(state: FullState<V>): MergeOutcome {
    for (const entries of state.entries) this.stage(entries);
    const gone: { origin: Origin<V>; numbers: EventNumber[] }[] = [];
    for (const [id, vector] of state.vector) {
      if (this.evicted.has(id)) continue;
      const origin = this.originOf(id);
      const numbers = missingFrom(origin, vector, state.live.get(id));
      if (numbers === undefined) return "incomplete";
      gone.push({ origin, numbers });
    }
    for (const { origin, numbers } of gone) {
      for (const number of numbers) this.delete(origin, number, undefined);
    }
    for (const [id, vector] of state.vector) {
      if (id !== this.replica && !this.evicted.has(id)) this.originOf(id).leapTo(vector);
    }
    for (const removal of state.pending) this.mergePending(removal);
    return "merged";
  }

  private mergePending(removal: Removal): void {
    if (this.evicted.has(removal.origin)) return;
    const origin = this.originOf(removal.origin);
    for (const number of removal.numbers) {
      if (number > origin.vector) origin.pending.add(number);
      this.delete(origin, number, undefined);
    }
  }

  // What this replica can send.

  /**
   * The deltas that take a peer from `from` to our vector for one origin: none if there is nothing new, undefined if
   * the log no longer reaches back that far. Call `takeDelta` first. Cost: O(answer).
   */
  deltasSince(id: ReplicaId, from: EventNumber): readonly Delta<V>[] | undefined {
    this.assertClosed();
    const origin = this.origins.get(id);
    if (origin === undefined || origin.vector <= from) return [];
    return origin.log.since(from)?.map((delta) => this.withoutForgotten(delta));
  }

  /** Removals of an origin that we have forgotten would wait in `pending` at a newcomer for ever. */
  private withoutForgotten(delta: Delta<V>): Delta<V> {
    if (delta.removals.every((removal) => this.origins.has(removal.origin))) return delta;
    return { ...delta, removals: delta.removals.filter((removal) => this.origins.has(removal.origin)) };
  }

  /** The whole state, with all entries: stays as it is while the set goes on. Call `takeDelta` first. Cost: O(entries). */
  snapshot(): FullState<V> {
    this.assertClosed();
    return snapshot(this.origins.values());
  }

  /** As `snapshot`, without reading it: a large state is given bit by bit. Call `takeDelta` first. Cost: O(entries / 32). */
  freeze(): FrozenState<V> {
    this.assertClosed();
    return freeze(this.origins.values());
  }

  // Forgetting.

  /** Forgets an origin: its entries (returned, and not reported to the listener), its vector and log; and ignores it from now on. */
  evict(id: ReplicaId): ReadonlyMap<EventNumber, V> {
    if (id === this.replica) throw new CrdtError("OWN_REPLICA", `a replica cannot evict itself (${id})`);
    const origin = this.origins.get(id);
    this.origins.delete(id);
    this.evicted.add(id);
    return origin?.live ?? new Map();
  }

  /** Listens to an evicted origin again, from its first event on. Also frees the memory of an eviction. */
  readmit(id: ReplicaId): void {
    this.evicted.delete(id);
  }

  isEvicted(id: ReplicaId): boolean {
    return this.evicted.has(id);
  }

  // Reading.

  /** Origins of which anything is known, if only that some entry of theirs is removed. */
  get originCount(): number {
    return this.origins.size;
  }

  /** Removed dots that wait for their adds, of all origins together. Cost: O(origins). */
  get pendingSize(): number {
    let size = 0;
    for (const { pending } of this.origins.values()) size += pending.size;
    return size;
  }

  /** Known origins with at least one event or entry. */
  originIds(): ReplicaId[] {
    const ids: ReplicaId[] = [];
    for (const origin of this.origins.values())
      if (origin.vector > 0 || origin.live.size > 0) ids.push(origin.id);
    return ids;
  }

  /** The highest event of `id` with none missing below it; 0 if none is known. */
  vectorOf(id: ReplicaId): EventNumber {
    return this.origins.get(id)?.vector ?? 0;
  }

  /** Order-independent hash of the live dots of `id` up to its vector; 0 if there are none. */
  hashOf(id: ReplicaId): number {
    return this.origins.get(id)?.hash.value ?? 0;
  }

  vector(): VersionVector {
    const vector = new Map<ReplicaId, EventNumber>();
    for (const origin of this.origins.values()) if (origin.vector > 0) vector.set(origin.id, origin.vector);
    return vector;
  }

  /** Vector and state hash of every origin. Cost: O(origins). */
  digest(): Map<ReplicaId, OriginDigest> {
    const digest = new Map<ReplicaId, OriginDigest>();
    for (const { id, vector, hash } of this.origins.values()) {
      if (vector > 0) digest.set(id, { vector, hash: hash.value });
    }
    return digest;
  }

  /** The entries of one origin by event number, staged ones included. A live view: do not keep it. */
  entriesOf(id: ReplicaId): ReadonlyMap<EventNumber, V> {
    return this.origins.get(id)?.live ?? new Map();
  }

  /** Dots above the vector of `id` that known events have removed. */
  pendingOf(id: ReplicaId): ReadonlySet<EventNumber> {
    return this.origins.get(id)?.pending ?? new Set();
  }

  /** Entries staged ahead of the vector of `id`. */
  aheadOf(id: ReplicaId): number {
    return this.origins.get(id)?.ahead ?? 0;
  }

  /** The one place where an entry leaves the set. */
  private delete(
    origin: Origin<V>,
    number: EventNumber,
    by: ReplicaId | undefined,
    deliberate = false,
  ): boolean {
    const value = origin.take(number);
    if (value === undefined) return false;
    this.listener.deleted(value, origin.id, number, by, deliberate);
    return true;
  }

  private originOf(id: ReplicaId): Origin<V> {
    let origin = this.origins.get(id);
    if (origin === undefined) {
      origin = new Origin<V>(id, this.logSizeMax);
      this.origins.set(id, origin);
    }
    return origin;
  }

  /** A peer must never be given events that the other peers were not sent: their intervals would not meet. */
  private assertClosed(): void {
    if (this.open.size > 0)
      throw new CrdtError("OPEN_INTERVAL", "take the local delta before handing out state");
  }
}
