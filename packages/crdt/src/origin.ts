/** What a set knows of one replica's events: the entries they added, and how far it has followed them. */
import { DeltaLog } from "./delta-log.ts";
import type { EventNumber, ReplicaId } from "./dot.ts";
import { StateHash, seedOf } from "./state-hash.ts";

export class Origin<V> {
  readonly id: ReplicaId;
  /** Highest event with none missing below it. */
  vector: EventNumber = 0;
  /** Entries by event number: those up to `vector`, and those that were staged ahead of it. */
  readonly live = new Map<EventNumber, V>();
  /** How many of `live` are above `vector`. */
  ahead = 0;
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
    this.live.set(number, value);
    this.hash.toggle(number);
  }

  /** Inserts an entry above the vector. Must be absent. */
  insertAhead(number: EventNumber, value: V): void {
    this.live.set(number, value);
    this.ahead++;
    this.aheadHash.toggle(number);
  }

  /** The vector has come to this staged entry: from now on it belongs to the state. */
  promote(number: EventNumber): void {
    this.ahead--;
    this.aheadHash.toggle(number);
    this.hash.toggle(number);
  }

  /** Every staged entry belongs to the state from now on. Cost: O(1). */
  promoteAll(): void {
    this.ahead = 0;
    this.hash.absorb(this.aheadHash);
  }

  /** Takes an entry out, and returns it; undefined if there is none. */
  take(number: EventNumber): V | undefined {
    const value = this.live.get(number);
    if (value === undefined) return undefined;
    this.live.delete(number);
    if (number > this.vector) {
      this.ahead--;
      this.aheadHash.toggle(number);
    } else this.hash.toggle(number);
    return value;
  }

  /** Pending removes that the vector has overtaken have done their work. Cost: O(pending). */
  dropOvertakenPending(): void {
    for (const number of this.pending) if (number <= this.vector) this.pending.delete(number);
  }
}
