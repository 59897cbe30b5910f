import fc from "fast-check";
import { expect, test } from "vitest";
import { Entry } from "./entry.ts";
import { replicaId } from "./index.ts";
import type { LeaveReason, Presence, TopicChange } from "./presence.ts";
import { Roster } from "./roster.ts";
import type { TopicsChange } from "./topic-list-watches.ts";

const TOPICS = ["room:1", "__proto__"];
const KEYS = ["ann", "constructor"];
const REPLICAS = ["a", "b"].map((name) => replicaId(name, 1));
const REASONS: readonly LeaveReason[] = ["left", "lost", "evicted", "removed"];

/** For each topic, key and replica: two entries of their own, and a chain of three, each an update of the one before. */
const CHAIN = 3;
function newEntries(): Entry[] {
  const entries: Entry[] = [];
  const numbers = REPLICAS.map(() => 0);
  for (const topic of TOPICS) {
    for (const key of KEYS) {
      for (const [index, replica] of REPLICAS.entries()) {
        const add = (previous: number, root?: number) => {
          const number = ++numbers[index]!;
          const meta = { root: root ?? number };
          entries.push(new Entry(replica, number, topic, key, meta, previous, meta.root));
          return number;
        };
        add(0);
        const root = add(0);
        for (let link = 1, previous = root; link < CHAIN; link++) previous = add(previous, root);
        add(0);
      }
    }
  }
  return entries;
}
const COUNT = newEntries().length;

type Step =
  | { do: "show"; entry: number }
  | { do: "hide"; entry: number; reason: LeaveReason }
  | { do: "swap" | "replace"; entry: number; other: number }
  | { do: "flicker"; entry: number }
  | { do: "begin" | "end" }
  | { do: "watch"; topic: number }
  | { do: "watch-topics"; prefix: number }
  | { do: "unwatch"; watcher: number };
