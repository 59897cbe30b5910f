/** Receivers can keep a list by what they are told: arrivals and departures of a key alternate. */
import type { Presence } from "@presently/replica";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type LedgerStep, TopicLedger } from "./topic-ledger.ts";

const GRACE_MS = 100;

class World {
  readonly ledger = new TopicLedger(GRACE_MS);
  readonly shown = new Map<string, Presence>();
  readonly lost = new Map<string, Presence>();
  readonly told = new Set<string>();
  now = 0;
  #refs = 0;

  entry(key: string): Presence {
    const ref = `r${++this.#refs}`;
    return { topic: "t", key, meta: {}, ref, previousRef: undefined, node: "a", replica: "a@1" as never };
  }

  join(presence: Presence): void {
    this.shown.set(presence.ref, presence);
    this.diff({ joins: [presence] });
  }

  leave(presence: Presence, reason: "left" | "lost"): void {
    this.shown.delete(presence.ref);
    if (reason === "lost") this.lost.set(presence.ref, presence);
    this.diff({ leaves: [{ presence, reason }] });
  }

  diff(change: object): void {
    const diff = {
      type: "diff" as const,
      topic: "t",
      number: 1,
      joins: [],
      leaves: [],
      updates: [],
      ...change,
    };
    this.hear(this.ledger.apply(diff, this.now));
  }

  pass(ms: number): void {
    this.now += ms;
    this.hear(this.ledger.tick(this.now));
  }

  hear(steps: readonly LedgerStep[]): void {
    for (const step of steps) {
      const { key } = step.presence;
      expect(this.told.has(key)).toBe(step.type === "departed");
      if (step.type === "arrived") {
        expect(step.isFirst).toBe(this.told.size === 0);
        this.told.add(key);
      } else {
        this.told.delete(key);
        expect(step.isLast).toBe(this.told.size === 0);
      }
    }
  }
}

type Step = (world: World) => void;

const at = (from: Map<string, Presence>, choice: number) =>
  [...from.values()][choice % Math.max(1, from.size)];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom("7", "8", "__proto__").map((key) => (world: World) => world.join(world.entry(key))),
  fc.nat(9).map((choice) => (world: World) => {
    const presence = at(world.shown, choice);
    if (presence !== undefined) world.leave(presence, "left");
  }),
  fc.nat(9).map((choice) => (world: World) => {
    const presence = at(world.shown, choice);
    if (presence !== undefined) world.leave(presence, "lost");
  }),
  fc.nat(9).map((choice) => (world: World) => {
    const presence = at(world.lost, choice);
    if (presence === undefined) return;
    world.lost.delete(presence.ref);
    world.join(presence);
  }),
  fc.integer({ min: 1, max: GRACE_MS }).map((ms) => (world: World) => world.pass(ms)),
);

test("a key arrives and departs alternately, the first occupies the topic, and the last vacates it", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const world = new World();
      for (const run of steps) {
        run(world);
        expect(world.ledger.size).toBe(world.told.size);
        for (const { key } of world.shown.values()) expect(world.told.has(key)).toBe(true);
      }
      world.pass(GRACE_MS);
      expect(world.told).toEqual(new Set([...world.shown.values()].map(({ key }) => key)));
      expect(world.ledger.waits).toBe(false);
    }),
  );
});

test("who is lost and comes back in time was never away; its own node that comes back later is said to", () => {
  const world = new World();
  const [first, second] = [world.entry("7"), world.entry("7")];
  world.join(first);
  world.leave(first, "lost");
  world.pass(GRACE_MS - 1);
  world.join(second);
  expect([...world.told]).toEqual(["7"]);
  world.leave(second, "lost");
  world.pass(GRACE_MS);
  expect([...world.told]).toEqual([]);
  const back = { type: "diff" as const, topic: "t", number: 1, joins: [second], leaves: [], updates: [] };
  expect(world.ledger.apply(back, world.now)).toEqual([
    { type: "arrived", presence: second, isFirst: true, returned: true },
  ]);
});
