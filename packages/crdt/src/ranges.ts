/** Sets of event numbers as ascending, disjoint ranges: how live dots travel when only their numbers are needed. */
import type { EventNumber } from "./dot.ts";

/** `[first, last, first, last, …]`, both ends included, strictly ascending, with at least one number between two ranges. */
export type Ranges = readonly EventNumber[];

/** The ranges of strictly ascending numbers. Cost: O(numbers). */
export function rangesOf(ascending: readonly EventNumber[]): EventNumber[] {
  const ranges: EventNumber[] = [];
  let last = Number.NaN;
  for (const number of ascending) {
    if (number === last + 1) ranges[ranges.length - 1] = number;
    else ranges.push(number, number);
    last = number;
  }
  return ranges;
}

/** Whether a number is inside. Cost: O(log ranges). */
export function inRanges(ranges: Ranges, number: EventNumber): boolean {
  let low = 0;
  let high = ranges.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle * 2 + 1]! < number) low = middle + 1;
    else high = middle;
  }
  return low * 2 < ranges.length && ranges[low * 2]! <= number;
}

/** How many numbers of the ranges lie in `(above, upTo]`. Cost: O(ranges). */
export function countInRanges(ranges: Ranges, above: EventNumber, upTo: EventNumber): number {
  let count = 0;
  for (let index = 0; index < ranges.length; index += 2) {
    const first = Math.max(ranges[index]!, above + 1);
    const last = Math.min(ranges[index + 1]!, upTo);
    if (last >= first) count += last - first + 1;
  }
  return count;
}
