import { describe, expect, it } from "vitest";
import { type EntryOnPage, type HappeningOnPage, pageModule, type RosterOnPage } from "./page-modules.ts";

const { Roster, describeChanges } = await pageModule("roster.js");
const { reasonAmong } = await pageModule("reasons.js");

const entry = (key: string, ref: string, node = "n1", meta: object = {}) => ({ key, ref, node, meta });
const state = (number: number, ...entries: EntryOnPage[]) => {
  const presences = new Map<string, { metas: object[] }>();
  for (const { key, ...rest } of entries) {
    presences.set(key, { metas: [...(presences.get(key)?.metas ?? []), rest] });
  }
  return JSON.parse(JSON.stringify({ number, presences: Object.fromEntries(presences) }));
};
const diff = (number: number, changes: object) => ({
  number,
  joins: [],
  leaves: [],
  updates: [],
  ...changes,
});
const leave = (of: object, reason = "left") => ({ ...of, reason });
const refs = (roster: RosterOnPage) =>
  roster.people().flatMap((person) => person.connections.map(({ ref }) => ref));
const texts = (happenings: readonly HappeningOnPage[] = []) =>
  happenings.map(({ name, text }) => `${name} ${text}`);

describe("the roster", () => {
  it("is the state and the diffs after it", () => {
    const roster = new Roster();
    roster.reset(state(4, entry("ada", "1"), entry("bob", "2", "n2")));
    roster.apply(diff(5, { joins: [entry("cleo", "3")], leaves: [leave(entry("ada", "1"))] }));
    roster.apply(diff(6, { updates: [{ before: entry("bob", "2"), after: entry("bob", "4") }] }));
    expect(refs(roster)).toEqual(["4", "3"]);
    expect(roster.entries).toBe(2);
  });

  it("takes no diff after a gap, and starts again from a state", () => {
    const roster = new Roster();
    roster.reset(state(4, entry("ada", "1")));
    expect(roster.apply(diff(6, { leaves: [leave(entry("ada", "1"))] }))).toBeUndefined();
    expect(roster.apply(diff(4, { leaves: [leave(entry("ada", "1"))] }))).toBeUndefined();
    expect(refs(roster)).toEqual(["1"]);
    roster.reset(state(9, entry("bob", "2")));
    expect(roster.apply(diff(10, { joins: [entry("cleo", "3")] }))).toHaveLength(1);
    expect(refs(roster)).toEqual(["2", "3"]);
  });

  it("shows a key with several connections as one person, here since the first", () => {
    const roster = new Roster();
    roster.reset(
      state(
        0,
        entry("ada", "1", "n1", { name: "Ada", since: 2_000, device: "desktop · Firefox" }),
        entry("ada", "2", "n2", { name: "Ada L.", since: "1970-01-01T00:00:01Z" }),
      ),
    );
    const people = roster.people();
    expect(people).toHaveLength(1);
    const person = people[0]!;
    expect([person.name, person.sinceMs]).toEqual(["Ada L.", 1_000]);
    expect(person.connections).toEqual([
      { ref: "1", node: "n1", device: "desktop · Firefox", sinceMs: 2_000 },
      { ref: "2", node: "n2", device: undefined, sinceMs: 1_000 },
    ]);
  });

  it("shows whoever came first first", () => {
    const roster = new Roster();
    roster.reset(
      state(0, entry("c", "1"), entry("a", "2", "n1", { since: 2 }), entry("b", "3", "n1", { since: 1 })),
    );
    expect(roster.people().map(({ key }) => key)).toEqual(["b", "a", "c"]);
  });

  it("believes no meta to be what it should be", () => {
    const metas: object[] = [
      { name: 7 },
      { name: "  " },
      { since: "soon" },
      { since: null },
      { device: ["phone"] },
    ];
    const roster = new Roster();
    roster.reset(state(0, ...metas.map((meta, index) => entry(`key${index}`, String(index), "n1", meta))));
    for (const { key, name, sinceMs, connections } of roster.people()) {
      expect([name, sinceMs, connections[0]!.device]).toEqual([key, undefined, undefined]);
    }
  });

  it("takes keys that are names of object properties for keys like any other", () => {
    const keys = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const roster = new Roster();
    roster.reset(
      JSON.parse('{"number":0,"presences":{"__proto__":{"metas":[{"ref":"0","node":"n1","meta":{}}]}}}'),
    );
    for (const [index, key] of keys.entries())
      roster.apply(diff(index + 1, { joins: [entry(key, `r${index}`)] }));
    expect(roster.people().map(({ name }) => name)).toEqual(keys.toSorted());
    expect(Reflect.get({}, "metas")).toBeUndefined();
  });
});

