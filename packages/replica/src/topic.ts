/** A topic with at least one entry: who is shown on it, in the order in which their keys appeared. */
import { Entry } from "./entry.ts";
import type { Presence } from "./presence.ts";

/** The entries of one key on one topic where it has several, which few have: they share one place. */
export class Group {
  readonly home: Topic;
  place: number;
  readonly entries: Entry[];

  constructor(home: Topic, place: number, entries: Entry[]) {
    this.home = home;
    this.place = place;
    this.entries = entries;
  }
}

/** All that is shown of one key on one topic. */
export type Held = Entry | Group;

/** Gaps in the line that are not worth closing. */
const GAPS_MIN = 32;

export class Topic {
  readonly name: string;
  /** One place for each key; a gap where one is gone, so that the others keep their order and places. */
  private line: (Held | undefined)[] = [];
  private gaps = 0;
  private groups = 0;
  private count = 0;

  constructor(name: string) {
    this.name = name;
  }

  get entries(): number {
    return this.count;
  }

  get keys(): number {
    return this.line.length - this.gaps;
  }

  /** The presences, key by key, in an array of the caller's own. Cost: O(answer). */
  list(): Presence[] {
    const presences = new Array<Presence>(this.count);
    let next = 0;
    // To tell entries from groups is to look at each of them, which is what costs time where there are many.
    const single = this.groups === 0;
    for (const held of this.line) {
      if (held === undefined) continue;
      if (single || held instanceof Entry) presences[next++] = (held as Entry).presence;
      else for (const entry of held.entries) presences[next++] = entry.presence;
    }
    return presences;
  }

  /** Gives a new key's entry a place. Cost: O(1), as for all that follow, or O(entries of the key) where it has several. */
  add(entry: Entry): void {
    entry.home = this;
    entry.place = this.line.length;
    this.line.push(entry);
    this.count++;
  }

  /** Adds another entry to what its key has; answers what it has now. */
  addTo(held: Held, entry: Entry): Group {
    entry.home = this;
    entry.place = held.place;
    this.count++;
    if (held instanceof Group) {
      held.entries.push(entry);
      return held;
    }
    const group = new Group(this, held.place, [held, entry]);
    this.line[held.place] = group;
    this.groups++;
    return group;
  }

  /** Takes an entry away; answers what its key has left. */
  remove(entry: Entry): Held | undefined {
    const held = this.line[entry.place]!;
    entry.home = undefined;
    this.count--;
    if (held instanceof Entry) {
      this.leaveGap(entry.place);
      return undefined;
    }
    held.entries.splice(held.entries.indexOf(entry), 1);
    if (held.entries.length > 1) return held;
    const [last] = held.entries;
    this.line[held.place] = last;
    this.groups--;
    return last;
  }

  /** Puts `after` in the very place of `before`, of the same key; answers what the key has now. */
  swap(before: Entry, after: Entry): Held {
    const held = this.line[before.place]!;
    after.place = before.place;
    after.home = this;
    before.home = undefined;
    if (held instanceof Group) {
      held.entries[held.entries.indexOf(before)] = after;
      return held;
    }
    this.line[after.place] = after;
    return after;
  }

  private leaveGap(place: number): void {
    this.line[place] = undefined;
    this.gaps++;
    if (this.gaps > GAPS_MIN && this.gaps * 2 > this.line.length) this.closeGaps();
  }

  /** Half of the line is gaps: as many entries have left since the last time as there are to be moved. */
  private closeGaps(): void {
    const line: Held[] = [];
    for (const held of this.line) {
      if (held === undefined) continue;
      if (held instanceof Group) for (const entry of held.entries) entry.place = line.length;
      held.place = line.length;
      line.push(held);
    }
    this.line = line;
    this.gaps = 0;
  }
}
