/** Keeps what happens again and again (a peer with a wrong secret dials every second) from filling the log. */

/** How long a line is not repeated. */
const REPEAT_AFTER_MS = 60_000;

/** Distinct lines remembered; forgotten all at once when there are more, which repeats some lines early. */
const LINES_MAX = 512;

export class LogLimiter {
  readonly #saidMs = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether the line named by `key` was not said lately; if so, it counts as said now. */
  allows(key: string): boolean {
    const now = this.#now();
    const said = this.#saidMs.get(key);
    if (said !== undefined && now - said < REPEAT_AFTER_MS) return false;
    if (this.#saidMs.size >= LINES_MAX) this.#saidMs.clear();
    this.#saidMs.set(key, now);
    return true;
  }

  /** The line may be said again: what it was about has passed. */
  reset(key: string): void {
    this.#saidMs.delete(key);
  }
}
