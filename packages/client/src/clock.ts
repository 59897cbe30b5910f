/** Time, so that a test can be without it. */

/** A monotonic clock with timers. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Calls once after so many ms, unless it is stopped first. Gives what stops it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The clock of the browser or of Node.js. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
