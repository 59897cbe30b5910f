/** Time, so that a test can be without it. */

import { require } from "./arguments.ts";

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
    require(typeof delayMs === "number", "delayMs", "a number");
    require(typeof callback === "function", "callback", "a function");
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
