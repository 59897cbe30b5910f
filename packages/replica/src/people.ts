/**
 * Who is on a topic, as people: a key counts once, however many entries it has.
 *
 * `watch` tells of entries, one for each connection. Most readers show people: bob comes with his first connection and goes
 * with his last. A connection that is lost with its node is usually back within seconds, at another node. So a person is
 * present while an entry of theirs is shown, and for `graceMs` after one was lost.
 *
 * Pure: the same changes and ticks give the same events.
 */
import type { Millis } from "./outbox.ts";
import type { Leave, LeaveReason, Meta, Presence, TopicChange, TopicDiff, Update } from "./presence.ts";

/** One person on a topic. */
export interface Person<M extends object = Meta> {
  readonly key: string;
  /** Their entries that are shown now; empty in the grace after the last one was lost. */
  readonly presences: readonly Presence<M>[];
}

/** Somebody comes, with these entries: at least one. */
export interface PersonJoin<M extends object = Meta> {
  readonly type: "join";
  readonly key: string;
  readonly presences: readonly Presence<M>[];
}

/** Somebody stays, and has other entries now: more, fewer, or with other metas. */
export interface PersonUpdate<M extends object = Meta> {
  readonly type: "update";
  readonly key: string;
  readonly joins: readonly Presence<M>[];
  readonly leaves: readonly Leave<M>[];
  readonly updates: readonly Update<M>[];
}

/** Somebody goes. `presence` is the last of their entries, as it was before it went. */
export interface PersonLeave<M extends object = Meta> {
  readonly type: "leave";
  readonly key: string;
  readonly presence: Presence<M>;
  readonly reason: LeaveReason;
}

/** What happened to one person. */
export type PersonEvent<M extends object = Meta> = PersonJoin<M> | PersonUpdate<M> | PersonLeave<M>;

/** The first thing that a listener is told: everybody who is there. */
export interface PeopleState<M extends object = Meta> {
  readonly type: "state";
  readonly topic: string;
  readonly number: number;
  readonly people: readonly Person<M>[];
}

/**
 * A change, numbered without holes: state `n` is followed by diffs `n + 1`, `n + 2` …
 *
 * A person whose last entry left and who has a new one in the same change is told as a leave and a join, in this order: a
 * client that shows what the old entry said must learn what the new one says.
 */
export interface PeopleDiff<M extends object = Meta> {
  readonly type: "diff";
  readonly topic: string;
  readonly number: number;
  readonly events: readonly PersonEvent<M>[];
}

/** What a listener of `watchPeople` is told: one state, then diffs. */
export type PeopleChange<M extends object = Meta> = PeopleState<M> | PeopleDiff<M>;

/** Told of everybody first, then of each change, exactly once and in order. */
export type PeopleListener<M extends object = Meta> = (change: PeopleChange<M>) => void;

interface Lost {
  readonly leave: Leave;
  /** When it no longer counts. Set by the first tick after the loss, since a change does not say when it was. */
  until: Millis | undefined;
}

interface Held {
  readonly key: string;
  /** Entries that are shown, by reference. */
  readonly shown: Map<string, Presence>;
  /** Lost entries that still count, by reference, oldest first. */
  readonly lost: Map<string, Lost>;
}

interface Change {
  readonly joins: Presence[];
  readonly leaves: Leave[];
  readonly updates: Update[];
}

export class PeopleView {
  private readonly graceMs: Millis;
  private readonly people = new Map<string, Held>();
  /** Those with lost entries that still count: a tick looks at nobody else. */
  private readonly waiting = new Set<Held>();

  constructor(graceMs: Millis) {
    this.graceMs = graceMs;
  }

  get size(): number {
    return this.people.size;
  }

  get(key: string): Person | undefined {
    const held = this.people.get(key);
    return held && personOf(held);
  }

  /** Everybody, in the order in which they came. Cost: O(answer). */
  list(): Person[] {
    return Array.from(this.people.values(), personOf);
  }

