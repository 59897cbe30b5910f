/** One join and one leave for each id, whatever its sessions and their nodes do. */
import fc from "fast-check";
import type { Leave, Presence, Update } from "presently";
import { expect, test } from "vitest";
import { metaOf } from "./presence-meta.ts";
import { PresenceView } from "./presence-view.ts";

const TTL_MS = 100;
const IDS = ["7", "__proto__", "é"];
const NODES = ["a", "b"];

class World {
  readonly view = new PresenceView(TTL_MS);
  readonly shown = new Map<string, Presence>();
  readonly lost = new Map<string, Presence[]>();
  /** What a subscriber makes of the events. */
  readonly told = new Set<string>();
  now = 0;
  #refs = 0;

  constructor() {
    this.view.apply({ type: "state", topic: "s", number: 0, presences: [] }, 0);
  }

  diff(change: { joins?: Presence[]; leaves?: Leave[]; updates?: Update[] }): void {
    const { joins = [], leaves = [], updates = [] } = change;
    this.#hear(this.view.apply({ type: "diff", topic: "s", number: 1, joins, leaves, updates }, this.now));
  }

  entry(node: string, key: string, info: unknown): Presence {
    const ref = `r${++this.#refs}`;
    const meta = metaOf({ info, at: this.#refs });
    return { topic: "s", key, meta, ref, previousRef: undefined, node, replica: `${node}@1` as never };
  }

  tick(ms: number): void {
    this.now += ms;
    this.#hear(this.view.tick(this.now));
  }

  pick(choice: number): Presence | undefined {
    return [...this.shown.values()][choice % Math.max(1, this.shown.size)];
  }

  #hear(events: ReturnType<PresenceView["tick"]>): void {
    for (const { type, id } of events) {
      expect(this.told.has(id), `${type} of ${id}`).toBe(type === "leave");
      if (type === "join") this.told.add(id);
      else this.told.delete(id);
    }
  }

  check(): void {
    expect(new Set(this.view.ids())).toEqual(this.told);
    expect(this.view.records().map(({ id }) => id)).toEqual([...this.view.ids()]);
    for (const { key } of this.shown.values()) expect(this.told.has(key)).toBe(true);
  }
}

type Step = (world: World) => void;

const join = fc
  .record({
    node: fc.constantFrom(...NODES),
    key: fc.constantFrom(...IDS),
    info: fc.constantFrom(1, 2, undefined),
  })
  .map(
    ({ node, key, info }): Step =>
      (world) => {
        const entry = world.entry(node, key, info);
        if (world.lost.has(node)) return;
        world.shown.set(entry.ref, entry);
        world.diff({ joins: [entry] });
        expect(world.view.record(key)).toEqual(info === undefined ? { id: key } : { id: key, info });
      },
  );
const leave = fc.nat(20).map(
  (choice): Step =>
    (world) => {
      const presence = world.pick(choice);
      if (presence === undefined) return;
      world.shown.delete(presence.ref);
      world.diff({ leaves: [{ presence, reason: "left" }] });
    },
);
const update = fc.record({ choice: fc.nat(20), info: fc.nat(3), node: fc.constantFrom(...NODES) }).map(
  ({ choice, info, node }): Step =>
    (world) => {
      const before = world.pick(choice);
      if (before === undefined || world.lost.has(node)) return;
      const after = world.entry(node, before.key, info);
      world.shown.delete(before.ref);
      world.shown.set(after.ref, after);
      world.diff({ updates: [{ before, after }] });
    },
);
const lose = fc.constantFrom(...NODES).map(
  (node): Step =>
    (world) => {
      if (world.lost.has(node)) return;
      const gone = [...world.shown.values()].filter((presence) => presence.node === node);
      for (const { ref } of gone) world.shown.delete(ref);
      world.lost.set(node, gone);
      world.diff({ leaves: gone.map((presence) => ({ presence, reason: "lost" as const })) });
    },
);
const back = fc.constantFrom(...NODES).map(
  (node): Step =>
    (world) => {
      const gone = world.lost.get(node);
      if (gone === undefined) return;
      world.lost.delete(node);
      for (const presence of gone) world.shown.set(presence.ref, presence);
      world.diff({ joins: gone });
    },
);
const pass = fc.integer({ min: 1, max: TTL_MS }).map(
  (ms): Step =>
    (world) =>
      world.tick(ms),
);

test("joins and leaves alternate, nobody who is shown is absent, and nobody is lost for longer than the time to live", () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: join },
    { weight: 2, arbitrary: leave },
    update,
    lose,
    back,
    pass,
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const world = new World();
      for (const run of steps) {
        run(world);
        world.check();
      }
      world.tick(TTL_MS);
      expect(world.told).toEqual(new Set([...world.shown.values()].map(({ key }) => key)));
    }),
  );
});

test("who comes back while its node is lost was never away", () => {
  const world = new World();
  const [first, second] = [world.entry("a", "7", 1), world.entry("b", "7", 2)];
  world.diff({ joins: [first] });
  world.diff({ leaves: [{ presence: first, reason: "lost" }] });
  expect([...world.told]).toEqual(["7"]);
  world.tick(TTL_MS - 1);
  world.diff({ joins: [second] });
  world.tick(1_000);
  expect([...world.told]).toEqual(["7"]);
  // And is gone when it leaves: what was lost has come back as this.
  world.diff({ leaves: [{ presence: second, reason: "left" }] });
  expect([...world.told]).toEqual([]);
});

test("an entry has to say the info of the latest join when the one that said it has gone", () => {
  const world = new World();
  const [old, late] = [world.entry("a", "7", "old"), world.entry("b", "7", "late")];
  world.diff({ joins: [old] });
  world.diff({ joins: [late] });
  expect(world.view.heir("7")).toBeUndefined();
  world.diff({ leaves: [{ presence: late, reason: "left" }] });
  expect(world.view.record("7")).toEqual({ id: "7", info: "late" });
  expect(world.view.heir("7")).toBe(old);
});

test("what others track is shown with its whole meta as the info", () => {
  const view = new PresenceView(TTL_MS);
  const presence = { ...new World().entry("a", "7", 1), meta: { name: "Ann" } };
  view.apply(
    { type: "state", topic: "s", number: 0, presences: [presence, { ...presence, key: "8", meta: {} }] },
    0,
  );
  expect(view.records()).toEqual([{ id: "7", info: { name: "Ann" } }, { id: "8" }]);
});
