/** What a replica holds, and what of it readers see: the set, the sessions that feed it, and the roster that follows from it. */
import { type Entries, type EventNumber, ObservedRemoveSet, type ReplicaId } from "@presently/crdt";
import type { Counters } from "./counters.ts";
import type { Entry } from "./entry.ts";
import { Lingering } from "./lingering.ts";
import { LocalPresences, REMOVES_PER_EVENT } from "./local-presences.ts";
import { Marks } from "./marks.ts";
import type { Notice } from "./notice.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis } from "./outbox.ts";
import { PeopleWatches } from "./people-watches.ts";
import type { LeaveReason } from "./presence.ts";
import { Roster } from "./roster.ts";
import { Succession } from "./succession.ts";
import { Sweeps } from "./sweeps.ts";

export interface ContentListener {
  /** Whether the entries of this replica are to be seen. */
  counted(replica: ReplicaId): boolean;
  /** Local changes wait to be sent; about so many bytes. */
  changed(bytes: number): void;
  /** Time has something to do here soon. */
  wake(): void;
  notice(notice: Notice): void;
}

export class Content {
  set: ObservedRemoveSet<Entry>;
  readonly roster: Roster;
  readonly people: PeopleWatches;
  readonly locals: LocalPresences;
  readonly marks = new Marks<Entry>();
  private readonly lingering = new Lingering();
  private readonly succession: Succession;
  private readonly sweeps: Sweeps;
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly listener: ContentListener;
  /** Own entries that a full state took: they come back at the end of the change. */
  private readonly dropped: Entry[] = [];
  /** Own entries that somebody removed: their sessions are told after the change. */
  private readonly kicked: Entry[] = [];

  constructor(id: ReplicaId, settings: ReplicaSettings, counters: Counters, listener: ContentListener) {
    this.settings = settings;
    this.counters = counters;
    this.listener = listener;
    this.roster = new Roster(settings, {
      failed: (error, topic) => this.listenerFailed(error, { topic }),
      wake: () => listener.wake(),
      told: () => void counters.diffsTold++,
    });
    this.people = new PeopleWatches({
      watch: (topic, watcher) => this.roster.watch(topic, watcher),
      wake: () => listener.wake(),
      failed: (error, topic) => this.listenerFailed(error, { topic }),
    });
    this.sweeps = new Sweeps(settings.sweepEntriesMax, () => listener.wake());
    this.set = this.newSet(id);
    this.succession = new Succession(this, this.roster, this.lingering);
    this.locals = new LocalPresences(
      this.set,
      this.roster,
      this.lingering,
      (topic, key) => this.succession.handedOff(topic, key),
      settings,
      counters,
      (bytes) => listener.changed(bytes),
    );
  }

  /** Runs `work` as one change: one diff a topic, after everything that it brought about is settled. */
  change<T>(work: () => T): T {
    this.roster.begin();
    try {
      return work();
    } finally {
      for (const entry of this.dropped.splice(0)) {
        this.counters.readded++;
        this.say("readded", "warn", "a full exchange dropped a live session's entry: added again", {
          ref: entry.ref,
        });
        this.locals.readd(entry);
      }
      const returned = this.succession.takeReturned();
      if (returned.length > 0) this.locals.giveUp(returned);
      const kicked = this.kicked.splice(0);
      this.roster.end();
      for (const entry of kicked) this.tellKicked(entry);
    }
  }

  /** Removes every entry of `key` on `topic` that is seen here; answers how many. */
  remove(topic: string, key: string): number {
    const dots = new Map<ReplicaId, EventNumber[]>();
    // Of those that are marked also what is not seen, because its node is down: another node would stand in for it.
    for (const entry of new Set([...this.roster.entriesOf(topic, key), ...this.marks.of(topic, key)]))
      addDot(dots, entry);
    return this.removeDots(dots);
  }

  /** Removes these entries, whoever holds them; answers how many there were. */
  removeEntries(entries: Iterable<Entry>): number {
    const dots = new Map<ReplicaId, EventNumber[]>();
    for (const entry of entries) addDot(dots, entry);
    return this.removeDots(dots);
  }

  private removeDots(dots: ReadonlyMap<ReplicaId, readonly EventNumber[]>): number {
    if (dots.size === 0) return 0;
    return this.change(() => {
      let count = 0;
      for (const [origin, numbers] of dots) {
        // What an owner's own node removes is no leave of its own accord: the others must be told so.
        const meant = origin === this.set.replica ? { deliberate: true as const } : {};
        // One event names no more dots than a frame holds.
        for (let start = 0; start < numbers.length; start += REMOVES_PER_EVENT) {
          const part = numbers.slice(start, start + REMOVES_PER_EVENT);
          count += this.set.remove([{ origin, numbers: part, ...meant }]);
          this.listener.changed(part.length * 4);
        }
      }
      return count;
    });
  }

  /** The replica is alive again. Cost: O(its entries), as for the next two, some of them at a time. */
  show(replica: ReplicaId): void {
    this.sweeps.start(replica, this.set.entriesOf(replica).values(), (entry) => {
      if (this.set.entriesOf(replica).get(entry.number) === entry) this.present(entry);
    });
  }

  /** The replica is believed down: its entries are kept, and not seen. */
  hide(replica: ReplicaId): void {
    this.sweeps.start(replica, this.set.entriesOf(replica).values(), (entry) =>
      this.roster.hide(entry, "lost"),
    );
  }

