/** Virtual time for the helpers of `@presently/client`, and a room that only notes what is asked of it. */
import type { Clock } from "@presently/client";

/** A clock that goes when it is told to. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass, timer by timer; promises settle in between. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settled();
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await settled();
    }
    this.#nowMs = untilMs;
  }
}

/** Lets the promises that can settle do so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

type Listener = (...words: never[]) => void;

/** What the helpers use of a room. */
export class NotingRoom {
  meta: Record<string, unknown> = {};
  /** What was said of oneself, and what was broadcast, in order. */
  readonly updates: object[] = [];
  readonly sent: [event: string, payload: unknown][] = [];
  readonly #listeners = new Map<string, Set<Listener>>();

  async update(change: (previous: Record<string, unknown>) => Record<string, unknown>): Promise<boolean> {
    const next = change(this.meta);
    if (next !== this.meta) this.updates.push(next);
    this.meta = next;
    return true;
  }

  async broadcast(event: string, payload: unknown): Promise<void> {
    this.sent.push([event, payload]);
  }

  on(event: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  onMessage(event: string, listener: Listener): () => void {
    return this.on(`message ${event}`, listener);
  }

  emit(event: string, ...words: unknown[]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...(words as never[]));
  }

  /** How many listen. */
  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }
}
