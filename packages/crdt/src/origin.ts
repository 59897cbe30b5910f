/** What a set knows of one replica's events: the entries they added, and how far it has followed them. */
import { DeltaLog } from "./delta-log.ts";
import type { EventNumber, ReplicaId } from "./dot.ts";
import { EventMap } from "./event-map.ts";
import { StateHash, seedOf } from "./state-hash.ts";

export class Origin<V> {
  readonly id: ReplicaId;
  /** Highest event with none missing below it. */
  vector: EventNumber = 0;
  /** Entries by event number: those up to `vector`, and those that were staged ahead of it. */
  readonly live = new EventMap<V>();
  /** How many of `live` are above `vector`, and the highest of them. */
  ahead = 0;
  aheadMax: EventNumber = 0;
  /** Dots above `vector` that known events of others have removed. */
  readonly pending = new Set<EventNumber>();
  readonly log: DeltaLog<V>;
  /** Of the live dots up to `vector`. */
  readonly hash: StateHash;
  private readonly aheadHash: StateHash;

  constructor(id: ReplicaId, logSizeMax: number) {
    this.id = id;
    this.log = new DeltaLog(logSizeMax);
    const seed = seedOf(id);
    this.hash = new StateHash(seed);
    this.aheadHash = new StateHash(seed);
  }

  /** Inserts an entry up to the vector-to-be. Must be absent. */
  insert(number: EventNumber, value: V): void {
    this.live.insert(number, value);
    this.hash.toggle(number);
  }

  /** Inserts an entry above the vector. Must be absent. */
  insertAhead(number: EventNumber, value: V): void {
    this.live.insert(number, value);
    this.ahead++;
    this.aheadMax = Math.max(this.aheadMax, number);
    this.aheadHash.toggle(number);
  }

  /** The vector has come to this staged entry: from now on it belongs to the state. */
  promote(number: EventNumber): void {
    this.dropAhead(number);
    this.hash.toggle(number);
  }

  /** Of all live dots, staged ones included. */
  get wholeHash(): number {
    return this.hash.valueWith(this.aheadHash);
  }

  /** Every staged entry belongs to the state from now on. Cost: O(1). */
  private promoteAll(): void {
    this.ahead = 0;
    this.aheadMax = 0;
    this.hash.absorb(this.aheadHash);
  }

  /** Takes an entry out, and returns it; undefined if there is none. */
  take(number: EventNumber): V | undefined {
    const value = this.live.take(number);
    if (value === undefined) return undefined;
    if (number > this.vector) {
      this.dropAhead(number);
    } else this.hash.toggle(number);
    return value;
  }

  /** The staged entries up to `upTo`. Cost: O(events up to there, or entries, whichever are fewer). */
  aheadUpTo(upTo: EventNumber): Set<EventNumber> {
    const numbers = new Set<EventNumber>();
    if (upTo - this.vector < this.live.size) {
      for (let number = this.vector + 1; number <= upTo; number++)
        if (this.live.has(number)) numbers.add(number);
    } else {
      for (const number of this.live.keys()) if (number > this.vector && number <= upTo) numbers.add(number);
    }
    return numbers;
  }

  /** Moves the vector up to that of a merged state; the log starts anew, since it has no deltas for the leap. */
  leapTo(vector: EventNumber): void {
    if (vector <= this.vector) return;
    if (this.aheadMax <= vector) this.promoteAll();
    else for (const number of this.aheadUpTo(vector)) this.promote(number);
    this.vector = vector;
    this.dropOvertakenPending();
    this.log.clear();
  }

  private dropAhead(number: EventNumber): void {
    this.aheadHash.toggle(number);
    if (--this.ahead === 0) this.aheadMax = 0;
  }

  /** Pending removes that the vector has overtaken have done their work. Cost: O(pending). */
  dropOvertakenPending(): void {
    for (const number of this.pending) if (number <= this.vector) this.pending.delete(number);
  }
}
