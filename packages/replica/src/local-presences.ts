/** The sessions of this replica, and the changes that they make to the set. */
import type { EventNumber, ObservedRemoveSet } from "@presently/crdt";
import type { Counters } from "./counters.ts";
import { DroppedSessions } from "./dropped-sessions.ts";
import { Entry, Heir, type Predecessor } from "./entry.ts";
import { addHeld, allHeld, deleteHeld, heldCount, swapHeld } from "./entry-bag.ts";
import { LimitError, NotTrackedError } from "./errors.ts";
import { checkText, type Taken, takeMeta } from "./limits.ts";
import type { Lingering } from "./lingering.ts";
import { type Mark, withMark } from "./marks.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis } from "./outbox.ts";
import type { Meta } from "./presence.ts";
import type { Roster } from "./roster.ts";
import { type AnySession, Session, type SessionOptions } from "./session.ts";

/** Told that local changes wait to be flushed, and how many bytes they add at a guess. */
export type Changed = (bytes: number) => void;

/** The shown entry of a leaving replica with this topic and key. */
export type HandedOff = (topic: string, key: string) => Entry | undefined;

/** Bytes of an entry on the wire besides its meta and key, at a guess. */
export const ENTRY_BYTES = 8;

/** Bytes of a mark on the wire, at a guess. */
const MARK_BYTES = 64;

/** Dots that one event removes at most. */
export const REMOVES_PER_EVENT = 8_000;

/** A marked presence that is to be tracked. */
export interface Placed {
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;
  readonly mark: Mark;
}

export class LocalPresences {
  private sessions = 0;
  private set: ObservedRemoveSet<Entry>;
  private readonly roster: Roster;
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly changed: Changed;
  private readonly lingering: Lingering;
  private readonly handedOff: HandedOff;
  private readonly dropped = new DroppedSessions();
  /** Own entries that linger, and that the peers have not been told of. */
  private untold: EventNumber[] = [];
  /** Entries of all sessions together. */
  size = 0;

  constructor(
    set: ObservedRemoveSet<Entry>,
    roster: Roster,
    lingering: Lingering,
    handedOff: HandedOff,
    settings: ReplicaSettings,
    counters: Counters,
    changed: Changed,
  ) {
    this.set = set;
    this.roster = roster;
    this.lingering = lingering;
    this.handedOff = handedOff;
    this.settings = settings;
    this.counters = counters;
    this.changed = changed;
  }

  open(options: SessionOptions | undefined): AnySession {
    const { sessionsMax } = this.settings;
    if (this.sessions >= sessionsMax) throw new LimitError("sessionsMax", sessionsMax, "too many sessions");
    const session = new Session(this, options);
    this.sessions++;
    this.counters.sessionsOpened++;
    return session;
  }

  track(session: AnySession, topic: string, key: string, meta: Meta): Entry {
    checkText("topic", topic, this.settings.topicBytesMax);
    checkText("key", key, this.settings.keyBytesMax);
    const taken = takeMeta(meta, this.settings);
    // A getter of the meta may have closed it.
    session.assertOpen();
    const held = this.find(session, topic, key);
    if (held !== undefined) return this.replace(session, held, taken);
    this.checkRoom(session, topic);
    this.roster.begin();
    try {
      const before = this.lingering.first(topic, key) ?? this.handedOff(topic, key);
      const entry =
        before === undefined
          ? this.insert(session, topic, key, taken.value)
          : this.takeOver(before, session, taken.value);
      this.changed(taken.bytes + key.length + ENTRY_BYTES);
      return entry;
    } finally {
      this.roster.end();
    }
  }

  /**
   * As `track`, of a presence that is marked: in the place of `before`, which any replica may hold, and with `others` gone.
   * The caller sees to it that all this is one change.
   */
  place(
    session: AnySession,
    { topic, key, meta, mark }: Placed,
    before: Entry | undefined,
    others: readonly Entry[],
  ): Entry {
    checkText("topic", topic, this.settings.topicBytesMax);
    checkText("key", key, this.settings.keyBytesMax);
    const { value, bytes } = takeMeta(meta, this.settings);
    const taken = { value: withMark(value, mark), bytes: bytes + MARK_BYTES };
    session.assertOpen();
    const held = this.find(session, topic, key);
    if (held === undefined) this.checkRoom(session, topic);
    const entry =
      held !== undefined
        ? this.replace(session, held, taken)
        : before?.shown
          ? this.takeOver(before, session, taken.value)
          : this.insert(session, topic, key, taken.value);
    // Those that are gone already by what was just done are passed over.
    for (const { replica, number } of others) this.set.remove([{ origin: replica, numbers: [number] }]);
    this.changed(taken.bytes + key.length + ENTRY_BYTES);
    return entry;
  }

