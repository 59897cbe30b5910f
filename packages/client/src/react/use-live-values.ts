/** Pointers and typing, in a component. */
import { useCallback, useSyncExternalStore } from "react";
import { isMap, require } from "../arguments.ts";
import { type LiveValuesOptions, liveValues, type TypingOptions, typing } from "../index.ts";
import { useInRoom } from "./use-room.ts";

const NO_VALUES: ReadonlyMap<string, never> = new Map<string, never>();
const NO_KEYS: readonly string[] = Object.freeze([]);
const nothing = () => {};

/** The values of the others, and how to set or take back one's own; nothing is sent while the room is not there. */
export interface UseLiveValues<T> {
  /** Of the others, by key. */
  readonly values: ReadonlyMap<string, T>;
  readonly set: (value: T) => void;
  readonly clear: () => void;
}

/** Last values of a room while the component is mounted, as `liveValues`. */
export function useLiveValues<T>(
  topic: string,
  event: string,
  options: LiveValuesOptions = {},
): UseLiveValues<T> {
  require(typeof event === "string", "event", "a string");
  require(isMap(options), "options", "an object");
  const { intervalMs, expireMs, valuesMax } = options;
  const live = useInRoom(
    topic,
    (room) => liveValues<T>(room, event, options),
    JSON.stringify([event, intervalMs, expireMs, valuesMax]),
  );
  const subscribe = useCallback((changed: () => void) => live?.onChange(changed) ?? nothing, [live]);
  const values = useSyncExternalStore(
    subscribe,
    () => live?.values ?? NO_VALUES,
    () => NO_VALUES,
  );
  const set = useCallback((value: T) => live?.set(value), [live]);
  const clear = useCallback(() => live?.clear(), [live]);
  return { values, set, clear };
}

/** Who else types, and how to say that one types or has stopped. */
export interface UseTyping {
  /** The keys of the others who type. */
  readonly keys: readonly string[];
  readonly touch: () => void;
  readonly stop: () => void;
}

/** Who types in a room while the component is mounted, as `typing`. */
export function useTyping(topic: string, options: TypingOptions = {}): UseTyping {
  require(isMap(options), "options", "an object");
  const { event, expireMs, valuesMax } = options;
  const live = useInRoom(
    topic,
    (room) => typing(room, options),
    JSON.stringify([event, expireMs, valuesMax]),
  );
  const subscribe = useCallback((changed: () => void) => live?.onChange(changed) ?? nothing, [live]);
  const keys = useSyncExternalStore(
    subscribe,
    () => live?.keys ?? NO_KEYS,
    () => NO_KEYS,
  );
  const touch = useCallback(() => live?.touch(), [live]);
  const stop = useCallback(() => live?.stop(), [live]);
  return { keys, touch, stop };
}
