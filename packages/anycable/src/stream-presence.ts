/**
 * Presence of the streams of this node: who is on each that somebody needs, and who is told of it.
 *
 * A person's info is that of their latest join, also when the session that said it has gone. One whose node is lost stays
 * for the time to live, as one whose connection broke does.
 */
import type { People, PeopleChange, PersonEvent, Presence, PresentlyNode } from "presently";
import { type Roster, type RosterNames, rosterOf } from "presently/drop-in";
import {
  joinEvent,
  leaveEvent,
  type PresenceRecord,
  presence as presenceFrame,
  presenceInfo,
} from "./frames.ts";
import type { JsonText } from "./json.ts";
import { infoIn, type StampedInfo } from "./presence-meta.ts";
import { SharedFrame } from "./shared-frame.ts";

/** Events that are remembered for clients that come back; who has missed more subscribes anew. */
const EVENTS_KEPT = 1_000;

/** An event, as it is sent to clients. */
export interface PresenceNews {
  readonly frame: SharedFrame;
}

export interface PresenceSubscriber {
  presenceChanged(news: PresenceNews): void;
}

/** Holds entries of this node. */
export interface PresenceHolder {
  /** Takes over the info of a session that has gone, if `entry` is one of its own. */
  inherit(entry: Presence, latest: StampedInfo): void;
}

export class StreamPresence {
  readonly stream: string;
  readonly #people: People;
  /** What the latest join of each person said. */
  readonly #latest = new Map<string, StampedInfo>();
  readonly #subscribers = new Set<PresenceSubscriber>();
  readonly #holders = new Set<PresenceHolder>();
  readonly #ownReplica: () => string;
  /** Ids of the latest events, oldest first; the last one has the number `#number`. */
  #events: string[] = [];
  #number = 0;
  #info: JsonText | undefined;
  holds = 0;

  constructor(stream: string, hub: Pick<PresenceHub, "roster" | "ownReplica">, ttlMs: number) {
    this.stream = stream;
    this.#ownReplica = () => hub.ownReplica;
    this.#people = hub.roster.watchPeople(stream, { graceMs: ttlMs }, (change) => this.#changed(change));
  }

  /** The number of the last event. */
  get number(): number {
    return this.#number;
  }

  get size(): number {
    return this.#latest.size;
  }

  records(): PresenceRecord[] {
    return Array.from(this.#latest, ([id, { info }]) => recordOf(id, info));
  }

  /** Who is present, as clients are told. Made once between two changes: asking costs a client nothing. */
  get info(): JsonText {
    this.#info ??= presenceInfo(this.size, this.records());
    return this.#info;
  }

  has(id: string): boolean {
    return this.#latest.has(id);
  }

  ids(): Iterable<string> {
    return this.#latest.keys();
  }

  /** The info of an id, and its stamp; undefined if it is absent. */
  latest(id: string): StampedInfo | undefined {
    return this.#latest.get(id);
  }

  /** What somebody who has missed it is told of an id: that it is here, or that it is not. */
  newsOf(id: string): PresenceNews {
    const latest = this.#latest.get(id);
    return news(latest === undefined ? leaveEvent(id) : joinEvent(recordOf(id, latest.info)));
  }

  /** Ids that had events behind this number; undefined if that is too long ago. */
  changedSince(number: number): Set<string> | undefined {
    const count = this.#number - number;
    if (count > this.#events.length) return undefined;
    return new Set(count === 0 ? [] : this.#events.slice(-count));
  }

  subscribe(subscriber: PresenceSubscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }

  addHolder(holder: PresenceHolder): void {
    this.#holders.add(holder);
  }

  deleteHolder(holder: PresenceHolder): void {
    this.#holders.delete(holder);
  }

  close(): void {
    this.#people.end();
  }

  #changed(change: PeopleChange): void {
    this.#info = undefined;
    if (change.type === "state") {
      for (const { presences } of change.people) for (const presence of presences) this.#put(presence);
      return;
    }
    for (const event of change.events) this.#happened(event);
    // Cut seldom, so that an event costs no copy of the list.
    if (this.#events.length > 2 * EVENTS_KEPT) this.#events = this.#events.slice(-EVENTS_KEPT);
  }

  #happened(event: PersonEvent): void {
    const { key: id } = event;
    if (event.type === "leave") {
      this.#latest.delete(id);
      this.#tell(id, leaveEvent(id));
      return;
    }
    for (const presence of event.type === "join" ? event.presences : event.joins) this.#put(presence);
    if (event.type === "join") {
      this.#tell(id, joinEvent(recordOf(id, this.#latest.get(id)!.info)));
      return;
    }
    for (const { after } of event.updates) this.#put(after);
    if (event.leaves.length > 0 && this.#holders.size > 0) this.#inherit(id);
  }

  #put({ key, meta }: Presence): void {
    const said = infoIn(meta);
    const latest = this.#latest.get(key);
    if (latest === undefined || said.at >= latest.at) this.#latest.set(key, said);
  }

  /**
   * The entry that said the latest info may be gone while others of the id are left. The newest of them has to say it, so
   * that nodes that start later find it: its owner takes the info over.
   */
  #inherit(id: string): void {
    const latest = this.#latest.get(id)!;
    let newest: Presence | undefined;
    for (const entry of this.#people.get(id)?.presences ?? []) {
      const { at } = infoIn(entry.meta);
      if (at >= latest.at) return;
      if (newest === undefined || at > infoIn(newest.meta).at) newest = entry;
    }
    if (newest === undefined || newest.replica !== this.#ownReplica()) return;
    for (const holder of [...this.#holders]) holder.inherit(newest, latest);
  }

  #tell(id: string, event: JsonText): void {
    this.#events.push(id);
    this.#number++;
    const told = news(event);
    for (const subscriber of [...this.#subscribers]) subscriber.presenceChanged(told);
  }
}

function recordOf(id: string, info: unknown): PresenceRecord {
  return info === undefined ? { id } : { id, info };
}

function news(event: JsonText): PresenceNews {
  return { frame: new SharedFrame((identifier) => presenceFrame(identifier, event)) };
}

export interface PresenceHubOptions {
  readonly node: PresentlyNode;
  readonly names: RosterNames;
  readonly ttlMs: number;
}

export class PresenceHub {
  /** The presences of the node, by the names of streams and ids. */
  readonly roster: Roster;
  readonly #options: PresenceHubOptions;
  readonly #streams = new Map<string, StreamPresence>();

  constructor(options: PresenceHubOptions) {
    this.#options = options;
    this.roster = rosterOf(options.node, options.names);
  }

  get ownReplica(): string {
    return this.#options.node.replica;
  }

  /** The presence of a stream, until `release` is called as often. @throws {LimitError} beyond `watchersMax` of the node */
  hold(stream: string): StreamPresence {
    let held = this.#streams.get(stream);
    if (held === undefined) {
      held = new StreamPresence(stream, this, this.#options.ttlMs);
      this.#streams.set(stream, held);
    }
    held.holds++;
    return held;
  }

  release(held: StreamPresence): void {
    if (--held.holds > 0) return;
    held.close();
    this.#streams.delete(held.stream);
  }

  /** Who is present, whether anybody subscribes to it here or not. */
  records(stream: string): PresenceRecord[] {
    const held = this.hold(stream);
    try {
      return held.records();
    } finally {
      this.release(held);
    }
  }
}
