/**
 * Entries whose sessions have dropped without leaving. Each waits for its identity, a key on a topic, to come back on any
 * node; the entry that does so takes its place.
 *
 * Which entries of other replicas linger is hearsay: a note that is missed makes a coming back show as a join beside the
 * old entry, until the owner sees it and lets go of that. Nothing else depends on it.
 */
import type { EventNumber, ReplicaId } from "@presently/crdt";
import type { Entry } from "./entry.ts";

/** Entries of one replica that are said to linger before they have come here. What is more is not waited for. */
const AWAITED_MAX = 10_000;

export class Lingering {
  private readonly byIdentity = new Map<string, Set<Entry>>();
  private readonly awaited = new Map<ReplicaId, Set<EventNumber>>();
  /** Entries that linger. */
  size = 0;

  /** Whether there is anything to look for: nothing here costs anybody anything otherwise. */
  get active(): boolean {
    return this.size > 0 || this.awaited.size > 0;
  }

  add(entry: Entry): void {
    const identity = identityOf(entry.topic, entry.key);
    let entries = this.byIdentity.get(identity);
    if (entries === undefined) {
      entries = new Set();
      this.byIdentity.set(identity, entries);
    }
    if (entries.has(entry)) return;
    entries.add(entry);
    this.size++;
  }

  /** The entry is gone, lingering or not. */
  delete(entry: Entry): void {
    const identity = identityOf(entry.topic, entry.key);
    const entries = this.byIdentity.get(identity);
    if (!entries?.delete(entry)) return;
    this.size--;
    if (entries.size === 0) this.byIdentity.delete(identity);
  }

  /** The entry of this identity that has lingered longest. */
  first(topic: string, key: string): Entry | undefined {
    if (this.size === 0) return undefined;
    for (const entry of this.byIdentity.get(identityOf(topic, key)) ?? []) return entry;
    return undefined;
  }

  /** The entry of this identity that one replica holds, that is shown, and that has lingered longest. */
  firstOf(replica: ReplicaId, topic: string, key: string): Entry | undefined {
    for (const entry of this.byIdentity.get(identityOf(topic, key)) ?? [])
      if (entry.replica === replica && entry.shown) return entry;
    return undefined;
  }

  /** An entry that has not come here yet is said to linger. */
  expect(replica: ReplicaId, number: EventNumber): void {
    let numbers = this.awaited.get(replica);
    if (numbers === undefined) {
      numbers = new Set();
      this.awaited.set(replica, numbers);
    }
    if (numbers.size < AWAITED_MAX) numbers.add(number);
  }

  /** An entry of another replica has come: it may be one that is said to linger. */
  arrived(entry: Entry): void {
    const numbers = this.awaited.get(entry.replica);
    if (!numbers?.delete(entry.number)) return;
    if (numbers.size === 0) this.awaited.delete(entry.replica);
    this.add(entry);
  }

  /** What was awaited of a replica is not any more: its events have come up to there without it, or it is forgotten. */
  forget(replica: ReplicaId, upTo: EventNumber): void {
    const numbers = this.awaited.get(replica);
    if (numbers === undefined) return;
    for (const number of numbers) if (number <= upTo) numbers.delete(number);
    if (numbers.size === 0) this.awaited.delete(replica);
  }
}

function identityOf(topic: string, key: string): string {
  return `${topic.length}:${topic}${key}`;
}
