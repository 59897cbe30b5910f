import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { replicaId } from "./index.ts";
import type { PeopleChange, PersonLeave } from "./people.ts";
import { type People, PeopleWatches } from "./people-watches.ts";
import type { Leave, LeaveReason, Presence, TopicChange, Update, Watcher } from "./presence.ts";

const TOPIC = "room:1";
const GRACE_MS = 1_000;
const replica = replicaId("a", 1);

function presenceOf(key: string, ref: string): Presence {
  return { topic: TOPIC, key, ref, meta: { ref }, node: "a", replica };
}

const isLost = (reason: LeaveReason) => reason === "lost" || reason === "evicted";

/** One diff: what each of three people does. */
const act = fc.constantFrom("join", "return", "left", "removed", "lost", "evicted", "update", "replace");
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(fc.tuple(fc.constantFrom("ann", "bob", "__proto__"), act), {
      minLength: 1,
      maxLength: 4,
    }),
  },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 1_500 }) },
);

/** A topic, as a watcher of entries is told of it. */
class Topic {
  watcher: Watcher = () => undefined;
  readonly shown = new Map<string, Presence>();
  /** Lost entries whose node may come back. */
  private readonly hidden = new Map<string, Presence>();
  private refs = 0;
  private number = 0;

  watch(watcher: Watcher): () => void {
    this.watcher = watcher;
    watcher({ type: "state", topic: TOPIC, number: this.number, presences: [...this.shown.values()] });
    return () => {
      this.watcher = () => undefined;
    };
  }

  of(key: string): Presence[] {
    return [...this.shown.values()].filter((presence) => presence.key === key);
  }

  /** Everything of one diff; an entry takes part in it once. */
  change(acts: readonly (readonly [string, string])[]): TopicChange | undefined {
    const [joins, leaves, updates]: [Presence[], Leave[], Update[]] = [[], [], []];
    const touched = new Set<string>();
    const untouched = (presences: Iterable<Presence>, key: string) =>
      [...presences].find((presence) => presence.key === key && !touched.has(presence.ref));
    const show = (presence: Presence) => {
      touched.add(presence.ref);
      this.shown.set(presence.ref, presence);
      this.hidden.delete(presence.ref);
    };
    for (const [key, what] of acts) {
      const before = untouched(this.shown.values(), key);
      if (what === "join" || what === "replace") {
        const presence = presenceOf(key, `r${++this.refs}`);
        show(presence);
        joins.push(presence);
      }
      if (what === "return") {
        const presence = untouched(this.hidden.values(), key);
        if (presence === undefined) continue;
        show(presence);
        joins.push(presence);
      }
      if (before === undefined || what === "join" || what === "return") continue;
      touched.add(before.ref);
      this.shown.delete(before.ref);
      if (what === "update") {
        const after = presenceOf(key, `r${++this.refs}`);
        show(after);
        updates.push({ before, after });
        continue;
      }
      const reason = what === "replace" ? "left" : (what as LeaveReason);
      if (isLost(reason)) this.hidden.set(before.ref, before);
      leaves.push({ presence: before, reason });
    }
    if (joins.length + leaves.length + updates.length === 0) return undefined;
    const diff: TopicChange = { type: "diff", topic: TOPIC, number: ++this.number, joins, leaves, updates };
    this.watcher(diff);
    return diff;
  }
}

/** A reader who knows nothing but what it is told, and checks that it makes sense. */
class Reader {
  readonly there = new Map<string, Set<string>>();
  readonly gone: PersonLeave[] = [];
  private number: number | undefined;

  hear(change: PeopleChange): void {
    if (change.type === "state") {
      expect(this.number).toBe(undefined);
      this.number = change.number;
      for (const { key, presences } of change.people) this.there.set(key, refsOf(presences));
      return;
    }
    expect(change.number).toBe(++this.number!);
    for (const event of change.events) {
      const refs = this.there.get(event.key);
      if (event.type === "join") {
        expect(refs).toBe(undefined);
        expect(event.presences.length).toBeGreaterThan(0);
        this.there.set(event.key, refsOf(event.presences));
        continue;
      }
      if (event.type === "leave") {
        expect(this.there.delete(event.key)).toBe(true);
        this.gone.push(event);
        continue;
      }
      expect(refs).not.toBe(undefined);
      for (const { presence } of event.leaves) expect(refs!.delete(presence.ref)).toBe(true);
      for (const { before, after } of event.updates) {
        expect(refs!.delete(before.ref)).toBe(true);
        refs!.add(after.ref);
      }
      for (const { ref } of event.joins) refs!.add(ref);
    }
  }
}

const refsOf = (presences: readonly Presence[]) => new Set(presences.map(({ ref }) => ref));

