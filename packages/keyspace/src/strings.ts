/** Strings and counters. */
import { NotAnIntegerError } from "./errors.ts";
import { itemOf, type PlacedItem } from "./item.ts";
import { integerOf, type Slot } from "./slot.ts";
import type { KeyStore } from "./store.ts";

/** How to write a register. */
export interface WriteOptions {
  /** Milliseconds after which the key expires; by default it does not, and an expiry that it had is cancelled. */
  readonly ttlMs?: number;
  /** Lets the value stand for this process: it is seen while this replica is up, and gone when that is gone. */
  readonly bound?: boolean;
}

/** Sets a key to a text, whatever it held before. */
export function setText(store: KeyStore, key: string, value: string, options: WriteOptions = {}): void {
  store.check(key, [value]);
  const before = [...(store.table.get(key)?.items() ?? [])];
  const { ttlMs, bound = false } = options;
  const stamp = store.stamp();
  store.put(itemOf("string", key, { value, stamp, bound }));
  // Of one stamp with the text: whatever wins over the text wins over its expiry.
  if (ttlMs !== undefined && Number.isFinite(ttlMs))
    store.put(itemOf("expiry", key, { number: Math.max(ttlMs, 0), stamp }));
  store.remove(before);
}

/** The text of a key, a counter's included; undefined if it is missing. */
export function getText(store: KeyStore, key: string): string | undefined {
  return store.read(key, "string")?.text.text(store.isAlive);
}

/** Adds to the integer that a key holds, which is 0 if it is missing; answers the sum as it is seen here. */
export function increment(store: KeyStore, key: string, by: number): number {
  const slot = store.write(key, "string", [])?.text;
  return addTo(store, slot, by, key, "count", "");
}

/** Adds to a slot: to what this replica has added before, so that each replica has one count for each slot. */
export function addTo(
  store: KeyStore,
  slot: Slot | undefined,
  by: number,
  key: string,
  kind: "count" | "fieldCount",
  field: string,
): number {
  const text = slot?.text(store.isAlive);
  const before = text === undefined ? 0 : integerOf(text);
  if (before === undefined) throw new NotAnIntegerError(key, "is not an integer");
  if (!Number.isSafeInteger(by))
    throw new NotAnIntegerError(key, `cannot be changed by ${String(by)}, which is not an integer`);
  const sum = before + by;
  const own = slot?.counts.find(({ origin }) => origin === store.set.replica);
  const amount = (own?.item.number ?? 0) + by;
  if (!Number.isSafeInteger(sum) || !Number.isSafeInteger(amount))
    throw new NotAnIntegerError(key, `would leave the integers from -2^53 to 2^53`);
  const since = store.since(key, kind === "count" ? "text" : "rest");
  const item = itemOf(kind, key, { field, number: amount, since });
  if (own === undefined) store.put(item);
  else store.exchange(own as PlacedItem, item);
  return sum;
}
