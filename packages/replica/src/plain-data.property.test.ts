/** What readers are handed is plain data that none of them can change for another; what callers hand in is taken by value. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { Entry } from "./entry.ts";
import { type Message, type Meta, type Replica, replicaId, type TopicChange } from "./index.ts";

const T = "room:lobby";
const FIELDS = ["topic", "key", "meta", "ref", "previousRef", "node", "replica"];

const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  // A byte order mark in front, NUL, longer than what travels in one chunk, and two that look alike.
  fc.constantFrom("\ufeffx", `\ufeff${"long ".repeat(30)}`, "\u0000", "x".repeat(300), "\u00e9", "e\u0301"),
);
const json = fc.letrec<{ value: unknown; map: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.oneof(
      text,
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("map"),
  ),
  map: fc.dictionary(
    fc
      .oneof(text, fc.constantFrom("2", "1", "constructor", "toString"))
      .filter((name) => name !== "__proto__"),
    tie("value"),
    { maxKeys: 4 },
  ),
}));
const meta = json.map as fc.Arbitrary<Meta>;

/** Does all that a careless reader could do to what it was handed. */
function spoil(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const inner of Object.values(value)) spoil(inner);
  const attempts = [
    () => Object.assign(value, { key: "mallory", meta: { evil: true }, evil: true }),
    () => Array.isArray(value) && value.push("mallory"),
    () => Array.isArray(value) && value.reverse(),
    () => Array.isArray(value) && value.splice(0),
    () => Object.keys(value).map((name) => Reflect.deleteProperty(value, name)),
    () => Object.setPrototypeOf(value, { evil: true }),
  ];
  for (const attempt of attempts)
    try {
      attempt();
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
}

/** Whether a value is what JSON, `structuredClone` and a spread make of it. */
function checkPlain(value: object): void {
  assert.deepStrictEqual(JSON.parse(JSON.stringify(value)), value);
  assert.deepStrictEqual(structuredClone(value), value);
  assert.deepStrictEqual(Array.isArray(value) ? [...value] : { ...value }, value);
}

function checkPresences(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if ("ref" in value) {
    const names = Object.keys(value);
    for (const name of FIELDS) if (name !== "previousRef") expect(names).toContain(name);
    for (const name of names) expect(FIELDS).toContain(name);
  } else for (const inner of Object.values(value)) checkPresences(inner);
}

/** Everything that can be read of presence at a replica. */
const surface = (replica: Replica, key: string) => [
  replica.list(T),
  replica.get(T, key),
  replica.topics(),
  [replica.count(T)],
];

test("whatever is handed out is plain data, and what one reader does to it no other one sees", () => {
  fc.assert(
    fc.property(
      meta,
      meta,
      text.filter((key) => key !== "" && Buffer.byteLength(key) <= 255),
      (first, second, key) => {
        const cluster = new VirtualCluster(["a", "b"]);
        const [a, b] = ["a", "b"].map((name) => cluster.node(name).endpoint.replica);
        const told: TopicChange[] = [];
        const handed: object[] = [];
        const hand = (value: object) => {
          checkPlain(value);
          checkPresences(value);
          handed.push(value);
          const before = JSON.stringify(value);
          spoil(value);
          return before;
        };
        for (const replica of [a!, b!]) {
          replica.watch(T, hand);
          replica.watch(T, (change) => told.push(change));
          replica.watchCount(T, (count) => spoil(count));
          replica.onReplica((change) => spoil(change));
        }
        const session = a!.session();
        let removed = "";
        session.onRemoved((presence) => {
          removed = hand(presence);
        });
        session.onRemoved((presence) => expect(JSON.stringify(presence)).toBe(removed));
        const look = () => {
          cluster.time.advance(100);
          const before = [a!, b!].map((replica) => JSON.stringify(surface(replica, key)));
          for (const replica of [a!, b!]) for (const value of surface(replica, key)) hand(value);
          const own = session.get(T, key);
          if (own !== undefined) hand(own);
          // Nor does it change what others read.
          expect([a!, b!].map((replica) => JSON.stringify(surface(replica, key)))).toEqual(before);
          assert.deepStrictEqual(b!.list(T), a!.list(T));
        };
        session.track(T, key, first);
        look();
        assert.equal(JSON.stringify(b!.get(T, key)[0]!.meta), JSON.stringify(first));
        session.update(T, key, (previous) => {
          spoil(previous);
          assert.equal(JSON.stringify(previous), JSON.stringify(first));
          return second;
        });
        look();
        b!.remove(T, key);
        look();
        expect(removed).not.toBe("");
        // At each of the two: a state, a join, an update, a leave.
        expect(told).toHaveLength(8);
        const joins = told.flatMap((change) => (change.type === "diff" ? change.joins : []));
        const updates = told.flatMap((change) => (change.type === "diff" ? change.updates : []));
        const leaves = told.flatMap((change) => (change.type === "diff" ? change.leaves : []));
        for (const presence of [...joins, ...updates.map(({ before }) => before)])
          assert.equal(JSON.stringify(presence.meta), JSON.stringify(first));
        for (const presence of [
          ...leaves.map(({ presence }) => presence),
          ...updates.map(({ after }) => after),
        ])
          assert.equal(JSON.stringify(presence.meta), JSON.stringify(second));
      },
    ),
    { numRuns: 60 },
  );
});

