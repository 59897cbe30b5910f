/** What every benchmark does: several rounds, the median, and the spread. */

/** Of the rounds: the middle one, and the fastest and slowest. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other);
  return { median: sorted[Math.floor(sorted.length / 2)]!, least: sorted[0]!, most: sorted.at(-1)! };
}

/** Runs `round` so many times, the first for warming up only; what it returns is what is measured. */
export function rounds(count: number, round: (index: number) => number): Spread {
  round(-1);
  return spreadOf(Array.from({ length: count }, (_, index) => round(index)));
}

/**
 * The least value that at least this share of the values do not exceed (nearest rank): `quantile(values, 0.99)` of 100
 * values is the second greatest.
 *
 * @throws RangeError if there are no values, or the share is not in (0, 1]
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("there is no quantile of no values");
  if (!(share > 0 && share <= 1)) throw new RangeError(`${share} is no share in (0, 1]`);
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.ceil(share * sorted.length - 1e-9) - 1]!;
}

/**
 * Measures several subjects in turn, round after round, so that whatever else the machine does falls on all alike. Every
 * round starts with the next subject, and the first round is for warming up only.
 *
 * @returns for each subject, in the given order, what its rounds returned
 */
export async function interleaved<Subject, Result>(
  subjects: readonly Subject[],
  count: number,
  measure: (subject: Subject, round: number) => Result | Promise<Result>,
): Promise<Result[][]> {
  const results: Result[][] = subjects.map(() => []);
  for (let round = -1; round < count; round++) {
    for (let step = 0; step < subjects.length; step++) {
      const index = (step + round + 1) % subjects.length;
      const result = await measure(subjects[index]!, round);
      if (round >= 0) results[index]!.push(result);
    }
  }
  return results;
}

/** Three significant digits, grouped by thousands: `0.123`, `12.3`, `1,230`. */
export function showNumber(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** `12.3 (11.9–14.0) µs` */
export function show({ median, least, most }: Spread, unit: string): string {
  const digits = median < 10 ? 2 : median < 100 ? 1 : 0;
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)}) ${unit}`;
}

/** As `show`, with three significant digits for whatever size, and without the unit if the column names it. */
export function showSpread({ median, least, most }: Spread, unit = ""): string {
  return `${showNumber(median)} (${showNumber(least)}–${showNumber(most)}) ${unit}`.trimEnd();
}
