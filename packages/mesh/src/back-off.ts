/** How long to wait before an address is dialled again. Arithmetic only; the dialer keeps the timers. */

/** Bounds of the wait. */
export interface BackOff {
  /** The longest first wait, and the shortest distance between two attempts that were asked for. */
  readonly minMs: number;
  /** The longest wait. */
  readonly maxMs: number;
}

/**
 * The wait after the given number of failures in a row (1 or more): twice as long each time, up to `maxMs`, of which
 * the second half is left to chance, so that nodes cut off together do not come back in step.
 *
 * @param random a number in [0, 1)
 */
export function backOffMs({ minMs, maxMs }: BackOff, failures: number, random: number): number {
  // The exponent is bounded because the number of failures is not.
  const longest = Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 30));
  return longest / 2 + (longest / 2) * random;
}
