/** The list of people against the list of the server: never more than it says, and no flicker within the bound. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { WireMeta } from "./person.ts";
import { Roster, type RosterChange } from "./roster.ts";

const LEAVE_DELAY_MS = 100;
const keys = ["a", "b", "__proto__"];

/** What the server may do: connections come and go, update, come back with the reference of before, and are told twice. */
const step = fc.oneof(
  fc.record({ type: fc.constant("come" as const), key: fc.constantFrom(...keys), n: fc.nat(2) }),
  fc.record({ type: fc.constantFrom("go" as const, "update" as const), at: fc.nat(9), n: fc.nat(2) }),
  fc.record({ type: fc.constant("return" as const), at: fc.nat(9) }),
  fc.record({ type: fc.constant("again" as const), at: fc.nat(9) }),
  fc.record({ type: fc.constant("settle" as const), afterMs: fc.nat(150) }),
);
const history = fc.array(step, { size: "max", maxLength: 40 });

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** The server's list, and a roster that is told of it. */
class World {
  readonly present: { key: string; meta: WireMeta }[] = [];
  readonly gone: { key: string; meta: WireMeta }[] = [];
  readonly roster: Roster<{ n: number }>;
  readonly told: RosterChange<{ n: number }>[] = [];
  /** Who is shown, as the events say it. */
  readonly shown = new Set<string>();
  nowMs = 0;
  #nextRef = 1;

  constructor(leaveDelayMs: number, heldMax = 1_000) {
    this.roster = new Roster({ leaveDelayMs, heldMax });
  }

  do(action: Step): void {
    if (action.type === "come") this.#come({ key: action.key, meta: { phx_ref: this.#ref(), n: action.n } });
    else if (action.type === "return") {
      const [back] = this.gone.splice(action.at % Math.max(1, this.gone.length), 1);
      if (back !== undefined) this.#come(back);
    } else if (action.type === "settle") this.pass(action.afterMs);
    else if (this.present.length > 0) {
      const index = action.at % this.present.length;
      const { key, meta } = this.present[index]!;
      if (action.type === "again") {
        this.roster.came(key, [meta]);
        return;
      }
      if (action.type === "update") {
        const next = { phx_ref: this.#ref(), phx_ref_prev: meta.phx_ref, n: action.n };
        this.present[index] = { key, meta: next };
        this.roster.came(key, [next]);
      } else this.gone.push(...this.present.splice(index, 1));
      this.roster.gone(key, [meta]);
    }
  }

  /** Settles, and lets time pass, giving up seats as their time comes. */
  pass(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    this.#note(this.roster.settle(this.nowMs));
    for (let next = this.roster.nextExpiryMs; next !== undefined && next <= untilMs; ) {
      this.nowMs = Math.max(this.nowMs, next);
      this.#note(this.roster.expire(this.nowMs));
      next = this.roster.nextExpiryMs;
    }
    this.nowMs = untilMs;
  }

  expected(): [string, number[]][] {
    const metas = new Map<string, number[]>();
    for (const { key, meta } of this.present)
      metas.set(key, [...(metas.get(key) ?? []), meta.n as number].sort());
    return [...metas].sort();
  }

  actual(): [string, number[]][] {
    return this.roster.people
      .map(({ key, metas }): [string, number[]] => [key, metas.map(({ n }) => n).sort()])
      .sort();
  }

  #come(entry: { key: string; meta: WireMeta }): void {
    this.present.push(entry);
    this.roster.came(entry.key, [entry.meta]);
  }

  #ref(): string {
    return `ref${this.#nextRef++}`;
  }

  #note(changes: readonly RosterChange<{ n: number }>[]): void {
    for (const change of changes) {
      const { key } = change.person;
      expect(this.shown.has(key), `${change.type} of ${key}`).toBe(change.type !== "join");
      if (change.type === "join") this.shown.add(key);
      if (change.type === "leave") this.shown.delete(key);
      this.told.push(change);
    }
    expect(this.roster.people.map(({ key }) => key).sort()).toEqual([...this.shown].sort());
  }
}

test("without a delay the list is that of the server, and events lead from each list to the next", () => {
  fc.assert(
    fc.property(history, (actions) => {
      const world = new World(0);
      for (const action of actions) {
        world.do(action);
        world.pass(0);
        expect(world.actual()).toEqual(world.expected());
      }
      expect(world.roster.nextExpiryMs).toBeUndefined();
    }),
  );
});

test("with a delay the list is that of the server once it has passed, whatever came before", () => {
  fc.assert(
    fc.property(history, (actions) => {
      const world = new World(LEAVE_DELAY_MS);
      for (const action of actions) world.do(action);
      world.pass(LEAVE_DELAY_MS);
      world.pass(0);
      expect(world.actual()).toEqual(world.expected());
      expect(world.roster.nextExpiryMs).toBeUndefined();
    }),
  );
});

test("nobody who is present is ever missing, and nobody is shown who was not there within the delay", () => {
  fc.assert(
    fc.property(history, (actions) => {
      const world = new World(LEAVE_DELAY_MS);
      const seenAtMs = new Map<string, number>();
      for (const action of actions) {
        world.do(action);
        world.pass(0);
        const present = new Set(world.present.map(({ key }) => key));
        for (const key of present) seenAtMs.set(key, world.nowMs);
        for (const key of present) expect(world.shown).toContain(key);
        for (const key of world.shown)
          expect(world.nowMs - seenAtMs.get(key)!).toBeLessThanOrEqual(LEAVE_DELAY_MS + 150);
      }
    }),
  );
});

test("as many as may be are kept for those who come back, and the others leave at once", () => {
  fc.assert(
    fc.property(history, fc.nat(3), (actions, heldMax) => {
      const world = new World(LEAVE_DELAY_MS, heldMax);
      for (const action of actions) {
        world.do(action);
        world.pass(0);
        const connections = world.roster.people.reduce((sum, { metas }) => sum + metas.length, 0);
        expect(connections - world.present.length).toBeLessThanOrEqual(heldMax);
      }
    }),
  );
});