  /**
   * Tracks what stands in for a marked entry whose node is gone, and leaves that as it is: it may come back, or be removed
   * by somebody who has not heard of this one.
   */
  standIn(session: AnySession, placed: Placed, before: Entry | undefined): Entry {
    const { topic, key, meta, mark } = placed;
    this.checkRoom(session, topic);
    const value = withMark(meta, mark);
    if (before === undefined) return this.insert(session, topic, key, value);
    const heir = this.entry(topic, key, value, 0, this.set.nextNumber, before);
    this.hold(session, heir);
    this.set.add(heir);
    this.changed(key.length + ENTRY_BYTES);
    return heir;
  }

  update(session: AnySession, topic: string, key: string, meta: Meta | ((previous: Meta) => Meta)): Entry {
    const held = this.findOrThrow(session, topic, key);
    const taken = takeMeta(typeof meta === "function" ? meta(held.presence.meta) : meta, this.settings);
    // The function, or a getter of the meta, may have changed what the session holds.
    return this.replace(session, this.findOrThrow(session, topic, key), taken);
  }

  untrack(session: AnySession, topic: string, key: string): boolean {
    const held = this.find(session, topic, key);
    if (held !== undefined) this.removeAll([held]);
    return held !== undefined;
  }

  close(session: AnySession): void {
    this.sessions--;
    this.counters.sessionsClosed++;
    if (session.size > 0) this.removeAll(allHeld(session));
  }

  // Sessions that drop.

  drop(session: AnySession): void {
    for (const entry of allHeld(session)) this.linger(entry);
    this.dropped.add(session);
    this.changed(0);
  }

  private linger(entry: Entry): void {
    this.lingering.add(entry);
    this.untold.push(entry.number);
  }

  /** Own entries that linger since the last call. */
  takeUntold(): readonly EventNumber[] {
    const numbers = this.untold;
    if (numbers.length > 0) this.untold = [];
    return numbers;
  }

  /** All own entries that linger. Cost: O(answer). */
  lingeringNumbers(): EventNumber[] {
    const numbers: EventNumber[] = [];
    for (const session of this.dropped.all()) for (const { number } of allHeld(session)) numbers.push(number);
    return numbers;
  }

  /** Gives up what has lingered long enough; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    const next = this.dropped.start(now);
    if (now < next) return next;
    this.roster.begin();
    try {
      for (let removed = 0; removed < REMOVES_PER_EVENT; ) {
        const session = this.dropped.takeDue(now);
        if (session === undefined) break;
        removed += session.size;
        session.close();
      }
    } finally {
      this.roster.end();
    }
    return this.dropped.start(now);
  }

  /** Its identity was seen to come back elsewhere, by somebody who did not know that it lingers. */
  giveUp(entries: readonly Entry[]): void {
    this.removeAll(entries);
  }

  /** The identity of a lingering entry is back: one event for both. */
  private takeOver(before: Entry, session: AnySession, meta: Meta): Entry {
    const { replica, number, topic, key, root } = before;
    if (replica === this.set.replica) {
      const entry = this.entry(topic, key, meta, number, root, before.heirOf);
      this.hold(session, entry);
      this.set.update(number, entry);
      return entry;
    }
    const heir = this.entry(topic, key, meta, 0, this.set.nextNumber, before);
    this.hold(session, heir);
    this.set.replace([{ origin: replica, numbers: [number] }], heir);
    return heir;
  }

  find(session: AnySession, topic: string, key: string): Entry | undefined {
    const { held } = session;
    if (held === undefined) return undefined;
    if (held instanceof Set) return this.findAmong(session, topic, key);
    // One that was removed is let go of only after watchers have been told.
    return held.shown && held.key === key && held.topic === topic ? held : undefined;
  }

