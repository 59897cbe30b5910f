/** A text that is also a counter: registers, of which the newest shows, and what replicas have added to it. */
import type { ReplicaId } from "presently";
import { isNewer, type PlacedItem } from "./item.ts";

/** Whether the process that a replica id stands for is seen now. */
export type IsAlive = (origin: ReplicaId) => boolean;

export class Slot {
  readonly registers: PlacedItem[] = [];
  readonly counts: PlacedItem[] = [];

  get isEmpty(): boolean {
    return this.registers.length === 0 && this.counts.length === 0;
  }

  /** All items, for those who take the place of them. */
  get items(): PlacedItem[] {
    return [...this.registers, ...this.counts];
  }

  /** The register that shows; undefined if none does. */
  register(isAlive: IsAlive): PlacedItem | undefined {
    let winner: PlacedItem | undefined;
    for (const placed of this.registers) {
      if (placed.item.bound && !isAlive(placed.origin)) continue;
      if (winner === undefined || isNewer(placed, winner)) winner = placed;
    }
    return winner;
  }

  /** The text that shows; undefined if there is none. A text that is no integer hides what was added to it concurrently. */
  text(isAlive: IsAlive): string | undefined {
    const text = this.register(isAlive)?.item.value;
    if (this.counts.length === 0) return text;
    const base = text === undefined ? 0 : integerOf(text);
    if (base === undefined) return text;
    let sum = base;
    for (const { item } of this.counts) sum += item.number;
    return String(sum);
  }
}

/** The integer that a text is, as Redis reads it; undefined if it is none, or none that a number holds exactly. */
export function integerOf(text: string): number | undefined {
  if (!/^(0|-?[1-9]\d{0,15})$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}
