/** What the listener is told is never told from inside a call of its owner, and always in the order in which it happened. */
export class Outcomes {
  readonly #waiting: (() => void)[] = [];
  #held = false;

  /** Tells it now; behind what waits, if anything does. */
  tell(outcome: () => void): void {
    if (this.#held) this.#waiting.push(outcome);
    else outcome();
  }

  /** Runs a part of a call of the owner; what comes of it is told right after that call, before anything new comes in. */
  after(work: () => void): void {
    if (!this.#held) queueMicrotask(() => this.#release());
    this.#held = true;
    work();
  }

  #release(): void {
    // What is told may bring about more, which comes behind the rest.
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) next();
    } finally {
      this.#held = false;
    }
  }
}
