/** The time that a shell lends to a replica: real in production, virtual in the simulator. */
import type { Millis } from "./outbox.ts";

/** Time and timers for one process; never compared with the clock of another. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary start. */
  now(): Millis;
  /** Runs `run` once, `delayMs` from now; 0: at the end of this turn of the event loop. Returns what cancels it. */
  schedule(delayMs: number, run: () => void): () => void;
}
