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

/** `12.3 (11.9–14.0) µs` */
export function show({ median, least, most }: Spread, unit: string): string {
  const digits = median < 10 ? 2 : median < 100 ? 1 : 0;
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)}) ${unit}`;
}