/** Changes a value of its owner's all the way down. */
function change(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const inner of Object.values(value)) change(inner);
  if (Array.isArray(value)) value.push("later");
  else for (const name of Object.keys(value)) (value as Record<string, unknown>)[name] = "later";
  Object.assign(value, { later: true });
}

test("a meta is taken by value: what its owner does to it afterwards changes nothing anywhere", () => {
  fc.assert(
    fc.property(meta, meta, (first, second) => {
      const cluster = new VirtualCluster(["a", "b"]);
      const session = cluster.node("a").endpoint.replica.session();
      const expectEverywhere = (json: string) => {
        for (const { endpoint } of cluster.processes)
          assert.equal(JSON.stringify(endpoint.replica.get(T, "ann")[0]!.meta), json);
      };
      let json = JSON.stringify(first);
      session.track(T, "ann", first);
      change(first);
      cluster.time.advance(100);
      expectEverywhere(json);
      json = JSON.stringify(second);
      session.update(T, "ann", () => second);
      change(second);
      cluster.time.advance(100);
      expectEverywhere(json);
      // Who comes later is given a full state.
      cluster.start("c");
      cluster.time.advance(5_000);
      expectEverywhere(json);
    }),
    { numRuns: 40 },
  );
});

test("a payload is taken by value, and what one listener does to it no other one sees", () => {
  fc.assert(
    fc.property(fc.oneof(json.value, fc.uint8Array({ minLength: 1 })), (payload) => {
      const cluster = new VirtualCluster(["a", "b"]);
      const [a, b] = ["a", "b"].map((name) => cluster.node(name));
      const shown = (value: unknown) =>
        value instanceof Uint8Array ? [...value].join() : JSON.stringify(value);
      const expected = shown(payload);
      const heard: unknown[] = [];
      const attack = (value: unknown) => (value instanceof Uint8Array ? value.fill(7) : spoil(value));
      for (const { endpoint } of [a!, b!]) {
        for (const listen of ["onBroadcast", "onMessage"] as const) {
          endpoint.replica.messenger[listen]("x", attack);
          endpoint.replica.messenger[listen]("x", (value) => heard.push(value));
        }
        endpoint.replica.messenger.onRequest("x", (value, _, responder) => {
          heard.push(value);
          responder.reply(payload);
        });
      }
      cluster.time.advance(100);
      const { messenger } = a!.endpoint.replica;
      const now = a!.endpoint.replica.settings.incarnation && 0;
      for (const to of [a!.id, b!.id]) {
        messenger.send(to, "x", payload);
        messenger.request(to, "x", payload, { timeoutMs: 5_000, now }, (answer) => {
          if (answer.ok) heard.push(answer.payload);
        });
      }
      messenger.broadcast("x", payload);
      cluster.time.advance(100);
      expect(heard.length).toBeGreaterThanOrEqual(7);
      if (payload instanceof Uint8Array) payload.fill(9);
      else change(payload);
      for (const value of heard) expect(shown(value)).toBe(expected);
    }),
    { numRuns: 40 },
  );
});

class Point {
  readonly x = 1;
}

