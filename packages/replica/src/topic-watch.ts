/** The watchers of one topic, and the changes that they have not been told of yet. */
import type { Entry, Predecessor } from "./entry.ts";
import type { Leave, LeaveReason, TopicDiff, Update, Watcher } from "./presence.ts";

/** One watcher's place in the queue: `active` turns false when it unsubscribes, even in the middle of a delivery. */
export interface Subscription {
  readonly watcher: Watcher;
  active: boolean;
}

const NONE: readonly never[] = Object.freeze([]);

export class TopicWatch {
  readonly topic: string;
  /** Number of the last diff that was made. */
  number = 0;
  /** Replaced, never changed in place: a diff is delivered to those who watched when it was made. */
  subscriptions: readonly Subscription[] = [];
  private readonly added = new Set<Entry>();
  private readonly gone = new Map<Entry, LeaveReason>();
  private readonly successors = new Map<Entry, Entry>();

  constructor(topic: string) {
    this.topic = topic;
  }

  get dirty(): boolean {
    return this.added.size > 0 || this.gone.size > 0;
  }

  /** What comes back within one change was never away, and what came and went within one was never there. */
  show(entry: Entry): void {
    if (!this.gone.delete(entry)) this.added.add(entry);
  }

  hide(entry: Entry, reason: LeaveReason): void {
    if (!this.added.delete(entry)) this.gone.set(entry, reason);
  }

  /** `after` takes the place of `before` for reasons that the two entries do not tell by themselves. */
  pair(before: Entry, after: Entry): void {
    this.successors.set(before, after);
  }

  /** The net change since the last call, with the next number; undefined if there is none. Cost: O(change). */
  takeDiff(): TopicDiff | undefined {
    if (!this.dirty) {
      this.successors.clear();
      return undefined;
    }
    const updates = this.gone.size > 0 && this.added.size > 0 ? this.takeUpdates() : NONE;
    const leaves = this.gone.size > 0 ? this.takeLeaves() : NONE;
    const joins =
      this.added.size > 0 ? Object.freeze(Array.from(this.added, ({ presence }) => presence)) : NONE;
    this.added.clear();
    this.successors.clear();
    const number = ++this.number;
    // All watchers are told the same one: nothing that one of them does changes what the next one sees.
    return Object.freeze({ type: "diff", topic: this.topic, number, joins, leaves, updates });
  }

  private takeLeaves(): readonly Leave[] {
    const leaves = Array.from(this.gone, ([{ presence }, reason]) => Object.freeze({ presence, reason }));
    this.gone.clear();
    return Object.freeze(leaves);
  }

  private takeUpdates(): readonly Update[] {
    const updates: Update[] = [];
    const pair = (before: Entry, after: Entry | undefined) => {
      if (after === undefined || !this.added.delete(after)) return;
      this.gone.delete(before);
      updates.push(Object.freeze({ before: before.presence, after: after.presence }));
    };
    // What was said comes first: of two entries of one lineage it may be the other one that follows by itself.
    if (this.successors.size > 0)
      for (const before of this.gone.keys()) pair(before, this.lastSuccessorOf(before));
    const afterByLineage = new Map<string, Entry>();
    for (const entry of this.added) {
      afterByLineage.set(lineageOf(entry), entry);
      // It may come into sight with the same change that took the one whose place it has: a replica is up again.
      const inherited = entry.heirOf && lineageOf(entry.heirOf);
      if (inherited !== undefined && !afterByLineage.has(inherited)) afterByLineage.set(inherited, entry);
    }
    for (const before of this.gone.keys()) {
      // Who took its place may be gone again, while one that follows it by itself has come.
      const last = this.lastSuccessorOf(before);
      pair(before, afterByLineage.get(lineageOf(last)) ?? afterByLineage.get(lineageOf(before)));
    }
    return Object.freeze(updates);
  }

  /** What has taken an entry's place may have been replaced itself within the same change. */
  private lastSuccessorOf(entry: Entry): Entry {
    let last = entry;
    for (let steps = this.successors.size; steps > 0; steps--) {
      const next = this.successors.get(last);
      if (next === undefined) break;
      last = next;
    }
    return last;
  }
}

function lineageOf({ root, replica }: Predecessor): string {
  return `${root} ${replica}`;
}
