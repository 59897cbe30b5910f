/**
 * How can a list show who is here and not flicker, when everybody's connection breaks now and then?
 *
 * A connection that is gone keeps its seat for `leaveDelayMs`. Whoever comes under the same key meanwhile takes that seat, and
 * was never away; a seat that nobody took by then is given up, and only then is it a leave. So what is shown is the list
 * of the server, and at most so much later where somebody left. An update takes the seat that it names.
 *
 * Knows no socket and no clock: it is told of changes and of the time.
 */
import { type Meta, type Person, personOf, type Seat, sameJson, seatOf, type WireMeta } from "./person.ts";

export interface RosterOptions {
  /** How long a seat is kept; 0 gives it up at once. */
  readonly leaveDelayMs: number;
  /** Seats that are kept at a time; more are given up at once. */
  readonly heldMax: number;
}

/** What a change was for those who watch. */
export type RosterChange<M extends Meta> =
  | { readonly type: "join"; readonly person: Person<M> }
  | { readonly type: "leave"; readonly person: Person<M> }
  | { readonly type: "update"; readonly person: Person<M>; readonly previous: Person<M> };

interface HeldSeat<M extends Meta> extends Seat<M> {
  /** Until when it is kept; undefined while its connection is there. */
  readonly untilMs?: number;
}

interface Entry<M extends Meta> {
  seats: HeldSeat<M>[];
  person: Person<M>;
}

interface Change {
  /** By reference. */
  readonly came: Map<string, WireMeta>;
  readonly gone: Set<string>;
}

export class Roster<M extends Meta> {
  readonly #options: RosterOptions;
  readonly #entries = new Map<string, Entry<M>>();
  /** What was told and not settled yet, by key. */
  #changes = new Map<string, Change>();
  /** Keys with a seat that is kept for somebody. */
  readonly #holding = new Set<string>();
  #held = 0;
  #people: readonly Person<M>[] | undefined = Object.freeze([]);

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  /** Everybody, in the order in which this client heard of them; the same array until something changes. */
  get people(): readonly Person<M>[] {
    this.#people ??= Object.freeze(Array.from(this.#entries.values(), ({ person }) => person));
    return this.#people;
  }

  get(key: string): Person<M> | undefined {
    return this.#entries.get(key)?.person;
  }

  /** When the next seat is given up, for `expire`; undefined if none is kept. */
  get nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const key of this.#holding)
      for (const { untilMs } of this.#entries.get(key)!.seats)
        if (untilMs !== undefined && (next === undefined || untilMs < next)) next = untilMs;
    return next;
  }

  /** These connections came; one that is told twice is one. Shown from the next `settle` on. */
  came(key: string, metas: readonly WireMeta[]): void {
    const { came } = this.#changeOf(key);
    for (const meta of metas) came.set(meta.phx_ref, meta);
  }

  /** These connections are gone. Shown from the next `settle` on. */
  gone(key: string, metas: readonly WireMeta[]): void {
    const change = this.#changeOf(key);
    for (const { phx_ref: ref } of metas) {
      change.came.delete(ref);
      // It may have a seat as well, if it was told twice.
      change.gone.add(ref);
    }
  }

  /** Takes in what came and what is gone as one change. Cost: O(what changed). */
  settle(nowMs: number): RosterChange<M>[] {
    const changes = this.#changes;
    this.#changes = new Map();
    return this.#show(changes, (seats, change) => this.#seat(seats, change, nowMs));
  }

  /** Gives up the seats whose time is over. */
  expire(nowMs: number): RosterChange<M>[] {
    const holding = new Map(Array.from(this.#holding, (key) => [key, undefined] as const));
    return this.#show(holding, (seats) =>
      seats.filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs),
    );
  }

  #changeOf(key: string): Change {
    const change = this.#changes.get(key) ?? { came: new Map(), gone: new Set() };
    this.#changes.set(key, change);
    return change;
  }

  #seat(before: readonly HeldSeat<M>[], { came, gone }: Change, nowMs: number): HeldSeat<M>[] {
    const seats = [...before];
    const free = new Set(seats.filter(({ ref, untilMs }) => untilMs !== undefined || gone.has(ref)));
    const take = (wire: WireMeta, freed: HeldSeat<M> | undefined) => {
      const next = seatOf<M>(wire);
      if (freed === undefined) seats.push(next);
      else {
        free.delete(freed);
        seats[seats.indexOf(freed)] = succeeding(freed, next);
      }
    };
    const taken = new Set(seats.flatMap((seat) => (free.has(seat) ? [] : [seat.ref])));
    // Updates first, and connections of a node that could not be reached: they name their seat; the others may have any.
    const unnamed = [...came.values()].filter((wire) => {
      if (taken.has(wire.phx_ref)) return false;
      const named = [...free].find(({ ref }) => ref === wire.phx_ref || ref === wire.phx_ref_prev);
      if (named !== undefined) take(wire, named);
      return named === undefined;
    });
    for (const wire of unnamed) take(wire, [...free][0]);
    return this.#keep(seats, free, nowMs);
  }

  /** The seats; those that are free are kept for whoever comes back, unless too many are. */
  #keep(seats: readonly HeldSeat<M>[], free: ReadonlySet<HeldSeat<M>>, nowMs: number): HeldSeat<M>[] {
    const { leaveDelayMs, heldMax } = this.#options;
    let room = leaveDelayMs === 0 ? 0 : heldMax - this.#held;
    return seats.flatMap((seat) => {
      if (!free.has(seat)) return [seat];
      if (room-- <= 0) return [];
      return [seat.untilMs === undefined ? { ...seat, untilMs: nowMs + leaveDelayMs } : seat];
    });
  }

  #show<C>(
    changes: ReadonlyMap<string, C>,
    seatsAfter: (seats: readonly HeldSeat<M>[], change: C) => HeldSeat<M>[],
  ): RosterChange<M>[] {
    const shown: RosterChange<M>[] = [];
    for (const [key, change] of changes) {
      const entry = this.#entries.get(key);
      this.#held -= heldAmong(entry?.seats ?? []);
      const seats = seatsAfter(entry?.seats ?? [], change);
      const held = heldAmong(seats);
      this.#held += held;
      if (held > 0) this.#holding.add(key);
      else this.#holding.delete(key);
      shown.push(...this.#replace(key, entry, seats));
    }
    if (shown.length > 0) this.#people = undefined;
    return shown;
  }

  #replace(key: string, entry: Entry<M> | undefined, seats: HeldSeat<M>[]): RosterChange<M>[] {
    const previous = entry?.person;
    if (seats.length === 0) {
      this.#entries.delete(key);
      return previous === undefined ? [] : [{ type: "leave", person: previous }];
    }
    if (entry === undefined || previous === undefined) {
      const person = personOf(key, seats);
      this.#entries.set(key, { seats, person });
      return [{ type: "join", person }];
    }
    entry.seats = seats;
    const person = personOf(key, seats);
    if (sameJson(person, previous)) return [];
    entry.person = person;
    return [{ type: "update", person, previous }];
  }
}

function heldAmong(seats: readonly HeldSeat<Meta>[]): number {
  return seats.filter(({ untilMs }) => untilMs !== undefined).length;
}

/** Who takes a seat was there since then; a meta that says the same stays the same object. */
function succeeding<M extends Meta>(freed: Seat<M>, next: Seat<M>): Seat<M> {
  const times = [freed.sinceMs, next.sinceMs].filter((time) => time !== undefined);
  const sinceMs = times.length === 0 ? undefined : Math.min(...times);
  return { ...next, meta: sameJson(freed.meta, next.meta) ? freed.meta : next.meta, sinceMs };
}
