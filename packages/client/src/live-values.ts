/**
 * The last value of everybody, of something that moves: pointers, selections, what is being dragged.
 *
 * It is a lane beside presence: a value goes to those who are in the room now, is kept by nobody but them, and is forgotten
 * when its person leaves or nothing new came for `expireMs`. So it costs the cluster one message, and no state.
 */

import { checkRoom, isMap, positive, require } from "./arguments.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Emitter, type Unsubscribe } from "./emitter.ts";
import type { AnyRoom } from "./room.ts";
import { Throttled } from "./throttled.ts";

/** How often values are sent, and how long and how many are kept. */
export interface LiveValuesOptions {
  /** At least so long lies between two messages of this client. Default 50 ms. */
  readonly intervalMs?: number;
  /** After so long without anything new a value is forgotten. Default 30,000 ms. */
  readonly expireMs?: number;
  /** Values that are kept; the oldest gives way. Default 1,000. */
  readonly valuesMax?: number;
  readonly clock?: Clock;
}

/** A message: with a value, or without when there is none any more. */
interface Said<T> {
  readonly value?: T;
}

interface Kept<T> {
  readonly value: T;
  readonly atMs: number;
}

/** Values of one kind in one room. One person has one value, whichever of their tabs said it last. */
export class LiveValues<T> {
  readonly #own: Throttled<Said<T>>;
  readonly #kept = new Map<string, Kept<T>>();
  readonly #emitter = new Emitter<{ change: [] }>();
  readonly #expireMs: number;
  readonly #valuesMax: number;
  readonly #clock: Clock;
  readonly #offs: readonly Unsubscribe[];
  #values: ReadonlyMap<string, T> | undefined;
  #said = false;
  #closed = false;
  #stopTimer: Unsubscribe | undefined;

  constructor(room: AnyRoom, event: string, options: LiveValuesOptions) {
    checkRoom(room);
    require(typeof event === "string", "event", "a string");
    require(isMap(options), "options", "an object");
    const { intervalMs = 50, expireMs = 30_000, valuesMax = 1_000, clock = systemClock } = options;
    this.#expireMs = positive("expireMs", expireMs);
    this.#valuesMax = positive("valuesMax", valuesMax);
    this.#clock = clock;
    // A value that could not be sent is made good by the next one; the last one expires.
    const send = (said: Said<T>) => room.broadcast(event, said).catch(() => {});
    this.#own = new Throttled(send, { intervalMs, clock });
    this.#offs = [
      room.onMessage<Said<T> | null>(event, (said, key) => this.#heard(said, key)),
      room.on("leave", ({ key }) => this.#forget([key])),
      room.on("leaving", () => this.close()),
    ];
  }

  /** By key, of the others, and of one's own other tabs. The same map until something is different. */
  get values(): ReadonlyMap<string, T> {
    this.#values ??= new Map(Array.from(this.#kept, ([key, { value }]) => [key, value] as const));
    return this.#values;
  }

  /** Called when `values` is another map. */
  onChange(listener: () => void): Unsubscribe {
    return this.#emitter.on("change", listener);
  }

  /** One's own value: sent at once after a quiet interval, then the last of each. */
  set(value: T): void {
    if (this.#closed) return;
    this.#said = true;
    this.#own.set({ value });
  }

  /** There is no value any more: the pointer left the page. Told at once. */
  clear(): void {
    if (!this.#said || this.#closed) return;
    this.#said = false;
    this.#own.set({});
    this.#own.flush();
  }

  /** Takes one's own value back, and hears no more. Leaving the room does so too. */
  close(): void {
    if (this.#closed) return;
    this.clear();
    this.#closed = true;
    for (const off of this.#offs) off();
    this.#stopTimer?.();
    this.#forget([...this.#kept.keys()]);
    this.#emitter.clear();
  }

  #heard(said: Said<T> | null, key: string): void {
    if (typeof said !== "object" || said === null) return;
    if (!("value" in said)) {
      this.#forget([key]);
      return;
    }
    // Deleted first, so that the order is that of the last time.
    this.#kept.delete(key);
    this.#kept.set(key, { value: said.value as T, atMs: this.#clock.now() });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#valuesMax) this.#kept.delete(oldest!);
    this.#changed();
    this.#schedule();
  }

  #forget(keys: readonly string[]): void {
    const some = keys.map((key) => this.#kept.delete(key)).includes(true);
    if (some) this.#changed();
  }

  #schedule(): void {
    const [first] = this.#kept.values();
    if (first === undefined || this.#stopTimer !== undefined || this.#closed) return;
    const waitMs = Math.max(0, first.atMs + this.#expireMs - this.#clock.now());
    this.#stopTimer = this.#clock.after(waitMs, () => {
      this.#stopTimer = undefined;
      const untilMs = this.#clock.now() - this.#expireMs;
      const over = [...this.#kept].filter(([, { atMs }]) => atMs <= untilMs);
      this.#forget(over.map(([key]) => key));
      this.#schedule();
    });
  }

  #changed(): void {
    this.#values = undefined;
    this.#emitter.emit("change");
  }
}

/**
 * The last value of everybody in a room, sent as messages: it costs the cluster no state, and ends with whoever set it.
 *
 * @param event  names the values: `pointer`, for example; the same in all clients
 */
export function liveValues<T>(room: AnyRoom, event: string, options: LiveValuesOptions = {}): LiveValues<T> {
  return new LiveValues<T>(room, event, options);
}