class World {
  readonly topic = new Topic();
  readonly reader = new Reader();
  readonly watches = new PeopleWatches({
    watch: (_topic, watcher) => this.topic.watch(watcher),
    wake: () => {
      this.woken = true;
    },
    failed: (error) => {
      throw error;
    },
  });
  readonly people: People;
  now = 0;
  private woken = false;
  private dueAt = Number.POSITIVE_INFINITY;

  constructor(graceMs: number) {
    this.topic.change([["ann", "join"]]);
    this.people = this.watches.watch(TOPIC, { graceMs }, (change) => this.reader.hear(change));
  }

  /** Time goes on, and ticks come when they were asked for. */
  advance(ms: number): void {
    const end = this.now + ms;
    this.settle();
    while (this.dueAt <= end) {
      this.now = Math.max(this.now, this.dueAt);
      this.dueAt = this.watches.tick(this.now);
    }
    this.now = end;
  }

  /** As a replica does, which ticks soon after it was woken. */
  settle(): void {
    if (!this.woken) return;
    this.woken = false;
    this.dueAt = this.watches.tick(this.now);
  }

  check(): void {
    const { people, reader, topic } = this;
    const listed = people.list();
    expect(people.size).toBe(listed.length);
    expect(new Map(listed.map(({ key, presences }) => [key, refsOf(presences)]))).toEqual(reader.there);
    for (const key of ["ann", "bob", "__proto__"]) {
      const shown = topic.of(key);
      expect(people.get(key)?.presences.length ?? 0).toBe(shown.length);
      if (shown.length > 0) expect(reader.there.get(key)).toEqual(refsOf(shown));
    }
  }
}

describe("people", () => {
  test("state plus events is the list, nobody joins twice, and nobody leaves who was not there", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom(0, GRACE_MS), (steps, graceMs) => {
        const world = new World(graceMs);
        world.check();
        for (const each of steps) {
          if (typeof each === "number") world.advance(each);
          else world.topic.change(each);
          world.settle();
          world.check();
          if (graceMs === 0)
            expect([...world.reader.there.values()].every(({ size }) => size > 0)).toBe(true);
        }
        // When nothing changes any more, those who are left are those who are shown.
        world.advance(GRACE_MS + 1);
        world.check();
        expect([...world.reader.there.values()].every(({ size }) => size > 0)).toBe(true);
      }),
    );
  });

  test("a person who is lost leaves after the grace, and not before, unless they are back", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: GRACE_MS - 1 }),
        fc.constantFrom("join", "return", undefined),
        (afterMs, back) => {
          const world = new World(GRACE_MS);
          world.topic.change([["ann", "lost"]]);
          world.advance(afterMs);
          expect(world.reader.gone).toEqual([]);
          expect(world.people.get("ann")).toEqual({ key: "ann", presences: [] });
          if (back !== undefined) world.topic.change([["ann", back]]);
          world.advance(GRACE_MS - afterMs - 1);
          expect(world.reader.gone).toEqual([]);
          world.advance(1);
          expect(world.reader.gone.map(({ key, reason }) => [key, reason])).toEqual(
            back === undefined ? [["ann", "lost"]] : [],
          );
        },
      ),
    );
  });

  test("a replacement within one change is a leave, then a join", () => {
    const world = new World(GRACE_MS);
    const heard: PeopleChange[] = [];
    world.watches.watch(TOPIC, {}, (change) => heard.push(change));
    world.topic.change([["ann", "replace"]]);
    expect(heard).toMatchObject([
      { type: "state", number: 0, people: [{ key: "ann" }] },
      {
        type: "diff",
        number: 1,
        events: [
          { type: "leave", presence: { ref: "r1" } },
          { type: "join", presences: [{ ref: "r2" }] },
        ],
      },
    ]);
  });

  test("of two lost entries one that comes back makes good for one", () => {
    const world = new World(GRACE_MS);
    world.topic.change([["ann", "join"]]);
    world.topic.change([
      ["ann", "lost"],
      ["ann", "lost"],
    ]);
    world.topic.change([["ann", "join"]]);
    world.topic.change([["ann", "left"]]);
    world.settle();
    expect(world.people.size).toBe(1);
    world.advance(GRACE_MS);
    expect(world.people.size).toBe(0);
  });

  test("nothing is told after the end, and a grace that is no duration is refused", () => {
    const world = new World(GRACE_MS);
    world.topic.change([["ann", "lost"]]);
    world.people.end();
    world.advance(GRACE_MS);
    world.topic.change([["bob", "join"]]);
    expect(world.reader.gone).toEqual([]);
    for (const graceMs of [-1, Number.NaN, "1" as unknown as number])
      expect(() => world.watches.watch(TOPIC, { graceMs }, () => undefined)).toThrow(/graceMs/);
  });
});
