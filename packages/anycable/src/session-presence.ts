/**
 * The presences of one session: at most one id on each stream, for as long as one of the subscriptions that joined it
 * lasts.
 */
import type { Presence } from "presently";
import type { RosterSession } from "presently/drop-in";
import { PresenceMismatchError } from "./errors.ts";
import { metaOf, type StampedInfo } from "./presence-meta.ts";
import type { PresenceHolder, PresenceHub, StreamPresence } from "./stream-presence.ts";

/** One presence, as it moves with its session to another node. */
export interface HeldPresence {
  readonly stream: string;
  readonly id: string;
  readonly said: StampedInfo;
  /** The subscriptions that joined it, by identifier. */
  readonly joinedBy: readonly string[];
}

interface Held {
  readonly id: string;
  said: StampedInfo;
  readonly joinedBy: Set<string>;
  readonly stream: StreamPresence;
}

export interface SessionPresenceOptions {
  readonly hub: PresenceHub;
  /** How long they stay after `drop`. */
  readonly ttlMs: number;
  /** Wall clock, in milliseconds: joins are stamped with it. */
  readonly wallClock: () => number;
}

export class SessionPresence implements PresenceHolder {
  readonly #options: SessionPresenceOptions;
  readonly #held = new Map<string, Held>();
  /** Owns the entries; opened with the first, as most sessions have none. */
  #owner: RosterSession | undefined;

  constructor(options: SessionPresenceOptions) {
    this.#options = options;
  }

  /** The id of this session on a stream. */
  idOn(stream: string): string | undefined {
    return this.#held.get(stream)?.id;
  }

  /**
   * Makes the session present. Again with the same id, it replaces the info, which is no event for anybody.
   *
   * @param joinedBy the subscription's identifier
   * @throws {PresenceMismatchError} if it is present under another id
   * @throws {InvalidArgumentError} for an id or info that cannot be used
   * @throws {LimitError} beyond a bound of the node
   */
  join(stream: string, joinedBy: string, id: string, info: unknown): void {
    const { hub, wallClock } = this.#options;
    const held = this.#held.get(stream);
    if (held !== undefined && held.id !== id) throw new PresenceMismatchError(stream);
    const presence = held?.stream ?? hub.hold(stream);
    try {
      // Later than every join of this id that is known, whatever the clocks of the nodes say.
      const at = Math.max(wallClock(), (presence.latest(id)?.at ?? 0) + 1);
      this.#put(presence, { stream, id, said: { info, at }, joinedBy: [joinedBy] });
    } catch (error) {
      if (held === undefined) hub.release(presence);
      throw error;
    }
  }

  /** Ends the presence on a stream; answers whether there was one. */
  leave(stream: string): boolean {
    const held = this.#held.get(stream);
    if (held === undefined) return false;
    this.#held.delete(stream);
    // A node that is stopping hands over what it has: that is no leave.
    if (this.#owner?.closed === false) this.#owner.untrack(stream, held.id);
    this.#release(held);
    return true;
  }

  /** A subscription has ended: so does what it alone has joined. */
  unsubscribed(stream: string, identifier: string): void {
    const held = this.#held.get(stream);
    if (held?.joinedBy.delete(identifier) && held.joinedBy.size === 0) this.leave(stream);
  }

  /** The connection broke: all stay for the time to live, in which the session, or anybody with the id, may come back. */
  drop(): void {
    this.#owner?.drop();
    this.#owner = undefined;
  }

  /** Makes present again what was when it dropped. Within the time to live that is no event for anybody. */
  resume(): void {
    for (const { stream, id, said } of this.#held.values()) this.#track(stream.stream, id, said);
  }

  /** Takes over what another node held of this session; `resume` makes it present. */
  adopt(presences: Iterable<HeldPresence>): void {
    for (const { stream, id, said, joinedBy } of presences) {
      const presence = this.#options.hub.hold(stream);
      this.#held.set(stream, { id, said, joinedBy: new Set(joinedBy), stream: presence });
      presence.addHolder(this);
    }
  }

  /** What is held, for another node. */
  list(): HeldPresence[] {
    return Array.from(this.#held.values(), ({ id, said, joinedBy, stream }) => ({
      stream: stream.stream,
      id,
      said,
      joinedBy: [...joinedBy],
    }));
  }

  /** Ends all of them at once; what was dropped goes on until its time. Idempotent. */
  close(): void {
    this.#owner?.close();
    this.#owner = undefined;
    for (const held of this.#held.values()) this.#release(held);
    this.#held.clear();
  }

  inherit(entry: Presence, latest: StampedInfo): void {
    const held = this.#held.get(entry.topic);
    if (held === undefined || this.#owner?.closed !== false) return;
    if (this.#owner.get(entry.topic, held.id)?.ref !== entry.ref) return;
    held.said = latest;
    this.#owner.track(entry.topic, held.id, metaOf(latest));
  }

  #put(presence: StreamPresence, { stream, id, said, joinedBy }: HeldPresence): void {
    const before = this.#held.get(stream);
    // Held before it is tracked: what watchers do meanwhile should find it.
    const held: Held = before ?? { id, said, joinedBy: new Set(), stream: presence };
    const previously = held.said;
    held.said = said;
    this.#held.set(stream, held);
    try {
      this.#track(stream, id, said);
    } catch (error) {
      held.said = previously;
      if (before === undefined) this.#held.delete(stream);
      throw error;
    }
    for (const identifier of joinedBy) held.joinedBy.add(identifier);
    presence.addHolder(this);
  }

  #track(stream: string, id: string, said: StampedInfo): void {
    const { hub, ttlMs } = this.#options;
    if (this.#owner === undefined) {
      this.#owner = hub.roster.session({ lingerMs: ttlMs });
      this.#owner.onRemoved(({ topic }) => this.#removed(topic));
    }
    this.#owner.track(stream, id, metaOf(said));
  }

  /** An operator, or another node, took it away. */
  #removed(stream: string): void {
    const held = this.#held.get(stream);
    if (held === undefined || this.#owner?.get(stream, held.id) !== undefined) return;
    this.#held.delete(stream);
    this.#release(held);
  }

  #release(held: Held): void {
    held.stream.deleteHolder(this);
    this.#options.hub.release(held.stream);
  }
}
