/** Real time, for production: the simulator has its own. */
import { performance } from "node:perf_hooks";
import type { Clock } from "@presently/replica";

/**
 * The machine's monotonic clock and its timers. A delay of 0 runs at the end of this turn of the event loop.
 * A pending timer keeps the process alive: a node lives until it is stopped.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(delayMs, run) {
    if (delayMs <= 0) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
