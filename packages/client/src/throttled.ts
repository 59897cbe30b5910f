/**
 * A value that changes all the time, sent now and then: at once when it was quiet, then once an interval, and always the last.
 */

import { positive } from "./arguments.ts";
import { type Clock, systemClock } from "./clock.ts";

export interface ThrottledOptions<T> {
  /** At least so long lies between two sends. */
  readonly intervalMs: number;
  /** Makes one value of the one that waits and the one that comes. Default: the one that comes. */
  readonly combine?: (waiting: T, value: T) => T;
  readonly clock?: Clock;
}

/** Keeps one value at most. */
export class Throttled<T> {
  readonly #send: (value: T) => Promise<unknown>;
  readonly #intervalMs: number;
  readonly #combine: (waiting: T, value: T) => T;
  readonly #clock: Clock;
  #waiting: { readonly value: T } | undefined;
  #inFlight = false;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #stopTimer: (() => void) | undefined;

  /** @param send  must not reject; until it has settled, nothing more is sent, but by `flush` */
  constructor(send: (value: T) => Promise<unknown>, options: ThrottledOptions<T>) {
    this.#send = send;
    this.#intervalMs = positive("intervalMs", options.intervalMs, 0);
    this.#combine = options.combine ?? ((_, value) => value);
    this.#clock = options.clock ?? systemClock;
  }

  /** Whether a value waits to be sent. */
  get pending(): boolean {
    return this.#waiting !== undefined;
  }

  set(value: T): void {
    this.#waiting = {
      value: this.#waiting === undefined ? value : this.#combine(this.#waiting.value, value),
    };
    this.#schedule();
  }

  /** Sends what waits, at once. */
  flush(): void {
    if (this.#waiting !== undefined) this.#go(this.#waiting.value);
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = undefined;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #schedule(): void {
    if (this.#waiting === undefined || this.#inFlight || this.#stopTimer !== undefined) return;
    const waitMs = this.#nextAtMs - this.#clock.now();
    if (waitMs <= 0) this.#go(this.#waiting.value);
    else
      this.#stopTimer = this.#clock.after(waitMs, () => {
        this.#stopTimer = undefined;
        this.#schedule();
      });
  }

  #go(value: T): void {
    this.clear();
    this.#inFlight = true;
    this.#nextAtMs = this.#clock.now() + this.#intervalMs;
    const settled = () => {
      this.#inFlight = false;
      this.#schedule();
    };
    this.#send(value).then(settled, settled);
  }
}
