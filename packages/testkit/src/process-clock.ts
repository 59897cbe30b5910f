/** The monotonic clock of one process: it starts anywhere, and runs a little fast or slow. */
import type { Clock, Millis } from "@presently/replica";
import type { VirtualTime } from "./virtual-time.ts";

export interface ClockOptions {
  /** What the clock shows when virtual time begins. */
  readonly skewMs: number;
  /** How much too fast it runs, in parts per million; negative: too slow. Quartz stays within 100. */
  readonly driftPpm: number;
}

/** Shows whole milliseconds, as timers count them: a deadline is never reached by a rounding error less than it takes. */
export class ProcessClock implements Clock {
  private readonly time: VirtualTime;
  private readonly skewMs: number;
  private readonly rate: number;
  private readonly wrap: (run: () => void) => () => void;

  /** `wrap` says when what is due really runs: a process that stands still runs nothing. */
  constructor(time: VirtualTime, { skewMs, driftPpm }: ClockOptions, wrap: (run: () => void) => () => void) {
    this.time = time;
    this.skewMs = skewMs;
    this.rate = 1 + driftPpm / 1_000_000;
    this.wrap = wrap;
  }

  now(): Millis {
    // The addend makes up for what a division and a multiplication lose.
    return Math.floor(this.skewMs + this.time.now * this.rate + 1e-6);
  }

  schedule(delayMs: number, run: () => void): () => void {
    const at = delayMs <= 0 ? this.time.now : (this.now() + Math.ceil(delayMs) - this.skewMs) / this.rate;
    const task = this.time.schedule(at, this.wrap(run));
    return () => task.cancel();
  }
}
