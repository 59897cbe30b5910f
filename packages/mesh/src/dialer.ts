/** Dials addresses again and again, each at its own pace, until told to rest. Keeps timers; knows nothing of nodes. */
import { type BackOff, backOffMs } from "./back-off.ts";
import type { Patience } from "./patience.ts";

interface Target {
  /** Failures in a row; decides the next wait. */
  failures: number;
  /** How long the next attempt waits for each step of its handshake. */
  patienceMs: number;
  dialling: boolean;
  /** When the last attempt began, and the earliest time for the next one. */
  startedMs: number;
  notBeforeMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** Paces the attempts for each address. At most one attempt an address is under way at a time. */
export class Dialer {
  readonly #targets = new Map<string, Target>();
  readonly #backOff: BackOff;
  readonly #patience: Patience;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #dial: (address: string, patienceMs: number) => void;
  #stopped = false;

  /** @param options.dial starts an attempt; its end is reported by `settled` */
  constructor(
    options: BackOff & {
      patience: Patience;
      random: () => number;
      now: () => number;
      dial: (address: string, patienceMs: number) => void;
    },
  ) {
    this.#backOff = { minMs: options.minMs, maxMs: options.maxMs };
    this.#patience = options.patience;
    this.#random = options.random;
    this.#now = options.now;
    this.#dial = options.dial;
  }

  /**
   * Dials at once and forgets earlier failures. Two attempts begin at least `minMs` apart all the same, and a
   * hold-off is kept, so that a peer that refuses us each time does not make us spin.
   */
  soon(address: string): void {
    const target = this.#target(address);
    target.failures = 0;
    this.#schedule(address, target, Math.max(0, target.startedMs + this.#backOff.minMs - this.#now()));
  }

  /** Dials again after the back-off for one more failure, or after `delayMs` if that is given. */
  later(address: string, delayMs?: number): void {
    const target = this.#target(address);
    target.failures += 1;
    this.#schedule(address, target, delayMs ?? backOffMs(this.#backOff, target.failures, this.#random()));
  }

  /** Failures in a row. */
  failures(address: string): number {
    return this.#targets.get(address)?.failures ?? 0;
  }

  /** Lets no attempt begin for the longest back-off. */
  holdOff(address: string): void {
    this.#target(address).notBeforeMs = this.#now() + this.#backOff.maxMs;
  }

  /** Dials no more until asked again. An attempt under way goes on. */
  rest(address: string): void {
    const target = this.#targets.get(address);
    if (target === undefined) return;
    clearTimeout(target.timer);
    target.timer = undefined;
  }

  /** The attempt for this address is over. What comes next is for the caller to say. */
  settled(address: string): void {
    const target = this.#targets.get(address);
    if (target !== undefined) target.dialling = false;
  }

  /** The last attempt was given up for its time. The way may be that long: the next attempt waits longer. */
  tooSlow(address: string): void {
    const target = this.#target(address);
    target.patienceMs = this.#patience.longer(target.patienceMs);
  }

  /** The last attempt has measured the round trip: a lost link is made again without trying shorter times first. */
  measured(address: string, roundTripMs: number): void {
    this.#target(address).patienceMs = this.#patience.forRoundTrip(roundTripMs);
  }

  /** Forgets the address and its failures. */
  drop(address: string): void {
    this.rest(address);
    this.#targets.delete(address);
  }

  stop(): void {
    this.#stopped = true;
    for (const address of this.#targets.keys()) this.rest(address);
  }

  #schedule(address: string, target: Target, delayMs: number): void {
    // While an attempt is under way its end decides what comes next.
    if (this.#stopped || target.dialling) return;
    clearTimeout(target.timer);
    const heldMs = target.notBeforeMs - this.#now();
    target.timer = setTimeout(() => this.#begin(address, target), Math.max(delayMs, heldMs));
  }

  #begin(address: string, target: Target): void {
    target.timer = undefined;
    target.dialling = true;
    target.startedMs = this.#now();
    this.#dial(address, target.patienceMs);
  }

  #target(address: string): Target {
    let target = this.#targets.get(address);
    if (target === undefined) {
      target = {
        failures: 0,
        patienceMs: this.#patience.firstMs,
        dialling: false,
        startedMs: Number.NEGATIVE_INFINITY,
        notBeforeMs: Number.NEGATIVE_INFINITY,
        timer: undefined,
      };
      this.#targets.set(address, target);
    }
    return target;
  }
}
