/** Who is typing. */

import { isMap, positive, require } from "./arguments.ts";
import type { Clock } from "./clock.ts";
import type { Unsubscribe } from "./emitter.ts";
import { LiveValues } from "./live-values.ts";
import type { AnyRoom } from "./room.ts";

/** Which text is meant, and when somebody counts as having stopped. */
export interface TypingOptions {
  /** Names what is typed into, where a room has several. Default `typing`; the same in all clients. */
  readonly event?: string;
  /** Who touched no key for so long types no more. Default 4,000 ms. Clients say so twice in it while they type. */
  readonly expireMs?: number;
  /** People who are kept as typing; the oldest gives way. Default 1,000. */
  readonly valuesMax?: number;
  readonly clock?: Clock;
}

/** Who types in a room, and how this client says that it does; what `typing` gives. */
export interface Typing {
  /** A key was touched. */
  touch(): void;
  /** The text was sent, or given up: told at once. */
  stop(): void;
  /** The keys of the others who type. The same array until it changes. */
  readonly keys: readonly string[];
  onChange(listener: () => void): Unsubscribe;
  /** Ends it. Leaving the room does so too. */
  close(): void;
}

/** Tells who types, and that one does. Expires by itself: at those who see it, so also when a connection breaks. */
export function typing(room: AnyRoom, given: TypingOptions = {}): Typing {
  require(isMap(given), "options", "an object");
  const { event = "typing", expireMs = 4_000, ...options } = given;
  const intervalMs = positive("expireMs", expireMs) / 2;
  const live = new LiveValues<true>(room, event, { intervalMs, expireMs, ...options });
  let shown: { readonly of: ReadonlyMap<string, true>; readonly keys: readonly string[] } | undefined;
  return {
    touch: () => live.set(true),
    stop: () => live.clear(),
    get keys() {
      const of = live.values;
      if (shown?.of !== of) shown = { of, keys: Object.freeze([...of.keys()].sort()) };
      return shown.keys;
    },
    onChange: (listener) => live.onChange(listener),
    close: () => live.close(),
  };
}
