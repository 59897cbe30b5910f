/** Hashes: a register and counter for each field. */
import { itemOf } from "./item.ts";
import type { KeyStore } from "./store.ts";
import { addTo } from "./strings.ts";

/** Sets a field; answers whether it is new, as it is seen here. */
export function setField(
  store: KeyStore,
  key: string,
  field: string,
  value: string,
  options: { readonly bound?: boolean } = {},
): boolean {
  const slot = store.write(key, "hash", [field, value])?.fields.get(field);
  const isNew = slot?.text(store.isAlive) === undefined;
  const hidden = store.table.get(key)?.fields.get(field);
  const { bound = false } = options;
  const since = store.since(key, "rest");
  store.put(itemOf("field", key, { field, value, stamp: store.stamp(), since, bound }), hidden?.items ?? []);
  return isNew;
}

/** Adds to the integer in a field, which is 0 if it is missing; answers the sum as it is seen here. */
export function incrementField(store: KeyStore, key: string, field: string, by: number): number {
  const slot = store.write(key, "hash", [field])?.fields.get(field);
  return addTo(store, slot, by, key, "fieldCount", field);
}

/** The text of a field; undefined if it is missing. */
export function getField(store: KeyStore, key: string, field: string): string | undefined {
  return store.read(key, "hash")?.fields.get(field)?.text(store.isAlive);
}

/** The fields that show, with their texts. Cost: O(fields). */
export function* fieldsOf(store: KeyStore, key: string): Iterable<[string, string]> {
  for (const [field, slot] of store.read(key, "hash")?.fields ?? []) {
    const text = slot.text(store.isAlive);
    if (text !== undefined) yield [field, text];
  }
}

/** Removes a field; answers whether it was there, as it is seen here. */
export function deleteField(store: KeyStore, key: string, field: string): boolean {
  const slot = store.read(key, "hash")?.fields.get(field);
  if (slot === undefined) return false;
  const existed = slot.text(store.isAlive) !== undefined;
  store.remove(slot.items);
  store.tidy(key);
  return existed;
}