const entry = fc.nat(COUNT - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("show" as const), entry }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("hide" as const), entry, reason: fc.constantFrom(...REASONS) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("swap" as const, "replace" as const), entry, other: entry }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("begin" as const, "end" as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("watch" as const), topic: fc.nat(TOPICS.length - 1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("watch-topics" as const), prefix: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unwatch" as const), watcher: fc.nat(9) }) },
);

/** Whether these are the presences of the entries, each of them once. */
function areSame(some: Iterable<Presence>, entries: readonly Entry[]): boolean {
  const list = [...some];
  const others = entries.map(({ presence }) => presence);
  const set = new Set(list);
  return (
    list.length === others.length && set.size === others.length && others.every((other) => set.has(other))
  );
}

/** What somebody who only listens believes. */
class Believer {
  readonly topic: string;
  readonly believed = new Set<Presence>();
  number = -1;
  stop: () => void = () => undefined;

  constructor(topic: string) {
    this.topic = topic;
  }

  hear(change: TopicChange): void {
    expect(change.topic).toBe(this.topic);
    if (change.type === "state") {
      expect(this.number).toBe(-1);
      this.number = change.number;
      for (const presence of change.presences) this.join(presence);
      return;
    }
    expect(change.number).toBe(++this.number);
    expect(change.joins.length + change.leaves.length + change.updates.length).toBeGreaterThan(0);
    // What came back within one change was never away.
    const gone = [
      ...change.leaves.map(({ presence }) => presence),
      ...change.updates.map(({ before }) => before),
    ];
    const come = [...change.joins, ...change.updates.map(({ after }) => after)];
    expect(new Set([...gone, ...come]).size).toBe(gone.length + come.length);
    for (const { presence } of change.leaves) expect(this.believed.delete(presence)).toBe(true);
    for (const { before, after } of change.updates) {
      expect([after.topic, after.key]).toEqual([before.topic, before.key]);
      expect(this.believed.delete(before)).toBe(true);
      this.join(after);
    }
    for (const presence of change.joins) this.join(presence);
    // What could have been told as an update was not told as a leave and a join.
    const chainOf = ({ replica, meta }: Presence) => `${replica} ${meta.root}`;
    const left = new Set(change.leaves.map(({ presence }) => chainOf(presence)));
    const updated = new Set(change.updates.map(({ after }) => after));
    for (const presence of change.joins) {
      const chain = chainOf(presence);
      const twins = [...this.believed].filter((other) => chainOf(other) === chain && !updated.has(other));
      if (twins.length === 1) expect(left.has(chain)).toBe(false);
    }
  }

  private join(presence: Presence): void {
    expect(presence.topic).toBe(this.topic);
    expect(this.believed.has(presence)).toBe(false);
    this.believed.add(presence);
  }
}

/** Somebody who only listens for topics that begin with a prefix. */
class TopicsBeliever {
  readonly prefix: string;
  readonly believed = new Set<string>();

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  hear(change: TopicsChange): void {
    if (change.type === "state") {
      for (const topic of change.topics) this.believed.add(topic);
      return;
    }
    expect(change.appeared.length + change.vanished.length).toBeGreaterThan(0);
    for (const topic of change.appeared) {
      expect(this.believed.has(topic)).toBe(false);
      this.believed.add(topic);
    }
    for (const topic of change.vanished) expect(this.believed.delete(topic)).toBe(true);
  }
}

class World {
  readonly entries = newEntries();
  readonly roster = new Roster(
    { watchersMax: 1_000, diffIntervalMs: 0, diffIntervalEntries: 1, countIntervalMs: 1 },
    {
      failed: (error) => {
        throw error;
      },
      wake: () => undefined,
      told: () => undefined,
    },
  );
  /** The naive roster: all that is shown, in order of appearance. */
  readonly shown = new Set<Entry>();
  readonly believers: Believer[] = [];
  readonly topicsBelievers: TopicsBeliever[] = [];
  depth = 0;

  run(step: Step): void {
    const { roster } = this;
    switch (step.do) {
      case "begin":
        roster.begin();
        this.depth++;
        return;
      case "end":
        if (this.depth > 0) this.end();
        return;
      case "watch": {
        const believer = new Believer(TOPICS[step.topic]!);
        believer.stop = roster.watch(believer.topic, (change) => believer.hear(change));
        this.believers.push(believer);
        expect(areSame(believer.believed, this.in(believer.topic))).toBe(true);
        return;
      }
      case "watch-topics": {
        const believer = new TopicsBeliever(["", "room:", "x"][step.prefix]!);
        this.roster.watchTopics(believer.prefix, (change) => believer.hear(change));
        this.topicsBelievers.push(believer);
        return;
      }
      case "unwatch": {
        const [believer] = this.believers.splice(step.watcher % Math.max(1, this.believers.length), 1);
        believer?.stop();
        return;
      }
      default:
        roster.begin();
        this.change(step);
        roster.end();
    }
  }

  end(): void {
    this.depth--;
    this.roster.end();
  }

  private change(step: Extract<Step, { entry: number }>): void {
    const entry = this.entries[step.entry]!;
    if (step.do === "show") {
      this.roster.show(entry);
      this.shown.add(entry);
    } else if (step.do === "hide") {
      this.roster.hide(entry, step.reason);
      this.shown.delete(entry);
    } else if (step.do === "flicker") {
      // There and back, whichever it is.
      for (let turn = 0; turn < 2; turn++) {
        if (entry.shown) this.roster.hide(entry, "lost");
        else this.roster.show(entry);
      }
    } else {
      // Within a topic and key, from one that is shown to one that is not.
      const candidates = this.entries.filter(({ topic, key }) => topic === entry.topic && key === entry.key);
      const other = candidates[step.other % candidates.length]!;
      if (!entry.shown || other.shown) return;
      this.roster[step.do](entry, other);
      this.shown.delete(entry);
      this.shown.add(other);
    }
  }

  private in(topic: string): Entry[] {
    return [...this.shown].filter((entry) => entry.topic === topic);
  }

  check(): void {
    const { roster } = this;
    for (const topic of TOPICS) {
      const there = this.in(topic);
      const keys = new Set(there.map(({ key }) => key));
      must(areSame(roster.list(topic), there), `list of ${topic}`);
      const count = roster.count(topic);
      must(count.keys === keys.size && count.entries === there.length, `count of ${topic}`);
      for (const key of KEYS) {
        const own = there.filter((entry) => entry.key === key);
        const got = roster.get(topic, key);
        must(areSame(got, own), `get of ${key} on ${topic}`);
        must(roster.find(topic, key, () => true)?.presence === got[0], `first of ${key} on ${topic}`);
        must(roster.find(topic, key, () => false) === undefined, `none of ${key} on ${topic}`);
        for (const entry of own) must(roster.find(topic, key, (other) => other === entry) === entry, "find");
      }
    }
    for (const prefix of ["", "room:", "room:1", "x"]) {
      const expected = TOPICS.filter((topic) => topic.startsWith(prefix) && this.in(topic).length > 0).sort();
      const summaries = expected.map((topic) => ({ topic, ...roster.count(topic) }));
      must(JSON.stringify(roster.summaries(prefix)) === JSON.stringify(summaries), `topics of ${prefix}`);
    }
    for (const key of KEYS) {
      const topics = TOPICS.filter((topic) => this.in(topic).some((entry) => entry.key === key));
      must(`${roster.topicsOf(key).sort()}` === `${topics.sort()}`, `where ${key}`);
    }
    if (this.depth > 0) return;
    for (const { topic, believed } of this.believers)
      must(areSame(believed, this.in(topic)), `diffs of ${topic}`);
    for (const { prefix, believed } of this.topicsBelievers) {
      const topics = TOPICS.filter((topic) => topic.startsWith(prefix) && this.in(topic).length > 0);
      must(`${[...believed].sort()}` === `${topics.sort()}`, `topics that begin with ${prefix}`);
    }
  }
}

/** There are very many of these, and `expect` takes its time. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the roster is wrong about ${what}`);
}

test("readers see what is shown, and state plus diffs is what they see, whatever changes within or between batches", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const world = new World();
      for (const step of steps) {
        world.run(step);
        world.check();
      }
      while (world.depth > 0) world.end();
      world.check();
      for (const entry of world.entries)
        world.run({ do: "hide", entry: world.entries.indexOf(entry), reason: "left" });
      world.check();
      expect(world.roster.summaries("")).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test.each<[string, Step[]]>([
  [
    "who took its place has gone again",
    [
      { do: "show", entry: 8 },
      { do: "begin" },
      { do: "watch", topic: 0 },
      { do: "show", entry: 6 },
      { do: "replace", entry: 8, other: 3 },
      { do: "hide", entry: 3, reason: "left" },
    ],
  ],
  [
    "who took its place was replaced itself",
    [
      { do: "show", entry: 31 },
      { do: "watch", topic: 1 },
      { do: "begin" },
      { do: "replace", entry: 31, other: 18 },
      { do: "swap", entry: 38, other: 2 },
    ],
  ],
  [
    "another entry of its lineage is replaced by one that says so",
    [
      { do: "show", entry: 31 },
      { do: "watch", topic: 1 },
      { do: "show", entry: 36 },
      { do: "begin" },
      { do: "swap", entry: 36, other: 12 },
      { do: "replace", entry: 31, other: 27 },
    ],
  ],
])("an update is told as one although %s", (_, steps) => {
  const world = new World();
  for (const step of steps) world.run(step);
  world.end();
  world.check();
});
