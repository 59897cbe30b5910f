/** Sets: a concurrent add wins over a remove. */
import type { ReplicaId } from "presently";
import { itemOf } from "./item.ts";
import { shows } from "./key-state.ts";
import type { KeyStore } from "./store.ts";

/** Adds members; answers how many are new, as it is seen here. */
export function addMembers(
  store: KeyStore,
  key: string,
  members: readonly string[],
  options: { readonly bound?: boolean } = {},
): number {
  const { bound = false } = options;
  let added = 0;
  store.write(key, "set", members);
  const since = store.since(key, "rest");
  for (const member of members) {
    const before = store.table.get(key)?.members.get(member) ?? [];
    if (!shows(before, store.isAlive)) added++;
    // A new fact even for a member that is there: a remove that is under way must not take back this add.
    store.put(itemOf("member", key, { field: member, since, bound }), bound ? ownOf(store, before) : before);
  }
  return added;
}

/** Removes members; answers how many were there, as it is seen here. */
export function removeMembers(store: KeyStore, key: string, members: readonly string[]): number {
  const state = store.read(key, "set");
  let removed = 0;
  for (const member of members) {
    const items = state?.members.get(member);
    if (items === undefined) continue;
    if (shows(items, store.isAlive)) removed++;
    store.remove(items);
  }
  store.tidy(key);
  return removed;
}

/** Whether a text is a member. Cost: O(1). */
export function hasMember(store: KeyStore, key: string, member: string): boolean {
  const items = store.read(key, "set")?.members.get(member);
  return items !== undefined && shows(items, store.isAlive);
}

/** The members that show, in the order in which they are known here. Cost: O(members). */
export function* membersOf(store: KeyStore, key: string): Iterable<string> {
  for (const [member, items] of store.read(key, "set")?.members ?? [])
    if (shows(items, store.isAlive)) yield member;
}

/** Members that stand for several processes keep one fact for each. */
function ownOf<T extends { readonly origin: ReplicaId }>(store: KeyStore, items: readonly T[]): T[] {
  return items.filter(({ origin }) => origin === store.set.replica);
}
