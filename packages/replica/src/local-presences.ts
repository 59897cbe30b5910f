/** The sessions of this replica, and the changes that they make to the set. */
import type { EventNumber, ObservedRemoveSet } from "@presently/crdt";
import { Entry } from "./entry.ts";
import { LimitError, NotTrackedError } from "./errors.ts";
import { checkMeta, checkText } from "./limits.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Meta } from "./presence.ts";
import type { Roster } from "./roster.ts";
import { Session } from "./session.ts";

/** Told that local changes wait to be flushed, and how many bytes they add at a guess. */
export type Changed = (bytes: number) => void;

/** Bytes of an entry on the wire besides its meta and key, at a guess. */
export const ENTRY_BYTES = 8;

const REMOVES_PER_EVENT = 8_000;

export class LocalPresences {
  private sessions = 0;
  private set: ObservedRemoveSet<Entry>;
  private readonly roster: Roster;
  private readonly settings: ReplicaSettings;
  private readonly changed: Changed;
  /** Entries of all sessions together. */
  size = 0;

  constructor(set: ObservedRemoveSet<Entry>, roster: Roster, settings: ReplicaSettings, changed: Changed) {
    this.set = set;
    this.roster = roster;
    this.settings = settings;
    this.changed = changed;
  }

  open(): Session {
    const { sessionsMax } = this.settings;
    if (this.sessions >= sessionsMax) throw new LimitError("sessionsMax", sessionsMax, "too many sessions");
    this.sessions++;
    return new Session(this);
  }

  track(session: Session, topic: string, key: string, meta: Meta): Entry {
    checkText("topic", topic, this.settings.topicBytesMax);
    checkText("key", key, this.settings.keyBytesMax);
    const bytes = checkMeta(meta, this.settings);
    const held = this.find(session, topic, key);
    if (held !== undefined) return this.replace(session, held, meta, bytes);
    this.checkRoom(session, topic);
    this.roster.begin();
    try {
      const entry = this.insert(session, topic, key, meta);
      this.changed(bytes + key.length + ENTRY_BYTES);
      return entry;
    } finally {
      this.roster.end();
    }
  }

  update(session: Session, topic: string, key: string, meta: Meta | ((previous: Meta) => Meta)): Entry {
    const held = this.findOrThrow(session, topic, key);
    if (typeof meta !== "function") return this.replace(session, held, meta, checkMeta(meta, this.settings));
    const next = meta(held.meta);
    const bytes = checkMeta(next, this.settings);
    // The function may have changed what the session holds.
    return this.replace(session, this.findOrThrow(session, topic, key), next, bytes);
  }

  untrack(session: Session, topic: string, key: string): boolean {
    const held = this.find(session, topic, key);
    if (held !== undefined) this.removeAll([held]);
    return held !== undefined;
  }

  close(session: Session): void {
    this.sessions--;
    if (session.entries.size > 0) this.removeAll(session.entries.all());
  }

  find(session: Session, topic: string, key: string): Entry | undefined {
    const { size, only } = session.entries;
    if (size === 0) return undefined;
    // One that was removed is let go of only after watchers have been told.
    if (only !== undefined) return only.shown && only.key === key && only.topic === topic ? only : undefined;
    return this.roster.find(topic, key, (entry) => entry.session === session);
  }

  private findOrThrow(session: Session, topic: string, key: string): Entry {
    const held = this.find(session, topic, key);
    if (held === undefined) throw new NotTrackedError(topic, key);
    return held;
  }

  /** A full exchange dropped an entry whose session is still open: it comes back under a new dot. */
  readd(entry: Entry): void {
    const session = entry.session!;
    this.forget(entry);
    const again = this.entry(entry.topic, entry.key, entry.meta, entry.number, entry.root);
    this.hold(session, again);
    this.set.add(again);
    this.changed(entry.key.length + ENTRY_BYTES);
  }

  /** The replica goes on under another id: everything that sessions hold takes a dot of the new one. */
  moveTo(set: ObservedRemoveSet<Entry>): void {
    const entries = this.set.entriesOf(this.set.replica);
    this.set = set;
    for (const before of entries.values()) {
      const session = before.session!;
      this.forget(before);
      const after = this.entry(before.topic, before.key, before.meta, 0, set.nextNumber);
      this.hold(session, after);
      this.roster.replace(before, after);
      set.add(after);
      this.changed(after.key.length + ENTRY_BYTES);
    }
  }

  /** The entry is no longer in the set. */
  forget(entry: Entry): void {
    if (entry.session?.entries.delete(entry)) this.size--;
  }

  private insert(session: Session, topic: string, key: string, meta: Meta): Entry {
    const entry = this.entry(topic, key, meta, 0, this.set.nextNumber);
    this.hold(session, entry);
    this.set.add(entry);
    return entry;
  }

  private replace(session: Session, held: Entry, meta: Meta, bytes: number): Entry {
    this.roster.begin();
    try {
      const entry = this.entry(held.topic, held.key, meta, held.number, held.root);
      this.hold(session, entry);
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

  private entry(topic: string, key: string, meta: Meta, previous: EventNumber, root: EventNumber): Entry {
    return new Entry(this.set.replica, this.set.nextNumber, topic, key, meta, previous, root);
  }

  private hold(session: Session, entry: Entry): void {
    entry.session = session;
    session.entries.add(entry);
    this.size++;
  }

  private checkRoom(session: Session, topic: string): void {
    const { entriesPerSessionMax, entriesPerTopicMax, entriesPerNodeMax } = this.settings;
    if (session.entries.size >= entriesPerSessionMax) {
      throw new LimitError(
        "entriesPerSessionMax",
        entriesPerSessionMax,
        "this session tracks too many entries",
      );
    }
    if (this.size >= entriesPerNodeMax) {
      throw new LimitError("entriesPerNodeMax", entriesPerNodeMax, "this node tracks too many entries");
    }
    if (this.roster.count(topic).entries >= entriesPerTopicMax) {
      throw new LimitError(
        "entriesPerTopicMax",
        entriesPerTopicMax,
        `topic ${JSON.stringify(topic)} has too many entries`,
      );
    }
  }
}
