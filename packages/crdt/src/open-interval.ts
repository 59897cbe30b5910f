/** The local events that no peer has been sent yet, kept in joined form as they happen. */
import type { Delta, Removal } from "./delta.ts";
import type { EventNumber, ReplicaId } from "./dot.ts";

export class OpenInterval<V> {
  private from: EventNumber = 0;
  private numbers: EventNumber[] = [];
  private values: (V | undefined)[] = [];
  private holes = 0;
  private removed = new Map<ReplicaId, EventNumber[]>();
  /** Own entries, deliberately removed. */
  private deliberate: EventNumber[] = [];
  /** Adds and removes so far. */
  size = 0;

  add(number: EventNumber, value: V): void {
    this.numbers.push(number);
    this.values.push(value);
    this.size++;
  }

  /** `own`: an entry of this replica; if it was added in this same interval it does not travel at all. Cost: O(log adds). */
  remove(origin: ReplicaId, number: EventNumber, own: boolean, deliberate = false): void {
    if (own && number > this.from) {
      this.values[indexOf(this.numbers, number)] = undefined;
      this.holes++;
    }
    const numbers = own && deliberate ? this.deliberate : this.removed.get(origin);
    if (numbers === undefined) this.removed.set(origin, [number]);
    else numbers.push(number);
    this.size++;
  }

  /** The events up to `to` as a delta, and starts the next interval there; undefined if there were none. */
  close(origin: ReplicaId, to: EventNumber): Delta<V> | undefined {
    const from = this.from;
    if (from === to) return undefined;
    const removals: Removal[] = [];
    for (const [id, numbers] of this.removed) removals.push({ origin: id, numbers });
    if (this.deliberate.length > 0) removals.push({ origin, numbers: this.deliberate, deliberate: true });
    if (this.holes > 0) {
      this.numbers = this.numbers.filter((_, index) => this.values[index] !== undefined);
      this.values = this.values.filter((value) => value !== undefined);
    }
    const delta = { origin, from, to, numbers: this.numbers, values: this.values as V[], removals };
    this.from = to;
    this.numbers = [];
    this.values = [];
    this.holes = 0;
    this.removed = new Map();
    this.deliberate = [];
    this.size = 0;
    return delta;
  }
}

function indexOf(ascending: readonly EventNumber[], number: EventNumber): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