  /** The replica is gone for good, with its entries. */
  forget(replica: ReplicaId, reason: LeaveReason): void {
    this.lingering.forget(replica, Number.POSITIVE_INFINITY);
    this.marks.forgotten(replica);
    this.sweeps.finish(
      replica,
      this.set.evict(replica).values(),
      (entry) => {
        if (this.lingering.size > 0) this.lingering.delete(entry);
        this.roster.hide(entry, reason);
      },
      () => this.succession.endHandOff(replica),
    );
  }

  /** Does what time has made due, and goes on with what takes long; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    const next = Math.min(this.locals.tick(now), this.roster.tick(now), this.people.tick(now));
    return this.sweeps.pump() ? now : next;
  }

  /** The sessions of these entries of another replica have dropped without leaving. Cost: O(numbers). */
  linger(replica: ReplicaId, numbers: readonly EventNumber[]): void {
    const entries = this.set.entriesOf(replica);
    const seen = this.set.vectorOf(replica);
    this.lingering.forget(replica, seen);
    for (const number of numbers) {
      const entry = entries.get(number);
      if (entry !== undefined) this.lingering.add(entry);
      else if (number > seen) this.lingering.expect(replica, number);
    }
  }

  /** From now on until it is forgotten, entries with its topics and keys elsewhere take the places of its own. */
  handOff(replica: ReplicaId): void {
    this.succession.beginHandOff(replica);
  }

  /** Goes on under another replica id: sessions keep what they track, under new dots; foreign entries stay as they are. */
  rename(id: ReplicaId): void {
    const before = this.set.replica;
    this.set.takeDelta();
    const state = this.set.snapshot();
    const foreign = <T extends { origin: ReplicaId }>(parts: readonly T[]) =>
      parts.filter(({ origin }) => origin !== before);
    const vector = new Map(state.vector);
    vector.delete(before);
    const ahead = this.set.originIds().map((origin) => this.aheadOf(origin));
    this.set = this.newSet(id);
    this.change(() => {
      this.set.merge({
        vector,
        live: state.live,
        pending: foreign(state.pending),
        entries: foreign(state.entries),
      });
      // What has come of a full sync that is still under way is seen already.
      for (const entries of ahead) this.set.stage(entries);
      this.locals.moveTo(this.set);
    });
  }

  /** The entries of an origin that were staged ahead of its vector. */
  private aheadOf(origin: ReplicaId): Entries<Entry> {
    const seen = this.set.vectorOf(origin);
    const ahead = [...this.set.entriesOf(origin)].filter(([number]) => number > seen);
    return { origin, numbers: ahead.map(([number]) => number), values: ahead.map(([, value]) => value) };
  }

  private newSet(id: ReplicaId): ObservedRemoveSet<Entry> {
    this.marks.clear();
    return new ObservedRemoveSet<Entry>(
      id,
      {
        inserted: (entry, origin) => {
          this.marks.inserted(entry);
          if (this.lingering.active && origin !== id) this.lingering.arrived(entry);
          if (origin === id || this.listener.counted(origin)) this.present(entry, true);
        },
        deleted: (entry, origin, _number, by, deliberate) =>
          this.deleted(entry, origin === id, by, deliberate),
      },
      { logSizeMax: this.settings.logSizeMax },
    );
  }

  /** Only a remove event takes an entry from a live session: what a full state dropped comes back. */
  private deleted(entry: Entry, own: boolean, by: ReplicaId | undefined, deliberate: boolean): void {
    this.marks.removed(entry);
    const removed = by !== undefined && (by !== entry.replica || deliberate);
    this.roster.hide(entry, removed ? "removed" : "left");
    if (this.lingering.size > 0) this.lingering.delete(entry);
    if (!own) return;
    if (by === undefined) this.dropped.push(entry);
    else if (removed) this.kicked.push(entry);
    else this.locals.forget(entry);
  }

  /** Shows an entry: in the place of the one that it updates, or of one of a leaving replica with its topic and key. */
  private present(entry: Entry, isNew = false): void {
    if (entry.shown) return;
    const updated = entry.previous === 0 ? undefined : this.succession.updatedBy(entry);
    if (updated !== undefined) {
      this.roster.swap(updated, entry);
      return;
    }
    const before = this.succession.replacedBy(entry, isNew);
    if (before === undefined) this.roster.show(entry);
    else this.roster.replace(before, entry);
  }

  private tellKicked(entry: Entry): void {
    this.locals.forget(entry);
    entry.session?.tellRemoved(entry, (error) => this.listenerFailed(error, { ref: entry.ref }));
  }

  /** What a listener of the application threw is reported, and stops nobody else. */
  listenerFailed(error: unknown, facts: Record<string, unknown>): void {
    this.counters.listenerErrors++;
    this.say("listener-error", "error", "a listener threw an error", { ...facts, error });
  }

  private say(
    type: Notice["type"],
    level: Notice["level"],
    message: string,
    facts: Record<string, unknown>,
  ): void {
    this.listener.notice({ type, level, message, ...facts });
  }
}

function addDot(dots: Map<ReplicaId, EventNumber[]>, { replica, number }: Entry): void {
  const numbers = dots.get(replica);
  if (numbers === undefined) dots.set(replica, [number]);
  else numbers.push(number);
}