  /** Takes in what a watcher of the topic is told. Returns one event for each person, two for one who was replaced. Cost: O(change). */
  apply(change: TopicChange): PersonEvent[] {
    const events: PersonEvent[] = [];
    for (const [key, own] of changesByKey(change)) this.change(key, own, events);
    return events;
  }

  /** Ends the grace of entries that were lost for too long. Cost: O(people with lost entries). */
  tick(now: Millis): PersonEvent[] {
    const events: PersonEvent[] = [];
    for (const held of this.waiting) {
      let last: Leave | undefined;
      for (const [ref, lost] of held.lost) {
        lost.until ??= now + this.graceMs;
        if (lost.until > now) continue;
        held.lost.delete(ref);
        last = lost.leave;
      }
      if (held.lost.size === 0) this.waiting.delete(held);
      if (last !== undefined) this.settle(held, last, events);
    }
    return events;
  }

  /** When `tick` has something to do. */
  get nextDeadline(): Millis {
    let next = Number.POSITIVE_INFINITY;
    for (const { lost } of this.waiting) {
      for (const { until = Number.NEGATIVE_INFINITY } of lost.values()) next = Math.min(next, until);
    }
    return next;
  }

  private change(key: string, own: Change, events: PersonEvent[]): void {
    const held = this.people.get(key);
    if (held !== undefined) {
      for (const { before, after } of own.updates) {
        held.shown.delete(before.ref);
        held.shown.set(after.ref, after);
      }
      for (const leave of own.leaves) this.leave(held, leave);
      const last = own.leaves.at(-1);
      if (last === undefined || !this.settle(held, last, events)) {
        for (const presence of own.joins) this.join(held, presence);
        events.push({ type: "update", key, ...own });
        return;
      }
    }
    if (own.joins.length === 0) return;
    const shown = new Map(own.joins.map((presence) => [presence.ref, presence]));
    this.people.set(key, { key, shown, lost: new Map() });
    events.push({ type: "join", key, presences: own.joins });
  }

  private leave(held: Held, leave: Leave): void {
    const { presence, reason } = leave;
    held.shown.delete(presence.ref);
    if (this.graceMs === 0 || (reason !== "lost" && reason !== "evicted")) return;
    held.lost.set(presence.ref, { leave, until: undefined });
    this.waiting.add(held);
  }

  /** Makes one lost entry good: the same one, since its node is back, or the oldest, whose client has come elsewhere. */
  private join(held: Held, presence: Presence): void {
    held.shown.set(presence.ref, presence);
    const [oldest] = held.lost.keys();
    if (!held.lost.delete(presence.ref) && oldest !== undefined) held.lost.delete(oldest);
    if (held.lost.size === 0) this.waiting.delete(held);
  }

  /** Ends a person who has no entry left; returns true if it did. */
  private settle(held: Held, { presence, reason }: Leave, events: PersonEvent[]): boolean {
    if (held.shown.size > 0 || held.lost.size > 0) return false;
    this.people.delete(held.key);
    events.push({ type: "leave", key: held.key, presence, reason });
    return true;
  }
}

function changesByKey(change: TopicChange): Map<string, Change> {
  const changes = new Map<string, Change>();
  const of = (key: string) => {
    let own = changes.get(key);
    if (own === undefined) {
      own = { joins: [], leaves: [], updates: [] };
      changes.set(key, own);
    }
    return own;
  };
  if (change.type === "state") {
    for (const presence of change.presences) of(presence.key).joins.push(presence);
    return changes;
  }
  const { joins, leaves, updates }: TopicDiff = change;
  for (const leave of leaves) of(leave.presence.key).leaves.push(leave);
  for (const update of updates) of(update.after.key).updates.push(update);
  for (const presence of joins) of(presence.key).joins.push(presence);
  return changes;
}

function personOf({ key, shown }: Held): Person {
  return { key, presences: [...shown.values()] };
}
