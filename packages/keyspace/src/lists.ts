/** Lists: elements by position. One replica at a time owns a list and gives out the positions; see `Keyspace`. */
import { LimitError } from "presently";
import { itemOf } from "./item.ts";
import type { KeyStore } from "./store.ts";

/** The end of a list. */
export type ListEnd = "head" | "tail";

/** Pushes texts one after the other to an end of a list; answers its new length. All or none: see `LimitError`. */
export function pushElements(store: KeyStore, key: string, end: ListEnd, values: readonly string[]): number {
  const before = store.write(key, "list", values)?.elements ?? [];
  const { listLengthMax } = store.settings;
  if (before.length + values.length > listLengthMax)
    throw new LimitError("listLengthMax", listLengthMax, "the list is full");
  const step = end === "tail" ? 1 : -1;
  const since = store.since(key, "rest");
  let position = (end === "tail" ? before.at(-1) : before[0])?.item.number ?? 0;
  for (const value of values) {
    position += step;
    store.put(itemOf("element", key, { value, number: position, stamp: store.stamp(), since }));
  }
  return store.table.get(key)?.elements.length ?? 0;
}

/** Takes the element at an end of a list; undefined if there is none. */
export function popElement(store: KeyStore, key: string, end: ListEnd): string | undefined {
  const elements = store.read(key, "list")?.elements;
  const taken = end === "tail" ? elements?.at(-1) : elements?.[0];
  if (taken === undefined) return undefined;
  store.remove([taken]);
  store.tidy(key);
  return taken.item.value;
}

/** The elements from first to last. */
export function elementsOf(store: KeyStore, key: string): string[] {
  return store.read(key, "list")?.elements.map(({ item }) => item.value) ?? [];
}
