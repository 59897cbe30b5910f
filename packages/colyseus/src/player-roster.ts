/** Who is in a room of a game, on the same topic as the people of other protocols: what a `Room` tells of its players, and sees. */
import { type AnyMeta, ClosedError, type Meta, type MetaArgument, type Presence } from "presently";
import {
  callListener,
  checkFunction,
  checkString,
  plain,
  type Roster,
  type RosterSession,
  saidAsMap,
} from "presently/drop-in";

/** Somebody who is present, through whichever protocol. */
export interface Player<M extends object = Meta> {
  readonly id: string;
  /** What each of their connections says, as a map; none: they have gone. */
  readonly metas: readonly M[];
}

interface Seat {
  readonly id: string;
  readonly session: RosterSession;
}

/** One room's view of one topic; `presence.roster(name)` gives it. Reads are synchronous and from local memory. */
export class PlayerRoster<M extends object = Meta> {
  readonly name: string;
  readonly #roster: Roster;
  readonly #closed: (roster: PlayerRoster<AnyMeta>) => void;
  readonly #failed: (error: unknown) => void;
  readonly #seats = new Map<string, Seat>();
  readonly #watches = new Set<() => void>();
  #isClosed = false;

  /** `failed` is told what a listener threw. */
  constructor(
    name: string,
    roster: Roster,
    closed: (roster: PlayerRoster<AnyMeta>) => void,
    failed: (error: unknown) => void,
  ) {
    this.name = name;
    this.#failed = failed;
    this.#roster = roster;
    this.#closed = closed;
  }

  /**
   * Makes a player present, for as long as the process lives and nobody calls `untrack`: for `onJoin`. Again for the same
   * client it replaces the meta, or moves the client to another id.
   *
   * @param sessionId the client's: one person may be in the room with several
   * @throws {InvalidArgumentError} {LimitError} for what the node does not take, {RosterNameError} for an id without a key
   * @throws {ClosedError} after `close`: nobody would ever take the player away
   */
  track(sessionId: string, id: string, ...meta: MetaArgument<M>): void;
  track(sessionId: string, id: string, meta: AnyMeta = {}): void {
    if (this.#isClosed) throw new ClosedError("this roster");
    checkString("sessionId", sessionId);
    const seat = this.#seats.get(sessionId);
    const session = seat?.session ?? this.#roster.session();
    try {
      this.#roster.batch(() => {
        session.track(this.name, id, plain(meta));
        if (seat !== undefined && seat.id !== id) session.untrack(this.name, seat.id);
      });
      this.#seats.set(sessionId, { id, session });
    } finally {
      if (!this.#seats.has(sessionId)) session.close();
    }
  }

  /** The client is gone: for `onLeave`, behind `allowReconnection` if the room has that. Nothing happens if it was not here. */
  untrack(sessionId: string): void {
    checkString("sessionId", sessionId);
    this.#seats.get(sessionId)?.session.close();
    this.#seats.delete(sessionId);
  }

  /** Everybody on the topic, of all processes and protocols. Cost: O(answer). */
  list(): readonly Player<M>[];
  list(): readonly Player<AnyMeta>[] {
    return players(this.#roster.list(this.name));
  }

  /**
   * Calls `listener` with everybody, at once, and from then on with each one who came, changed or went, as they are now;
   * until the returned function, or `close`, is called.
   *
   * @throws {LimitError} beyond `watchersMax` of the node
   */
  watch(listener: (player: Player<M>) => void): () => void;
  watch(listener: (player: Player<AnyMeta>) => void): () => void {
    checkFunction("listener", listener);
    const tell = (player: Player) => callListener(listener, player, this.#failed);
    const unwatch = this.#roster.watch(this.name, (change) => {
      if (change.type === "state") {
        for (const player of players(change.presences)) tell(player);
        return;
      }
      const ids = new Set([
        ...change.joins.map(({ key }) => key),
        ...change.updates.map(({ after }) => after.key),
        ...change.leaves.map(({ presence }) => presence.key),
      ]);
      for (const id of ids) tell({ id, metas: this.#roster.get(this.name, id).map(metaOf) });
    });
    const end = () => {
      if (this.#watches.delete(end)) unwatch();
    };
    this.#watches.add(end);
    return end;
  }

  /** Takes all its players away, and ends what watches: for `onDispose`. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const end of [...this.#watches]) end();
    this.#roster.batch(() => {
      for (const sessionId of [...this.#seats.keys()]) this.untrack(sessionId);
    });
    this.#closed(this);
  }
}

function players(presences: readonly Presence[]): Player[] {
  const metas = new Map<string, Meta[]>();
  for (const presence of presences) {
    const known = metas.get(presence.key);
    if (known === undefined) metas.set(presence.key, [metaOf(presence)]);
    else known.push(metaOf(presence));
  }
  return Array.from(metas, ([id, said]) => ({ id, metas: said }));
}

function metaOf({ meta }: Presence): Meta {
  return saidAsMap(meta);
}
