/**
 * The presences of one session: at most one id on each stream, for as long as one of the subscriptions that joined it
 * lasts.
 *
 * A presence belongs to the connection on which it was joined. When that breaks it lingers for the time to live. A client that
 * resumes joins again what it still wants; what it does not join again goes, since its `leave` may have been lost with the
 * connection. What the server joined on its behalf the server joins again.
 */
import type { Presence } from "presently";
import type { RosterSession } from "presently/drop-in";
import { PresenceMismatchError } from "./errors.ts";
import { infoIn, metaOf, type StampedInfo } from "./presence-meta.ts";
import type { PresenceHolder, PresenceHub, StreamPresence } from "./stream-presence.ts";

/** One presence, as it moves with its session to another node. */
export interface HeldPresence {
  readonly stream: string;
  readonly id: string;
  readonly said: StampedInfo;
  /** The subscriptions that joined it, by identifier. */
  readonly joinedBy: readonly string[];
  /** Whether the application joined it, and not the client. */
  readonly byServer: boolean;
}

interface Held {
  readonly id: string;
  said: StampedInfo;
  readonly joinedBy: Set<string>;
  byServer: boolean;
  readonly stream: StreamPresence;
  /** Whose entry it is: a session of this node, dropped if the entry lingers. Undefined if it lingers at another node. */
  owner: RosterSession | undefined;
}

/** Somebody becomes present. */
export interface Joining {
  /** The subscription's identifier. */
  readonly joinedBy: string;
  readonly id: string;
  readonly info: unknown;
  /** Whether the application says so, and not the client. */
  readonly byServer: boolean;
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
    const held = this.#held.get(stream);
    return held && !lingers(held) ? held.id : undefined;
  }

  /**
   * Makes the session present. Again with the same id, it replaces the info, which is no event for anybody. A lingering
   * presence of another id ends.
   *
   * @throws {PresenceMismatchError} if it is present under another id
   * @throws {InvalidArgumentError} for an id or info that cannot be used
   * @throws {LimitError} beyond a bound of the node
   */
  join(stream: string, { joinedBy, id, info, byServer }: Joining): void {
    const { hub, wallClock } = this.#options;
    let held = this.#held.get(stream);
    if (held !== undefined && held.id !== id && lingers(held)) {
      this.leave(stream);
      held = undefined;
    }
    if (held !== undefined && held.id !== id) throw new PresenceMismatchError(stream);
    const presence = held?.stream ?? hub.hold(stream);
    try {
      // Later than every join of this id that is known, whatever the clocks of the nodes say.
      const at = Math.max(wallClock(), (presence.latest(id)?.at ?? 0) + 1);
      const said = { info, at };
      this.#put(presence, { stream, id, said, joinedBy: [joinedBy], byServer });
    } catch (error) {
      if (held === undefined) hub.release(presence);
      throw error;
    }
  }

  /** Ends the presence on a stream, if there is one. */
  leave(stream: string): void {
    const held = this.#held.get(stream);
    if (held === undefined) return;
    // What lingers at another node is ended by taking its place.
    if (held.owner === undefined && held.stream.has(held.id)) this.#track(stream, held);
    this.#held.delete(stream);
    const { owner } = held;
    // A node that is stopping hands over what it has: that is no leave.
    if (owner !== undefined && (!owner.closed || owner.dropped)) owner.untrack(stream, held.id);
    this.#release(held);
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

  /** The connection is back: makes present again what the application had joined. The client joins the rest again. */
  resume(): void {
    for (const [stream, held] of this.#held) {
      if (held.byServer) this.#track(stream, held);
    }
  }

  /** Takes over what another node held of this session, as lingering. */
  adopt(presences: Iterable<HeldPresence>): void {
    for (const { stream, id, said, joinedBy, byServer } of presences) {
      const presence = this.#options.hub.hold(stream);
      const held = { id, said, joinedBy: new Set(joinedBy), byServer, stream: presence, owner: undefined };
      this.#held.set(stream, held);
      presence.addHolder(this);
    }
  }

  /** What is held, for another node. */
  list(): HeldPresence[] {
    return Array.from(this.#held.values(), ({ id, said, joinedBy, byServer, stream }) => ({
      stream: stream.stream,
      id,
      said,
      joinedBy: [...joinedBy],
      byServer,
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

  #put(presence: StreamPresence, { stream, id, said, joinedBy, byServer }: HeldPresence): void {
    const before = this.#held.get(stream);
    // Held before it is tracked: what watchers do meanwhile should find it.
    const held: Held = before ?? {
      id,
      said,
      joinedBy: new Set(),
      byServer,
      stream: presence,
      owner: undefined,
    };
    const previously = held.said;
    held.said = said;
    this.#held.set(stream, held);
    try {
      this.#track(stream, held);
    } catch (error) {
      held.said = previously;
      if (before === undefined) this.#held.delete(stream);
      throw error;
    }
    // As it was taken: the application may change what it handed in, and it is tracked again later.
    held.said = infoIn(this.#owner!.get(stream, id)!.meta);
    held.byServer ||= byServer;
    for (const identifier of joinedBy) held.joinedBy.add(identifier);
    presence.addHolder(this);
  }

  #track(stream: string, held: Held): void {
    const { hub, ttlMs } = this.#options;
    if (this.#owner === undefined) {
      this.#owner = hub.roster.session({ lingerMs: ttlMs });
      this.#owner.onRemoved(({ topic }) => this.#removed(topic));
    }
    this.#owner.track(stream, held.id, metaOf(held.said));
    held.owner = this.#owner;
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

/** Whether its connection has broken, and nobody has joined it again. */
function lingers({ owner }: Held): boolean {
  return owner?.closed !== false;
}
