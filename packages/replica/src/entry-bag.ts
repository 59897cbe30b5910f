/** The entries of one session. Most hold one, and there may be very many sessions: a set is made only for the second. */
import type { Entry } from "./entry.ts";

export class EntryBag {
  private held: Entry | Set<Entry> | undefined = undefined;

  get size(): number {
    return this.held === undefined ? 0 : this.held instanceof Set ? this.held.size : 1;
  }

  /** The entry if it is the only one. */
  get only(): Entry | undefined {
    return this.held instanceof Set ? undefined : this.held;
  }

  add(entry: Entry): void {
    if (this.held === undefined) this.held = entry;
    else if (this.held instanceof Set) this.held.add(entry);
    else this.held = new Set([this.held, entry]);
  }

  /** Answers whether it was there. */
  delete(entry: Entry): boolean {
    if (this.held instanceof Set) return this.held.delete(entry);
    if (this.held !== entry) return false;
    this.held = undefined;
    return true;
  }

  /** Puts `after` in the place of `before`, which is there. */
  swap(before: Entry, after: Entry): void {
    if (this.held === before) this.held = after;
    else {
      this.delete(before);
      this.add(after);
    }
  }

  all(): Iterable<Entry> {
    return this.held === undefined ? [] : this.held instanceof Set ? this.held : [this.held];
  }
}