describe("what the activity says", () => {
  const happens = (before: EntryOnPage[], changes: object) => {
    const roster = new Roster();
    roster.reset(state(0, ...before));
    return texts(roster.apply(diff(1, changes)));
  };
  const [ada, ada2] = [entry("ada", "1", "n1", { name: "Ada" }), entry("ada", "2", "n2", { name: "Ada" })];

  it.each([
    ["a first connection", [], { joins: [ada] }, "Ada joined via n1"],
    ["another connection", [ada], { joins: [ada2] }, "Ada opened connection 2, via n2"],
    ["one connection less", [ada, ada2], { leaves: [leave(ada)] }, "Ada has 1 of 2 connections left"],
    ["a goodbye", [ada], { leaves: [leave(ada)] }, "Ada left"],
    ["a crash", [ada, ada2], { leaves: [leave(ada, "lost"), leave(ada2, "lost")] }, "Ada lost with n1, n2"],
    ["an eviction", [ada], { leaves: [leave(ada, "evicted")] }, "Ada forgotten with n1"],
    ["a kick", [ada], { leaves: [leave(ada, "removed")] }, "Ada was removed"],
    ["a reason of a later version", [ada], { leaves: [leave(ada, "asleep")] }, "Ada left"],
    ["an update", [ada], { updates: [{ before: ada, after: { ...ada, ref: "9" } }] }, "Ada updated"],
    ["a hand-off", [ada], { leaves: [leave(ada)], joins: [ada2] }, "Ada moved from n1 to n2"],
    ["a quick return", [ada], { leaves: [leave(ada)], joins: [{ ...ada, ref: "9" }] }, "Ada connected again"],
  ])("of %s", (_, before, changes, expected) => {
    expect(happens(before, changes)).toEqual([expected]);
  });
});

describe("a list that somebody else keeps", () => {
  const [ada, bob] = [entry("ada", "n1@k.1"), entry("bob", "n2@k.1", "n2")];

  it("is followed, whatever changed", () => {
    const roster = new Roster();
    roster.follow([["ada", [ada]]]);
    expect(refs(roster)).toEqual(["n1@k.1"]);
    const changes = roster.follow([
      ["bob", [bob]],
      ["__proto__", [entry("__proto__", "n1@k.2")]],
    ]);
    expect(changes.map(({ key }) => key).toSorted()).toEqual(["__proto__", "ada", "bob"]);
    expect(roster.entries).toBe(2);
    expect(
      roster.follow([
        ["bob", [bob]],
        ["__proto__", [entry("__proto__", "n1@k.2")]],
      ]),
    ).toEqual([]);
  });

  it.each([
    ["joined via n1", [], [ada]],
    ["left", [ada], []],
    ["lost with n2", [bob], []],
    ["updated", [ada], [{ ...ada, ref: "n1@k.3", previousRef: "n1@k.1" }]],
    ["moved from n1 to n3", [ada], [entry("ada", "n3@k.1", "n3")]],
    ["opened connection 2, via n3", [ada], [ada, entry("ada", "n3@k.1", "n3")]],
  ])("says that somebody %s", (text, before, after) => {
    const changes = [{ key: "ada", before, after }];
    // The replica that is lost is named with its incarnation in decimal, references with it in base 36.
    const happenings = describeChanges(changes, reasonAmong(["n2@20", "n22@20"]));
    expect(happenings.map((happening) => happening.text)).toEqual([text]);
  });

  it("takes a later life of a lost node for another", () => {
    expect(reasonAmong(["n@1@20"])({ ref: "n@1@l.1" })).toBe("left");
    expect(reasonAmong(["n@1@20"])({ ref: "n@1@k.1" })).toBe("lost");
  });
});
