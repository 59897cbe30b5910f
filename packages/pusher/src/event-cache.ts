/** The last event that a server published to each cache channel. Bounded in number and time. */
import type { RelayedEvent } from "./wire.ts";

/** An event with the time of its publication, by the clock of the node that took it. */
export type CachedEvent = RelayedEvent & { readonly at: number };

export class EventCache {
  readonly #events = new Map<string, CachedEvent>();
  readonly #keptMs: number;
  readonly #eventsMax: number;
  readonly #now: () => number;

  constructor(options: { readonly keptMs: number; readonly eventsMax: number; readonly now: () => number }) {
    this.#keptMs = options.keptMs;
    this.#eventsMax = options.eventsMax;
    this.#now = options.now;
  }

  /** Keeps the event unless a later one is kept. */
  put(channel: string, event: CachedEvent): void {
    const kept = this.get(channel);
    if (kept !== undefined && kept.at > event.at) return;
    this.#events.delete(channel);
    this.#events.set(channel, event);
    const [oldest] = this.#events.keys();
    if (this.#events.size > this.#eventsMax) this.#events.delete(oldest!);
  }

  get(channel: string): CachedEvent | undefined {
    const event = this.#events.get(channel);
    if (event === undefined || this.ttlMs(event) > 0) return event;
    this.#events.delete(channel);
    return undefined;
  }

  /** How long the event is kept still. */
  ttlMs(event: CachedEvent): number {
    return event.at + this.#keptMs - this.#now();
  }
}
