/** Presence of the streams of this node: a view of each that somebody needs, and who is told of its events. */
import type { Presence, PresentlyNode, TopicChange } from "presently";
import { type Roster, type RosterNames, rosterOf } from "presently/drop-in";
import {
  joinEvent,
  leaveEvent,
  type PresenceRecord,
  presence as presenceFrame,
  presenceInfo,
} from "./frames.ts";
import type { JsonText } from "./json.ts";
import type { StampedInfo } from "./presence-meta.ts";
import { type PresenceEvent, PresenceView } from "./presence-view.ts";
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
  readonly #view: PresenceView;
  readonly #subscribers = new Set<PresenceSubscriber>();
  readonly #holders = new Set<PresenceHolder>();
  readonly #unwatch: () => void;
  readonly #now: () => number;
  readonly #ownReplica: () => string;
  /** Ids of the latest events, oldest first; the last one has the number `#number`. */
  #events: string[] = [];
  #number = 0;
  #info: JsonText | undefined;
  holds = 0;

  constructor(
    stream: string,
    hub: Pick<PresenceHub, "roster" | "ownReplica">,
    ttlMs: number,
    now: () => number,
  ) {
    this.stream = stream;
    this.#view = new PresenceView(ttlMs);
    this.#now = now;
    this.#ownReplica = () => hub.ownReplica;
    this.#unwatch = hub.roster.watch(stream, (change) => this.#changed(change));
  }

  /** The number of the last event. */
  get number(): number {
    return this.#number;
  }

  get size(): number {
    return this.#view.size;
  }

  records(): PresenceRecord[] {
    return this.#view.records();
  }

  /** Who is present, as clients are told. Made once between two changes: asking costs a client nothing. */
  get info(): JsonText {
    this.#info ??= presenceInfo(this.size, this.records());
    return this.#info;
  }

  has(id: string): boolean {
    return this.#view.has(id);
  }

  ids(): Iterable<string> {
    return this.#view.ids();
  }

  latest(id: string): StampedInfo | undefined {
    return this.#view.latest(id);
  }

  /** What somebody who has missed it is told of an id: that it is here, or that it is not. */
  newsOf(id: string): PresenceNews {
    const record = this.#view.record(id);
    return news(record === undefined ? leaveEvent(id) : joinEvent(record));
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

  tick(): void {
    this.#tell(this.#view.tick(this.#now()));
  }

  close(): void {
    this.#unwatch();
  }

  #changed(change: TopicChange): void {
    this.#info = undefined;
    this.#tell(this.#view.apply(change, this.#now()));
    if (change.type === "diff" && this.#holders.size > 0)
      for (const { presence } of change.leaves) this.#inherit(presence.key);
  }

  /** The latest join says the info also when its session has gone first; so somebody else's entry has to say it. */
  #inherit(id: string): void {
    const heir = this.#view.heir(id);
    if (heir === undefined || heir.replica !== this.#ownReplica()) return;
    const latest = this.#view.latest(id)!;
    for (const holder of [...this.#holders]) holder.inherit(heir, latest);
  }

  #tell(events: readonly PresenceEvent[]): void {
    if (events.length > 0) this.#info = undefined;
    for (const event of events) {
      this.#events.push(event.id);
      this.#number++;
      const told = news(event.type === "join" ? joinEvent(event) : leaveEvent(event.id));
      for (const subscriber of [...this.#subscribers]) subscriber.presenceChanged(told);
    }
    // Cut seldom, so that an event costs no copy of the list.
    if (this.#events.length > 2 * EVENTS_KEPT) this.#events = this.#events.slice(-EVENTS_KEPT);
  }
}

function news(event: JsonText): PresenceNews {
  return { frame: new SharedFrame((identifier) => presenceFrame(identifier, event)) };
}

export interface PresenceHubOptions {
  readonly node: PresentlyNode;
  readonly names: RosterNames;
  readonly ttlMs: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
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
    const { ttlMs, now } = this.#options;
    let held = this.#streams.get(stream);
    if (held === undefined) {
      held = new StreamPresence(stream, this, ttlMs, now);
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

  tick(): void {
    for (const stream of this.#streams.values()) stream.tick();
  }
}
