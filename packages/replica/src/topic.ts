/** A topic with at least one entry: who is shown on it, in the order in which their keys appeared. */
import { Entry } from "./entry.ts";
import type { Presence } from "./presence.ts";

/**
 * The entries of one key on one topic where it has several: they share one place. A key may have very many, as one that
 * all guests share, so each entry knows where it lies: adding, removing and swapping one cost O(1).
 */
export class Group {
  readonly home: Topic;
  place: number;
  /** In the order in which they came; a gap where one is gone. */
  private slots: (Entry | undefined)[] = [];
  private gaps = 0;

  constructor(home: Topic, place: number) {
    this.home = home;
    this.place = place;
  }

  get size(): number {
    return this.slots.length - this.gaps;
  }

  /** Cost: O(entries), as of `find`. */
  *entries(): Generator<Entry> {
    for (const entry of this.slots) if (entry !== undefined) yield entry;
  }

  find(test: (entry: Entry) => boolean): Entry | undefined {
    for (const entry of this.slots) if (entry !== undefined && test(entry)) return entry;
    return undefined;
  }

  /** Writes the presences to the answer from `next` on; returns where they end. */
  writeTo(answer: Presence[], next: number): number {
    for (const entry of this.slots) if (entry !== undefined) answer[next++] = entry.presence;
    return next;
  }

  add(entry: Entry): void {
    entry.home = this;
    entry.place = this.slots.length;
    this.slots.push(entry);
  }

  swap(before: Entry, after: Entry): void {
    after.home = this;
    after.place = before.place;
    this.slots[before.place] = after;
  }

  remove(entry: Entry): void {
    this.slots[entry.place] = undefined;
    this.gaps++;
    if (this.gaps <= GAPS_MIN || this.gaps * 2 <= this.slots.length) return;
    this.slots = [...this.entries()];
    this.gaps = 0;
    for (const [place, left] of this.slots.entries()) left!.place = place;
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
      else next = held.writeTo(presences, next);
    }
    return presences;
  }

  /** As `list`, as they are now, with presences that are made as they are read. */
  read(): Iterable<Presence> {
    const held = this.line.filter((one) => one !== undefined);
    if (this.groups === 0) return presencesOf(held as Entry[]);
    return presencesOf(held.flatMap((one) => (one instanceof Group ? [...one.entries()] : one)));
  }

  /** Gives a new key's entry a place. Cost: O(1), as for all that follow. */
  add(entry: Entry): void {
    entry.home = this;
    entry.place = this.line.length;
    this.line.push(entry);
    this.count++;
  }

  /** Adds another entry to what its key has; answers what it has now. */
  addTo(held: Held, entry: Entry): Group {
    this.count++;
    if (held instanceof Group) {
      held.add(entry);
      return held;
    }
    const group = new Group(this, held.place);
    this.line[held.place] = group;
    this.groups++;
    group.add(held);
    group.add(entry);
    return group;
  }

  /** Takes an entry away; answers what its key has left. */
  remove(entry: Entry): Held | undefined {
    const group = entry.home;
    entry.home = undefined;
    this.count--;
    if (!(group instanceof Group)) {
      this.leaveGap(entry.place);
      return undefined;
    }
    group.remove(entry);
    if (group.size > 1) return group;
    const [last] = group.entries() as Iterable<Entry>;
    last!.home = this;
    last!.place = group.place;
    this.line[group.place] = last;
    this.groups--;
    return last;
  }

  /** Puts `after` in the very place of `before`, of the same key; answers what the key has now. */
  swap(before: Entry, after: Entry): Held {
    const group = before.home;
    before.home = undefined;
    if (group instanceof Group) {
      group.swap(before, after);
      return group;
    }
    after.place = before.place;
    after.home = this;
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
      held.place = line.length;
      line.push(held);
    }
    this.line = line;
    this.gaps = 0;
  }
}

function* presencesOf(entries: readonly Entry[]): Generator<Presence> {
  for (const entry of entries) yield entry.presence;
}
