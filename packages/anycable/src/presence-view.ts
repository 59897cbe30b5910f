/**
 * Who is present on one stream, and what its subscribers are told of it?
 *
 * The roster has an entry for each session; here there is one record for each id. It begins with its first entry and
 * ends with its last: one join, one leave, nothing in between. The info is that of the latest join, also when the session
 * that said it has gone.
 *
 * An entry whose node is lost is counted for `ttlMs` more, as that of a connection that broke is: its clients come back
 * to another node, and whoever does so within that time was never away.
 *
 * Pure: the same changes at the same times give the same events. Cost: O(change).
 */
import type { Presence, TopicChange, TopicDiff } from "presently";
import type { PresenceRecord } from "./frames.ts";
import { infoIn, type StampedInfo } from "./presence-meta.ts";

export type PresenceEvent =
  | { readonly type: "join"; readonly id: string; readonly info: unknown }
  | { readonly type: "leave"; readonly id: string };

interface Id {
  /** The entries that the roster shows, by reference. */
  readonly entries: Map<string, Presence>;
  /** Entries of lost nodes that still count, by reference, with the time at which they no longer do. */
  readonly lost: Map<string, number>;
  latest: StampedInfo;
}

export class PresenceView {
  readonly #ttlMs: number;
  readonly #ids = new Map<string, Id>();
  /** Ids with lost entries, so that a tick looks at nobody else. */
  readonly #waiting = new Set<string>();

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** How many ids are present. */
  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** The info of an id, and its stamp; undefined if it is absent. */
  latest(id: string): StampedInfo | undefined {
    return this.#ids.get(id)?.latest;
  }

  record(id: string): PresenceRecord | undefined {
    const held = this.#ids.get(id);
    return held === undefined ? undefined : recordOf(id, held);
  }

  records(): PresenceRecord[] {
    return Array.from(this.#ids, ([id, held]) => recordOf(id, held));
  }

  ids(): IterableIterator<string> {
    return this.#ids.keys();
  }

  /**
   * The entry that should say the latest info because the one that said it has gone; undefined while one says it. Its
   * owner takes the info over, so that nodes that start later find it.
   */
  heir(id: string): Presence | undefined {
    const held = this.#ids.get(id);
    if (held === undefined || held.entries.size === 0) return undefined;
    let newest: Presence | undefined;
    for (const entry of held.entries.values()) {
      const { at } = infoIn(entry.meta);
      if (at >= held.latest.at) return undefined;
      if (newest === undefined || at > infoIn(newest.meta).at) newest = entry;
    }
    return newest;
  }

  /** Takes in a change of the topic. The first one, the state, is no event for anybody. */
  apply(change: TopicChange, now: number): PresenceEvent[] {
    if (change.type === "diff") return this.#diff(change, now);
    for (const presence of change.presences) this.#put(presence);
    return [];
  }

  /** Ends what was lost for too long. Cost: O(ids of lost nodes). */
  tick(now: number): PresenceEvent[] {
    const events: PresenceEvent[] = [];
    for (const id of this.#waiting) {
      const held = this.#ids.get(id)!;
      for (const [ref, until] of held.lost) if (until <= now) held.lost.delete(ref);
      if (held.lost.size === 0) this.#waiting.delete(id);
      this.#settle(id, held, events);
    }
    return events;
  }

  #diff({ joins, updates, leaves }: TopicDiff, now: number): PresenceEvent[] {
    const events: PresenceEvent[] = [];
    for (const presence of joins) {
      const held = this.#ids.get(presence.key);
      const { info } = this.#put(presence).latest;
      if (held === undefined) events.push({ type: "join", id: presence.key, info });
      else this.#found(presence, held);
    }
    for (const { before, after } of updates) this.#put(after).entries.delete(before.ref);
    for (const { presence, reason } of leaves) {
      const { key, ref } = presence;
      const held = this.#ids.get(key);
      // It was never shown here: a diff that comes to nothing.
      if (!held?.entries.delete(ref)) continue;
      if (reason === "lost" || reason === "evicted") {
        held.lost.set(ref, now + this.#ttlMs);
        this.#waiting.add(key);
      }
      this.#settle(key, held, events);
    }
    return events;
  }

  #put(presence: Presence): Id {
    const said = infoIn(presence.meta);
    const held = this.#ids.get(presence.key) ?? { entries: new Map(), lost: new Map(), latest: said };
    this.#ids.set(presence.key, held);
    held.entries.set(presence.ref, presence);
    if (said.at >= held.latest.at) held.latest = said;
    return held;
  }

  /** Its own node is back; or, more often, the client of one of the lost entries is, at another node. */
  #found({ key, ref }: Presence, held: Id): void {
    if (held.lost.size === 0) return;
    if (!held.lost.delete(ref)) {
      const [oldest] = held.lost.keys();
      held.lost.delete(oldest!);
    }
    if (held.lost.size === 0) this.#waiting.delete(key);
  }

  #settle(id: string, held: Id, events: PresenceEvent[]): void {
    if (held.entries.size > 0 || held.lost.size > 0) return;
    this.#ids.delete(id);
    this.#waiting.delete(id);
    events.push({ type: "leave", id });
  }
}

function recordOf(id: string, { latest: { info } }: Id): PresenceRecord {
  return info === undefined ? { id } : { id, info };
}