  private findAmong(session: AnySession, topic: string, key: string): Entry | undefined {
    const held = session.held as Set<Entry>;
    if (this.roster.countOf(topic, key) <= held.size)
      return this.roster.find(topic, key, (entry) => entry.session === session);
    // Very many sessions may hold the same key, and few of them hold much.
    for (const entry of held) if (entry.shown && entry.key === key && entry.topic === topic) return entry;
    return undefined;
  }

  private findOrThrow(session: AnySession, topic: string, key: string): Entry {
    const held = this.find(session, topic, key);
    if (held === undefined) throw new NotTrackedError(topic, key);
    return held;
  }

  /** A full exchange dropped an entry whose session is still open: it comes back under a new dot. */
  readd(entry: Entry): void {
    const session = entry.session!;
    this.forget(entry);
    const again = this.entry(entry.topic, entry.key, entry.meta, entry.number, entry.root, entry.heirOf);
    this.hold(session, again);
    this.set.restore(entry.number, again);
    this.changed(entry.key.length + ENTRY_BYTES);
  }

  /** The replica goes on under another id: everything that sessions hold takes a dot of the new one. */
  moveTo(set: ObservedRemoveSet<Entry>): void {
    const entries = this.set.entriesOf(this.set.replica);
    this.set = set;
    for (const before of entries.values()) {
      const session = before.session!;
      this.forget(before);
      const after = this.entry(before.topic, before.key, before.meta, 0, set.nextNumber, before.heirOf);
      this.hold(session, after);
      this.roster.replace(before, after);
      set.add(after);
      this.changed(after.key.length + ENTRY_BYTES);
    }
  }

  /** The entry is no longer in the set. */
  forget(entry: Entry): void {
    if (this.lingering.size > 0) this.lingering.delete(entry);
    if (entry.session !== undefined && deleteHeld(entry.session, entry)) this.size--;
  }

  private insert(session: AnySession, topic: string, key: string, meta: Meta): Entry {
    const entry = this.entry(topic, key, meta, 0, this.set.nextNumber);
    this.hold(session, entry);
    this.set.add(entry);
    return entry;
  }

  private replace(session: AnySession, held: Entry, { value, bytes }: Taken<Meta>): Entry {
    this.roster.begin();
    try {
      const entry = this.entry(held.topic, held.key, value, held.number, held.root, held.heirOf);
      entry.session = session;
      swapHeld(session, held, entry);
      if (session.dropped) this.linger(entry);
      this.set.update(held.number, entry);
      this.changed(bytes + held.key.length + ENTRY_BYTES);
      return entry;
    } finally {
      this.roster.end();
    }
  }

  private removeAll(entries: Iterable<Entry>): void {
    const numbers: EventNumber[] = [];
    for (const entry of entries) numbers.push(entry.number);
    this.roster.begin();
    try {
      // One event names no more dots than a frame holds.
      for (let start = 0; start < numbers.length; start += REMOVES_PER_EVENT) {
        const part = numbers.slice(start, start + REMOVES_PER_EVENT);
        this.set.remove([{ origin: this.set.replica, numbers: part }]);
        this.changed(part.length * 2);
      }
    } finally {
      this.roster.end();
    }
  }

  private entry(
    topic: string,
    key: string,
    meta: Meta,
    previous: EventNumber,
    root: EventNumber,
    heirOf?: Predecessor,
  ): Entry {
    const entry = new Entry(this.set.replica, this.set.nextNumber, topic, key, meta, previous, root);
    return heirOf === undefined ? entry : new Heir(entry, heirOf);
  }

  private hold(session: AnySession, entry: Entry): void {
    entry.session = session;
    addHeld(session, entry);
    this.size++;
    if (session.dropped) this.linger(entry);
  }

  private checkRoom(session: AnySession, topic: string): void {
    const { entriesPerSessionMax, entriesPerTopicMax, entriesPerNodeMax } = this.settings;
    if (heldCount(session) >= entriesPerSessionMax) {
      throw new LimitError(
        "entriesPerSessionMax",
        entriesPerSessionMax,
        "this session tracks too many entries",
      );
    }
    if (this.size >= entriesPerNodeMax) {
      throw new LimitError("entriesPerNodeMax", entriesPerNodeMax, "this node tracks too many entries");
    }
    if (this.roster.entriesOn(topic) >= entriesPerTopicMax) {
      throw new LimitError(
        "entriesPerTopicMax",
        entriesPerTopicMax,
        `topic ${JSON.stringify(topic)} has too many entries`,
      );
    }
  }
}