describe("what JSON cannot say", () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const refused: readonly [string, unknown][] = [
    ["the first half of a character", "ab\ud83d"],
    ["the second half of a character", "\ude00ab"],
    ["half a character as a field name", { "\ud800": 1 }],
    ["a date", new Date(0)],
    ["a function", () => 1],
    ["toJSON", { toJSON: () => 1 }],
    ["a symbol", Symbol("x")],
    ["a bigint", 1n],
    ["NaN", Number.NaN],
    ["infinity", Number.NEGATIVE_INFINITY],
    ["a class instance", new Point()],
    ["a boxed text", new String("x")],
    ["what contains itself", cyclic],
    ["a field named __proto__", JSON.parse('{"__proto__":1}')],
  ];
  test.each(refused)("%s is refused in metas and payloads, at any depth, and nothing changes", (_, value) => {
    const cluster = new VirtualCluster(["a", "b"]);
    const { replica } = cluster.node("a").endpoint;
    const session = replica.session();
    session.track(T, "ann", { n: 1 });
    const error = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    for (const wrong of [{ value }, { list: [{ value }] }, { a: { b: { c: [value] } } }]) {
      expect(() => session.track(T, "bob", wrong)).toThrow(error);
      expect(() => session.track(T, "ann", wrong)).toThrow(error);
      expect(() => session.update(T, "ann", wrong)).toThrow(error);
      expect(() => session.update(T, "ann", () => wrong)).toThrow(error);
      expect(() => replica.broadcast("x", wrong)).toThrow(error);
      expect(() => replica.messenger.send(replica.id, "x", wrong)).toThrow(error);
    }
    expect(() => replica.broadcast("x", value)).toThrow(error);
    cluster.time.advance(100);
    for (const { endpoint } of cluster.processes)
      expect(endpoint.replica.list(T).map(({ key, meta }) => [key, meta])).toEqual([["ann", { n: 1 }]]);
  });

  let reads = 0;
  const bare: Record<string, unknown> = Object.create(null);
  bare.x = 1;
  const taken: readonly [string, Meta, string][] = [
    ["a field that is undefined is left out", { a: undefined, b: 1 }, '{"b":1}'],
    [
      "an item that is undefined, or a hole, is null",
      { a: Object.assign(new Array(3), { 0: undefined, 2: 1 }) },
      '{"a":[null,null,1]}',
    ],
    ["-0 is 0", { n: -0, m: [-0] }, '{"n":0,"m":[0]}'],
    [
      "field names that are numbers come first, in order",
      { x: 0, 2: "a", 1: "b" },
      '{"1":"b","2":"a","x":0}',
    ],
    ["an empty field name is one", { "": 1 }, '{"":1}'],
    ["NUL is a character", { "\u0000": "\u0000" }, '{"\\u0000":"\\u0000"}'],
    ["a whole character is taken", { name: "ab\ud83d\ude00" }, '{"name":"ab\ud83d\ude00"}'],
    ["a map without a prototype is a map", bare, '{"x":1}'],
    [
      "what others inherit is not theirs",
      { a: Object.create(null, { b: { value: 1, enumerable: true } }) },
      '{"a":{"b":1}}',
    ],
    [
      "a getter is read once",
      {
        get n() {
          return ++reads;
        },
      },
      '{"n":1}',
    ],
    ["symbols are no fields", { [Symbol("x")]: 1, a: 1 }, '{"a":1}'],
  ];
  test.each(taken)("%s, on every node", (_, meta, json) => {
    const cluster = new VirtualCluster(["a", "b"]);
    cluster.node("a").endpoint.replica.session().track(T, "ann", meta);
    cluster.time.advance(100);
    const [one, other] = [...cluster.processes].map(
      ({ endpoint }) => endpoint.replica.get(T, "ann")[0]!.meta,
    );
    expect(JSON.stringify(one)).toBe(json);
    assert.deepStrictEqual(other, one);
    assert.deepStrictEqual(one, JSON.parse(json));
  });

  test("a getter that closes the session leaves nothing behind", () => {
    const { replica } = new VirtualCluster(["a"]).node("a").endpoint;
    const session = replica.session();
    const meta = {
      get n() {
        session.close();
        return 1;
      },
    };
    expect(() => session.track(T, "ann", meta)).toThrow(expect.objectContaining({ code: "CLOSED" }));
    expect(replica.list(T)).toEqual([]);
  });
});

test("half a character in a frame breaks the protocol, or is read as U+FFFD where the serializer's reader is native", () => {
  const origin = replicaId("b", 1);
  const half = "ab\ud83d";
  const delta = (topic: string, key: string, meta: Meta): Message => ({
    type: "delta",
    delta: {
      origin,
      from: 0,
      to: 1,
      numbers: [1],
      values: [new Entry(origin, 1, topic, key, meta, 0, 1)],
      removals: [],
    },
  });
  const messages: Message[] = [
    delta(half, "ann", {}),
    delta(T, half, {}),
    delta(T, "ann", { half }),
    delta(T, "ann", { deep: [{ half }] }),
    delta(T, "ann", { [half]: 1 }),
    { type: "broadcast", number: 1, channel: "x", payload: half },
    { type: "broadcast", number: 1, channel: "x", payload: { [half]: 1 } },
    { type: "broadcast", number: 1, channel: half, payload: 1 },
  ];
  for (const message of messages) {
    let decoded: Message | undefined;
    try {
      decoded = decodeMessage(encodeMessage(message));
    } catch (error) {
      expect(error).toMatchObject({ code: "BAD_FRAME" });
      continue;
    }
    // What `JSON.stringify` escapes is half a character.
    expect(JSON.stringify(decoded, (name, part) => (name === "home" ? undefined : part))).not.toMatch(
      /\\ud[89a-f]/,
    );
  }
});
