import { replicaId } from "@presently/crdt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Entry } from "./entry.ts";
import { KeyIndex } from "./key-index.ts";
import { type Held, Topic } from "./topic.ts";

const A = replicaId("a", 1);
const KEYS = Array.from({ length: 150 }, (_, index) => `key ${index}`);

/** Phases that fill the topic and empty it again, so that gaps are left and closed. */
const history = fc
  .array(
    fc.array(
      fc.record({
        what: fc.constantFrom("add", "add", "remove", "swap"),
        key: fc.nat(KEYS.length - 1),
        nth: fc.nat(),
      }),
      { maxLength: 400, size: "max" },
    ),
    { maxLength: 4 },
  )
  .map((phases) =>
    phases.flatMap((steps, index) => {
      const leaving = index % 2 === 1;
      return steps.map((step) => (leaving && step.what === "add" ? { ...step, what: "remove" } : step));
    }),
  );

/** What each topic should show: lists of entries by key, in the order in which the keys appeared. */
type Model = Map<Topic, Map<string, Entry[]>>;

class World {
  readonly index = new KeyIndex();
  readonly topics = [new Topic("one"), new Topic("two")];
  readonly model: Model = new Map(this.topics.map((topic) => [topic, new Map()]));
  private number = 0;

  add(topic: Topic, key: string): void {
    const entry = this.entry(topic, key);
    const held = this.index.get(topic, key);
    expect(this.index.add(topic, entry)).toBe(held);
    if (held === undefined) topic.add(entry);
    else this.index.replace(topic, key, topic.addTo(held, entry));
    const keys = this.model.get(topic)!;
    keys.set(key, [...(keys.get(key) ?? []), entry]);
  }

  remove(topic: Topic, key: string, nth: number): void {
    const keys = this.model.get(topic)!;
    const entries = keys.get(key);
    if (entries === undefined) return;
    const [entry] = entries.splice(nth % entries.length, 1);
    if (entries.length === 0) keys.delete(key);
    const left = topic.remove(entry!);
    if (left === undefined) this.index.delete(topic, key);
    else this.index.replace(topic, key, left);
    expect(entry!.shown).toBe(false);
  }

  swap(topic: Topic, key: string, nth: number): void {
    const entries = this.model.get(topic)!.get(key);
    if (entries === undefined) return;
    const before = entries[nth % entries.length]!;
    const after = this.entry(topic, key);
    entries[nth % entries.length] = after;
    this.index.replace(topic, key, topic.swap(before, after));
    expect([before.shown, after.shown]).toEqual([false, true]);
  }

  check(): void {
    for (const [topic, keys] of this.model) {
      const expected = [...keys.values()].flat();
      expect(topic.list().map(({ ref }) => ref)).toEqual(expected.map(({ ref }) => ref));
      expect([...topic.read()]).toEqual(topic.list());
      expect([topic.keys, topic.entries]).toEqual([keys.size, expected.length]);
    }
    for (const key of KEYS) {
      const on = this.topics.filter((topic) => this.model.get(topic)!.has(key));
      expect(
        this.index
          .topicsOf(key)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(on.map(({ name }) => name).sort());
      for (const topic of this.topics)
        expect(entriesOf(this.index.get(topic, key))).toEqual(this.model.get(topic)!.get(key) ?? []);
    }
  }

  private entry({ name }: Topic, key: string): Entry {
    const number = ++this.number;
    return new Entry(A, number, name, key, {}, 0, number);
  }
}

function entriesOf(held: Held | undefined): readonly Entry[] {
  return held === undefined ? [] : held instanceof Entry ? [held] : [...held.entries()];
}

describe("a topic, and the index of keys", () => {
  it("shows each key's entries together, in the order in which the keys appeared, after any history", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const world = new World();
        for (const { what, key, nth } of steps) {
          const topic = world.topics[nth % 5 === 0 ? 1 : 0]!;
          if (what === "add") world.add(topic, KEYS[key]!);
          else if (what === "remove") world.remove(topic, KEYS[key]!, nth);
          else world.swap(topic, KEYS[key]!, nth);
        }
        world.check();
      }),
    );
  });

  it("shows the entries of keys that have very many in the order in which they came, after any history", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const world = new World();
        for (const { what, key, nth } of steps) {
          const [topic, few] = [world.topics[nth % 5 === 0 ? 1 : 0]!, KEYS[key % 2]!];
          if (what === "add") world.add(topic, few);
          else if (what === "remove") world.remove(topic, few, nth);
          else world.swap(topic, few, nth);
        }
        world.check();
      }),
    );
  });

  it("takes no more room for those of a key who have left than for those who are there", () => {
    const topic = new Topic("one");
    const entries = Array.from(
      { length: 1_000 },
      (_, index) => new Entry(A, index + 1, "one", "all", {}, 0, 1),
    );
    topic.add(entries[0]!);
    const held = entries.slice(1).reduce<Held>((before, entry) => topic.addTo(before, entry), entries[0]!);
    for (const entry of entries.slice(10)) topic.remove(entry);
    expect((held as unknown as { slots: unknown[] }).slots.length).toBeLessThan(100);
    expect(topic.list()).toEqual(entries.slice(0, 10).map(({ presence }) => presence));
  });

  it("takes no more room for those who have left than for those who are there", () => {
    const topic = new Topic("one");
    const entries = Array.from(
      { length: 1_000 },
      (_, index) => new Entry(A, index + 1, "one", `${index}`, {}, 0, 1),
    );
    for (const entry of entries) topic.add(entry);
    for (const entry of entries.slice(10)) topic.remove(entry);
    expect((topic as unknown as { line: unknown[] }).line.length).toBeLessThan(100);
    expect(topic.list()).toEqual(entries.slice(0, 10).map(({ presence }) => presence));
  });

  it("knows nothing of an empty key, which nobody can have", () => {
    const [index, topic] = [new KeyIndex(), new Topic("one")];
    expect([index.get(topic, ""), index.topicsOf("")]).toEqual([undefined, []]);
  });

  it("gives lists that later changes leave alone", () => {
    const topic = new Topic("one");
    const [ann, bob] = ["ann", "bob"].map(
      (key, index) => new Entry(A, index + 1, "one", key, {}, 0, index + 1),
    );
    topic.add(ann!);
    const before = topic.list();
    const read = topic.read();
    topic.add(bob!);
    topic.remove(ann!);
    expect(before).toEqual([ann!.presence]);
    expect([...read]).toEqual(before);
  });
});
