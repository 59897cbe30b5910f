/** The recent deltas of one origin, kept so that a peer that missed a few can be given just those. */
import { type Delta, deltaSize } from "./delta.ts";
import type { EventNumber } from "./dot.ts";

/** Bounded: forgets its oldest deltas once it holds more than `sizeMax` adds and removes. */
export class DeltaLog<V> {
  private deltas: Delta<V>[] = [];
  private head = 0;
  private size = 0;
  private readonly sizeMax: number;

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax;
  }

  /** Appends a delta that starts at or below the end of the one before. Cost: amortized O(1). */
  push(delta: Delta<V>): void {
    this.deltas.push(delta);
    this.size += weight(delta);
    while (this.size > this.sizeMax) {
      this.size -= weight(this.deltas[this.head]!);
      this.deltas[this.head++] = undefined as never;
    }
    if (this.head > 32 && this.head * 2 > this.deltas.length) {
      this.deltas = this.deltas.slice(this.head);
      this.head = 0;
    }
  }

  /** The deltas with events above `from`, or undefined if the log no longer reaches back that far. Cost: O(answer). */
  since(from: EventNumber): Delta<V>[] | undefined {
    if (this.head === this.deltas.length || this.deltas[this.head]!.from > from) return undefined;
    let first = this.deltas.length;
    while (first > this.head && this.deltas[first - 1]!.to > from) first--;
    return this.deltas.slice(first);
  }

  clear(): void {
    this.deltas = [];
    this.head = 0;
    this.size = 0;
  }
}

/** An empty delta still takes room. */
function weight(delta: Delta<unknown>): number {
  return deltaSize(delta) + 1;
}
