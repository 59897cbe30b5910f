import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RosterNames } from "./roster-names.ts";

/** Few letters, so that prefixes are often each other's beginnings; and all others, halves of characters included. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "/", ":"), maxLength: 6 }),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 4 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom("", "__proto__", "constructor"),
);
const prefixes = fc.record({ prefix: text, inCluster: text });

describe("names by their prefixes", () => {
  test("every name that has a topic is the name of its topic, and every topic that has a name is its topic", () => {
    fc.assert(
      fc.property(prefixes, text, text, (topics, rest, other) => {
        const names = new RosterNames({ topics });
        for (const name of [topics.prefix + rest, topics.inCluster + rest, other]) {
          const topic = names.topicOf(name);
          if (topic !== undefined && name !== "") expect(names.nameOf(topic)).toBe(name);
          const back = names.nameOf(name);
          if (back !== undefined && name !== "") expect(names.topicOf(back)).toBe(name);
        }
      }),
    );
  });

  test("a topic is never empty, and a name with the prefix has one unless nothing would be left of it", () => {
    fc.assert(
      fc.property(prefixes, text, ({ prefix, inCluster }, rest) => {
        fc.pre(prefix !== inCluster);
        const names = new RosterNames({ topics: { prefix, inCluster } });
        const expected = prefix + rest === "" || inCluster + rest === "" ? undefined : inCluster + rest;
        expect(names.topicOf(prefix + rest)).toBe(expected);
        expect(names.topicOf(rest)).not.toBe("");
      }),
    );
  });

  test("access is asked about no name as if it were another", () => {
    fc.assert(
      fc.property(prefixes, text, ({ prefix, inCluster }, one) => {
        const names = new RosterNames({ topics: { prefix, inCluster } });
        for (const name of [one, prefix + one, inCluster + one]) {
          const subject = names.subjectOf(name);
          if (subject === undefined) continue;
          expect(subject).toBe(names.topicOf(name) ?? name);
          expect([undefined, name]).toContain(names.nameOf(subject));
        }
      }),
    );
  });

  test("no two names have one topic", () => {
    fc.assert(
      fc.property(prefixes, text, text, ({ prefix, inCluster }, one, other) => {
        const names = new RosterNames({ topics: { prefix, inCluster } });
        const all = [
          ...new Set([one, prefix + one, inCluster + one, other, prefix + other, inCluster + other]),
        ];
        const topics = all.map((name) => names.topicOf(name)).filter((topic) => topic !== undefined);
        expect(new Set(topics).size).toBe(topics.length);
      }),
    );
  });
});

describe("names by functions", () => {
  const reversed = (name: string) => [...name].reverse().join("");

  test("are those that the functions give, both ways", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (name) => {
        const names = new RosterNames({
          topics: { toTopic: encodeURIComponent, fromTopic: decodeURIComponent },
          ids: { toKey: reversed, fromKey: reversed },
        });
        expect(names.nameOf(names.topicFor(name))).toBe(name);
        expect(names.idOf(names.keyFor(name))).toBe(name);
      }),
    );
  });

  test("may leave names out: those have no topic, and who needs one is told so", () => {
    const toTopic = (name: string) => (name.startsWith("private") ? undefined : name);
    const names = new RosterNames({ topics: { toTopic, fromTopic: toTopic } });
    expect(names.topicOf("private/1")).toBeUndefined();
    expect(() => names.topicFor("private/1")).toThrow(
      expect.objectContaining({ code: "NAME_NOT_MAPPED", option: "roster.topics", text: "private/1" }),
    );
  });

  test("that do not lead back are refused when they are used, and nobody is shown by them", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z]+$/), (name) => {
        const toTopic = (given: string) => given.toLowerCase();
        const names = new RosterNames({ topics: { toTopic, fromTopic: toTopic } });
        const isLower = name === name.toLowerCase();
        if (isLower) expect(names.topicOf(name)).toBe(name);
        else
          expect(() => names.topicOf(name)).toThrow(expect.objectContaining({ code: "NAME_MAPPING_BROKEN" }));
        expect(names.nameOf(name)).toBe(isLower ? name : undefined);
      }),
    );
  });

  test.each([
    ["an empty text", ""],
    ["a number", 7],
    ["null", null],
  ])("that give %s are refused", (_, given) => {
    const names = new RosterNames({ ids: { toKey: () => given as string, fromKey: (key) => key } });
    expect(() => names.keyOf("alice")).toThrow(
      expect.objectContaining({ code: "NAME_MAPPING_BROKEN", option: "roster.ids", text: "alice" }),
    );
  });
});

test.each([
  [{ topic: {} }, "roster.topic is not an option"],
  [{ topics: "room:" }, "roster.topics must be { prefix, inCluster }"],
  [{ topics: { prefix: "room:" } }, "roster.topics must be"],
  [{ topics: { toTopic: String } }, "{ toTopic, fromTopic }, both functions"],
  [{ topics: { prefix: "a", inCluster: "b", toTopic: String, fromTopic: String } }, "roster.topics must be"],
  [{ ids: { toTopic: String, fromTopic: String } }, "{ toKey, fromKey }, both functions"],
  [{ ids: null }, "roster.ids must be"],
])("%j is refused by name", (options, problem) => {
  expect(() => new RosterNames(options as never)).toThrow(problem);
});

test("without options every name is its own topic, and every id its own key", () => {
  const names = new RosterNames();
  expect(names.areSame).toBe(true);
  expect(new RosterNames({ topics: { prefix: "room:", inCluster: "room:" } }).areSame).toBe(true);
  expect([names.topicOf("room"), names.nameOf("room"), names.keyOf("7"), names.idOf("7")]).toEqual([
    "room",
    "room",
    "7",
    "7",
  ]);
});

test("functions that throw are a broken mapping: an error of ours where it can be told, and nobody where it cannot", () => {
  const cause = new TypeError("a bug of the application");
  const broken = () => {
    throw cause;
  };
  const names = new RosterNames({
    topics: { toTopic: broken, fromTopic: broken },
    ids: { toKey: (id) => id, fromKey: broken },
  });
  const error = expect.objectContaining({ code: "NAME_MAPPING_BROKEN", cause });
  for (const ask of [() => names.topicOf("room"), () => names.subjectOf("room"), () => names.keyOf("alice")])
    expect(ask).toThrow(error);
  expect([names.nameOf("room"), names.idOf("alice")]).toEqual([undefined, undefined]);
});
