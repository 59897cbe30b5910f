/**
 * The entries of one session. Most hold one, and there may be very many sessions: a set is made only for the second, and
 * what is held lies in the session itself, since each object more is one more for the collector to carry about.
 */
import type { Entry } from "./entry.ts";

/** Whatever holds entries. */
export interface EntryHolder {
  held: Entry | Set<Entry> | undefined;
}

export function heldCount({ held }: EntryHolder): number {
  return held === undefined ? 0 : held instanceof Set ? held.size : 1;
}

export function addHeld(holder: EntryHolder, entry: Entry): void {
  const { held } = holder;
  if (held === undefined) holder.held = entry;
  else if (held instanceof Set) held.add(entry);
  else holder.held = new Set([held, entry]);
}

/** Answers whether it was there. */
export function deleteHeld(holder: EntryHolder, entry: Entry): boolean {
  const { held } = holder;
  if (held instanceof Set) return held.delete(entry);
  if (held !== entry) return false;
  holder.held = undefined;
  return true;
}

/** Puts `after` in the place of `before`, which is there. */
export function swapHeld(holder: EntryHolder, before: Entry, after: Entry): void {
  const { held } = holder;
  if (held instanceof Set) {
    held.delete(before);
    held.add(after);
  } else holder.held = after;
}

export function allHeld({ held }: EntryHolder): Iterable<Entry> {
  return held === undefined ? [] : held instanceof Set ? held : [held];
}
