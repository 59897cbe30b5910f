/** The messages that tell the subscribers of a channel who came and who went. */
import type { IdAndValue } from "./presence-value.ts";
import { isMap } from "./request.ts";

/** Ids that came, with their values, or ids that went, with null. */
export interface PresenceEvent {
  readonly type: "subscribe" | "unsubscribe";
  readonly entries: readonly IdAndValue[];
}

/**
 * The data of the message. Faye copies what is published with an assignment for each name, and so loses the name
 * `__proto__`: an event with this id travels as a list of pairs, which `restore` makes a map of at the very end.
 */
export function dataOf({ type, entries }: PresenceEvent): Readonly<Record<string, unknown>> {
  const isFragile = entries.some(([id]) => id === "__proto__");
  return { [type]: isFragile ? entries : Object.fromEntries(entries) };
}

/** Undoes what `dataOf` did for the copying; undefined if the data is nothing of the kind. */
export function restore(data: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isMap(data)) return undefined;
  for (const type of ["subscribe", "unsubscribe"] as const) {
    const entries = data[type];
    if (Array.isArray(entries)) return { [type]: Object.fromEntries(entries as [string, unknown][]) };
  }
  return undefined;
}

/** Whether a message looks like one of ours, for clients of the channel. */
export function looksLikeEvent(data: unknown): boolean {
  return isMap(data) && (Object.hasOwn(data, "subscribe") || Object.hasOwn(data, "unsubscribe"));
}

/** The events of several ids, with at most so many ids in each; the order is kept. */
export function* inPortions(
  type: PresenceEvent["type"],
  entries: readonly IdAndValue[],
  idsMax: number,
): Iterable<PresenceEvent> {
  for (let start = 0; start < entries.length; start += idsMax)
    yield { type, entries: entries.slice(start, start + idsMax) };
}
