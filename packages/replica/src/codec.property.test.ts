import assert from "node:assert/strict";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { decodeMessage, encodeMessage, PROTOCOL_VERSION } from "./codec.ts";
import { Entry, Heir } from "./entry.ts";
import { ProtocolError, type ReplicaId, replicaId } from "./index.ts";
import { takeMeta } from "./limits.ts";
import type { Message } from "./messages.ts";
import { Packet } from "./packet.ts";
import type { Meta } from "./presence.ts";

type DeltaMessage = Extract<Message, { type: "delta" }>;
type SyncMessage = Extract<Message, { type: "sync" }>;

/** Another msgpack, to look into frames and to build such as ours never makes. */
const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false, moreTypes: true });

/** As `fc.record`, of plain maps. */
const record: typeof fc.record = ((model: object) =>
  fc.record(model as never, { noNullPrototype: true })) as never;

// What replicas may say.

const replica: fc.Arbitrary<ReplicaId> = fc
  .tuple(
    fc.stringMatching(/^[A-Za-z0-9._:@-]{1,64}$/),
    fc.oneof(fc.nat(9), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
  )
  .map(([name, incarnation]) => replicaId(name, incarnation));
const count = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const awkward = [
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "toJSON", "__keys__"],
  ...["7", "-1", "", "length", "a\0b", "héllo", "日本語", "👩‍👩‍👧", "x".repeat(300), "é".repeat(127)],
  ...["\ufeff", `\ufeff${"b".repeat(80)}`],
];
const text = fc.oneof(fc.constantFrom(...awkward), fc.string({ unit: "binary" }));
const name = text.filter((text) => text !== "");
const field = text.filter((text) => text !== "__proto__");
const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
  fc.constantFrom(0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, -0x8000_0001),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthIdentifier: "meta" },
    fc.oneof(number, text, fc.boolean(), fc.constant(null), fc.constant(undefined)),
    fc.array(tie("value"), { maxLength: 4, depthIdentifier: "meta" }),
    fc.dictionary(field, tie("value"), { maxKeys: 4, noNullPrototype: true, depthIdentifier: "meta" }),
  ),
}));
const meta: fc.Arbitrary<Meta> = fc.oneof(
  fc.dictionary(field, value, { maxKeys: 5, noNullPrototype: true }),
  record({ name, online_at: count, status: fc.constantFrom("online", "away") }),
);

/** Ascending numbers above `base`: runs, and gaps of all sizes. */
const numbersAbove = (base: number, maxLength = 8): fc.Arbitrary<number[]> =>
  fc.array(fc.oneof(fc.constant(1), fc.nat(1_000), fc.nat(2 ** 40)), { maxLength }).map((gaps) => {
    let number = base;
    return gaps.map((gap) => (number += Math.max(1, gap)));
  });

const predecessor = fc
  .tuple(replica, fc.integer({ min: 1, max: 2 ** 45 }), fc.nat(300))
  .map(([replica, number, gap]) => ({ replica, number, root: Math.max(1, number - gap) }));

/** Entries that are first of their chain, replace the first one, or replace a later one; some took over from another replica. */
const entriesOf = (origin: ReplicaId, numbers: readonly number[]): fc.Arbitrary<Entry[]> =>
  fc.tuple(
    ...numbers.map((number) =>
      fc
        .tuple(
          name,
          name,
          meta,
          fc.nat(number - 1),
          fc.nat(number - 1),
          fc.option(predecessor, { freq: 4, nil: undefined }),
        )
        .map(([topic, key, meta, one, other, heirOf]) => {
          const previous = Math.max(one, other);
          const root = previous === 0 ? number : Math.min(one, other) || previous;
          const entry = new Entry(origin, number, topic, key, meta, previous, root);
          return heirOf === undefined ? entry : new Heir(entry, heirOf);
        }),
    ),
  );
const entries = replica.chain((origin) =>
  numbersAbove(0).chain((numbers) =>
    entriesOf(origin, numbers).map((values) => ({ origin, numbers, values })),
  ),
);
const removals = fc.array(
  record({ origin: replica, numbers: numbersAbove(0) }).filter(({ numbers }) => numbers.length > 0),
  { maxLength: 3 },
);
const deliberate = fc.constantFrom({}, { deliberate: true as const });
const delta: fc.Arbitrary<DeltaMessage["delta"]> = fc
  .tuple(replica, fc.nat(2 ** 45), removals, numbersAbove(0))
  .chain(([origin, from, removals, own]) =>
    numbersAbove(from).chain((numbers) =>
      fc.tuple(entriesOf(origin, numbers), fc.nat(100), deliberate).map(([values, more, flag]) => ({
        origin,
        from,
        to: (numbers.at(-1) ?? from) + Math.max(numbers.length === 0 ? 1 : 0, more),
        numbers,
        values,
        removals: own.length === 0 ? removals : [...removals, { origin, numbers: own, ...flag }],
      })),
    ),
  );
const vector = fc.array(fc.tuple(replica, count), { maxLength: 4 });
/** As `rangesOf` makes them: at least one number between two ranges. */
const ranges = fc.array(fc.tuple(fc.nat(2 ** 40), fc.nat(5)), { maxLength: 20 }).map((parts) => {
  let last = -1;
  return parts.flatMap(([gap, length]) => {
    const first = last + 2 + gap;
    last = first + length;
    return [first, last];
  });
});

const topicHashes = fc.integer({ min: 0, max: 2 ** 48 - 1 });

const messages = {
  delta: record({ type: fc.constant("delta"), delta }),
  heartbeat: record({
    type: fc.constant("heartbeat"),
    counter: count,
    heard: fc.array(record({ replica, counter: count, agoMs: count }), { maxLength: 5 }),
    digestHash: count,
    digest: fc.option(fc.array(record({ replica, vector: count, hash: count }), { maxLength: 5 }), {
      nil: undefined,
    }),
  }),
  pull: record({ type: fc.constant("pull"), id: count, vector, staged: vector, full: fc.boolean() }),
  sync: record({
    type: fc.constant("sync"),
    pull: count,
    last: fc.boolean(),
    full: fc.boolean(),
    deltas: fc.array(delta, { maxLength: 3 }),
    entries: fc.array(entries, { maxLength: 3 }),
    live: fc.array(record({ replica, vector: count, hash: count, ranges }), { maxLength: 4 }),
    pending: removals,
    expected: count,
  }),
  probe: record({ type: fc.constant("probe"), replica }),
  linger: record({ type: fc.constant("linger"), numbers: numbersAbove(0) }),
  "probe-ack": record({
    type: fc.constant("probe-ack"),
    replica,
    counter: count,
    agoMs: count,
    vouches: fc.boolean(),
  }),
  leave: record({ type: fc.constant("leave"), replica, handoffMs: count }),
  incarnation: record({ type: fc.constant("incarnation"), newest: count }),
  namesake: record({
    type: fc.constant("namesake"),
    token: count,
    repeats: count,
    upMs: count,
    stops: fc.constantFrom("nobody", "sender", "receiver"),
  }),
  interest: record({
    type: fc.constant("interest"),
    telling: fc.nat(),
    whole: fc.boolean(),
    last: fc.boolean(),
    everything: fc.boolean(),
    relays: fc.boolean(),
    added: fc.array(topicHashes, { maxLength: 5 }),
    removed: fc.array(topicHashes, { maxLength: 5 }),
  }),
  "interest-ack": record({ type: fc.constant("interest-ack"), telling: fc.nat() }),
  broadcast: record({ type: fc.constant("broadcast"), channel: name, payload: value, number: count }),
  message: record({ type: fc.constant("message"), channel: name, payload: value, number: count }),
  request: record({
    type: fc.constant("request"),
    id: fc.nat(),
    channel: name,
    payload: value,
    number: count,
    isMessage: fc.boolean(),
  }),
  reply: record({
    type: fc.constant("reply"),
    id: fc.nat(),
    outcome: fc.constantFrom("ok", "failed", "unhandled", "busy", "lost", "refused"),
    payload: value,
    number: count,
  }),
  reach: record({ type: fc.constant("reach"), replicas: fc.array(replica) }),
  reaches: record({ type: fc.constant("reaches"), open: fc.array(replica), closed: fc.array(replica) }),
  relay: record({ type: fc.constant("relay"), to: fc.array(replica), frame: fc.uint8Array() }),
  relayed: record({ type: fc.constant("relayed"), from: replica, frame: fc.uint8Array() }),
  part: record({
    type: fc.constant("part"),
    transfer: count,
    total: count,
    offset: count,
    bytes: fc.uint8Array(),
  }),
  "part-ack": record({
    type: fc.constant("part-ack"),
    transfer: count,
    received: count,
    outcome: fc.constantFrom("more", "done", "lost", "refused"),
  }),
} satisfies { [Type in Message["type"]]: fc.Arbitrary<Extract<Message, { type: Type }>> };
const message = fc.oneof(...(Object.values(messages) as fc.Arbitrary<Message>[]));

const probe: Message = {
  type: "delta",
  delta: deltaOf([
    { a: 1, "7": [{}] },
    { a: 2, "7": [] },
  ]),
};

function deltaOf(metas: readonly Meta[]): DeltaMessage["delta"] {
  const origin = replicaId("a", 1);
  const values = metas.map(
    (meta, index) => new Entry(origin, index + 1, "t", `k${index}`, meta, 0, index + 1),
  );
  return {
    origin,
    from: 0,
    to: metas.length,
    numbers: values.map((entry) => entry.number),
    values,
    removals: [],
  };
}

/** A frame with these msgpack bytes in it. */
function frameOf(type: number, body: Uint8Array | readonly number[]): Uint8Array {
  return Uint8Array.from([PROTOCOL_VERSION, type, ...body]);
}

/** Nothing but a message, nothing, or a `ProtocolError` comes of any bytes, and the next message is read all the same. */
function checkStranger(frame: Uint8Array): Message | undefined {
  let decoded: Message | undefined;
  try {
    decoded = decodeMessage(frame);
    // What came in can be sent on.
    if (decoded !== undefined) decodeMessage(encodeMessage(decoded));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  assert.deepEqual(decodeMessage(encodeMessage(probe)), probe);
  return decoded;
}

test("a frame with raw bytes that is cut short, longer, or changed is refused, or a message", () => {
  const packet = new Packet({ a: [1] }, [new Uint8Array([1, 2, 3]), new Uint8Array(), new Uint8Array(50)]);
  const frame = encodeMessage({ type: "reply", id: 1, outcome: "ok", payload: packet, number: 3 });
  for (let length = 2; length < frame.length; length++)
    expect(checkStranger(frame.slice(0, length))).toBeUndefined();
  expect(checkStranger(Buffer.concat([frame, new Uint8Array(1)]))).toBeUndefined();
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const changed = frame.slice();
      changed[at] = byte;
      checkStranger(changed);
    }),
    { numRuns: 500 },
  );
});

describe("a message comes out as it went in", () => {
  for (const [type, arbitrary] of Object.entries(messages)) {
    test(`${type}`, () => {
      fc.assert(
        fc.property(arbitrary as fc.Arbitrary<Message>, (message) => {
          assert.deepEqual(decodeMessage(encodeMessage(message)), message);
        }),
        { numRuns: type === "sync" || type === "delta" ? 300 : 100 },
      );
    });
  }

  test("with metas of hundreds of shapes, alternating", () => {
    const metas = Array.from({ length: 400 }, (_, index) => ({
      [`field ${index % 200}`]: index,
      nested: { [`inner ${index % 90}`]: [index] },
    }));
    const message: Message = { type: "delta", delta: deltaOf(metas) };
    assert.deepEqual(decodeMessage(encodeMessage(message)), message);
  });

  test("with field names that mean something to JavaScript or to a serializer, in every order", () => {
    const names = ["a", "__keys__", "constructor", "toJSON", "hasOwnProperty", "length", "then", "7"];
    fc.assert(
      fc.property(fc.array(fc.subarray(names), { minLength: 1, maxLength: 10 }), (shapes) => {
        const metas = shapes.map((shape) => Object.fromEntries(shape.map((name) => [name, 1])));
        const nested = metas.map((meta) => ({ nested: meta }));
        const message: Message = { type: "delta", delta: deltaOf([...metas, ...nested]) };
        assert.deepEqual(decodeMessage(encodeMessage(message)), message);
      }),
    );
  });

  test("with the fields of a meta in their order", () => {
    const message: Message = {
      type: "delta",
      delta: deltaOf([
        { b: 1, a: 2 },
        { a: 1, b: 2 },
      ]),
    };
    const decoded = decodeMessage(encodeMessage(message)) as DeltaMessage;
    expect(decoded.delta.values.map(({ meta }) => Object.keys(meta))).toEqual([
      ["b", "a"],
      ["a", "b"],
    ]);
  });

  test("with bytes as a payload", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (payload) => {
        const decoded = decodeMessage(encodeMessage({ type: "broadcast", channel: "c", number: 1, payload }));
        expect([...((decoded as { payload: unknown }).payload as Uint8Array)]).toEqual([...payload]);
      }),
    );
  });

  test("with raw bytes beside it, or as all of it", () => {
    const packet = fc
      .tuple(value, fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 4 }))
      .map(([header, buffers]) => new Packet(header, buffers));
    const large = fc.integer({ min: 16_384, max: 40_000 }).map((length) => new Uint8Array(length).fill(7));
    const sent = fc.oneof(messages.broadcast, messages.message, messages.request, messages.reply);
    fc.assert(
      fc.property(sent, fc.oneof(packet, large), (message, payload) => {
        assert.deepEqual(decodeMessage(encodeMessage({ ...message, payload })), { ...message, payload });
      }),
    );
  });

  test("with removals in ascending order, in whichever they were made", () => {
    const origin = replicaId("b", 2);
    const base = deltaOf([]);
    const made: Message = {
      type: "delta",
      delta: {
        ...base,
        to: 9,
        removals: [
          { origin, numbers: [7, 3, 5] },
          { origin: base.origin, numbers: [4, 2, 3] },
        ],
      },
    };
    expect((decodeMessage(encodeMessage(made)) as DeltaMessage).delta.removals).toEqual([
      { origin, numbers: [3, 5, 7] },
      { origin: base.origin, numbers: [2, 3, 4] },
    ]);
  });

  test("although it is read between frames that are no messages", () => {
    fc.assert(
      fc.property(
        message,
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 16, max: 24 }),
        (message, bytes, type) => {
          const frame = encodeMessage(message);
          checkStranger(frameOf(type, bytes));
          assert.deepEqual(decodeMessage(frame), message);
        },
      ),
    );
  });
});

describe("a stranger's bytes cost it its link and nothing else", () => {
  test("random ones", () => {
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 25 }), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        checkStranger(frameOf(type, bytes));
      }),
      { numRuns: 1_000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 10 }), (bytes) => void checkStranger(bytes)));
  });

  test("msgpack of something else", () => {
    const anything = fc.anything({
      maxDepth: 4,
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 24 }), fc.array(anything, { maxLength: 8 }), (type, value) => {
        let body: Uint8Array;
        try {
          body = packr.pack(value);
        } catch {
          return; // Not everything is msgpack.
        }
        checkStranger(frameOf(type, body));
      }),
      { numRuns: 1_000 },
    );
  });

  test("frames cut short anywhere", () => {
    fc.assert(
      fc.property(
        message,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (message, share) => {
          const frame = encodeMessage(message);
          expect(() => decodeMessage(frame.subarray(0, Math.floor(frame.length * share)))).toThrow(
            ProtocolError,
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test("frames with bits turned over, bytes replaced, or more at the end", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(message, changes, fc.uint8Array({ maxLength: 3 }), (message, changes, more) => {
        const frame = Uint8Array.from([...encodeMessage(message), ...more]);
        for (const [at, bits] of changes) frame[2 + (at % (frame.length - 2))]! ^= bits;
        checkStranger(frame);
      }),
      { numRuns: 1_000 },
    );
  });

  test("fields of any other kind in the place of one", () => {
    const other = fc.oneof(
      value,
      fc.constantFrom(-1, 0.5, Number.NaN, 2 ** 53, -0),
      fc.array(fc.array(value)),
    );
    fc.assert(
      fc.property(
        message,
        fc.array(fc.nat(), { minLength: 1, maxLength: 5 }),
        other,
        (message, path, other) => {
          const frame = encodeMessage(message);
          const body: unknown = packr.unpack(frame.subarray(2));
          replaceAt(body, path, other);
          checkStranger(frameOf(frame[1]!, packr.pack(body)));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  const huge: readonly (readonly [string, readonly number[]])[] = [
    ["an array of 2^32 - 1", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map of 2^32 - 1", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["a string of 2^32 - 1", [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["bytes of 2^32 - 1", [0xc6, 0xff, 0xff, 0xff, 0xff]],
    ["an extension of 2^32 - 1", [0xc9, 0xff, 0xff, 0xff, 0xff, 0x74]],
    ["arrays of 65,535 within each other", Array.from({ length: 300 }, () => [0xdc, 0xff, 0xff]).flat()],
    ["100,000 levels", new Array<number>(100_000).fill(0x91)],
    ["1,000 levels", [...new Array<number>(1_000).fill(0x91), 0x90]],
    ["a big integer of 60,000 bytes", [0xc8, 0xea, 0x60, 0x42, ...new Array<number>(60_000).fill(0x7f)]],
    // Each level holds the one before it twice: whoever walks it never comes to an end.
    [
      "60 levels that refer to each other",
      [
        ...[0xdc, 0, 61, 0xd6, 0x69, 0, 0, 0, 1, 0x90],
        ...Array.from({ length: 60 }, (_, level) => {
          const pointer = [0xd6, 0x70, 0, 0, 0, level + 1];
          return [0xd6, 0x69, 0, 0, 0, level + 2, 0x92, ...pointer, ...pointer];
        }).flat(),
        0,
      ],
    ],
  ];
  for (const [what, body] of huge) {
    test(`${what}, announced or real`, () => {
      for (let type = 16; type <= 24; type++) {
        expect(() => decodeMessage(frameOf(type, body))).toThrow(ProtocolError);
        expect(() => decodeMessage(frameOf(type, [0x94, ...body]))).toThrow(ProtocolError);
      }
      expect(checkStranger(encodeMessage(probe))).toStrictEqual(probe);
    });
  }

  test("numbers that are counted, not listed, are bounded for the whole message", () => {
    const million = [null, [1_000_000, 1]];
    const body = (removals: unknown[]) =>
      packr.pack(["a@1", 0, 5, [[], 0, [], [[]], [[], 0, []], 0, 0], removals]);
    const one = decodeMessage(frameOf(16, body([million]))) as DeltaMessage;
    expect(one.delta.removals[0]!.numbers).toHaveLength(1_000_000);
    expect(() => decodeMessage(frameOf(16, body(new Array(5_000).fill(million))))).toThrow(
      "too many numbers",
    );
    const live = ["a@1", 5, 0, [1_000_000, 1]];
    const sync = packr.pack([1, true, true, [], [], new Array(5_000).fill(live), []]);
    expect(() => decodeMessage(frameOf(19, sync))).toThrow("too many numbers");
  });

  test("metas of which a few bytes would make millions of values", () => {
    const people = 1_000;
    const frame = (fieldCount: number) => {
      const names = Array.from({ length: fieldCount }, (_, index) => `f${index}`);
      const metas = [[names], 0, names.map(() => [["x"], 0])];
      const keys = [[new TextEncoder().encode("k".repeat(people))], 1];
      return frameOf(16, packr.pack(["a@1", 0, people, [["t"], 0, keys, [people, 1], metas, 0, 0], []]));
    };
    const one = decodeMessage(frame(100)) as DeltaMessage;
    expect(Object.keys(one.delta.values.at(-1)!.meta)).toHaveLength(100);
    expect(() => decodeMessage(frame(5_000))).toThrow("too many numbers");
  });

  test("metas that are not JSON, or nested too deep", () => {
    const body = (metas: unknown) => packr.pack(["a@1", 0, 1, [["t"], 0, ["k"], [[1]], metas, 0, 0], []]);
    const withField = (field: unknown) => body([[["f"]], 0, [field]]);
    const nested = (levels: number) => {
      let value: unknown = [];
      for (let level = 1; level < levels; level++) value = level % 2 === 0 ? [value] : { value };
      return value;
    };
    expect(decodeMessage(frameOf(16, withField(nested(31))))).toBeDefined();
    const bad = [
      ...[nested(32), Number.NaN, Number.POSITIVE_INFINITY, new Date(0), new Set([1]), new Uint8Array(2)],
      ...[/x/, new Error("x"), 2n ** 70n, new Float64Array(1), [new Date(0)], { deep: [{ er: Number.NaN }] }],
    ];
    for (const field of bad)
      expect(() => decodeMessage(frameOf(16, withField(field)))).toThrow(ProtocolError);
    for (const metas of [
      ...[7, [], [[["__proto__"]], 0, [{}]], [[[1]], 0, [1]], [[["f"]], 0, []], [[["f"]], 0, [1, 2]]],
      ...[[[["f"]], [1], [1]], [[["f"]], [0, 0], [1]], [[["f"]], "0", [1]], [[], 0, []], { length: 3 }],
    ]) {
      expect(() => decodeMessage(frameOf(16, body(metas)))).toThrow(ProtocolError);
    }
  });

  test("numbers outside their interval, out of order, beyond what is safe", () => {
    const safe = Number.MAX_SAFE_INTEGER;
    const metas = [[[]], 0, []];
    const bad: unknown[] = [
      ["a@1", 0, 0, [[], 0, [], [[]], metas, 0, 0], []],
      ["a@1", safe, 1, [[], 0, [], [[]], metas, 0, 0], []],
      ["a@1", 5, 1, [["t"], 0, ["k"], [[2]], metas, 0, 0], []],
      ["a@1", 5, 1, [["t"], 0, ["k"], [[0]], metas, 0, 0], []],
      ["a@1", 5, 3, [["t"], 0, ["k", "l"], [[1, 0]], metas, 0, 0], []],
      ["a@1", 5, 3, [["t"], 0, ["k", "l"], [[1]], metas, 0, 0], []],
      ["a@1", 5, 3, [["t"], [0], ["k", "l"], [[1, 1]], metas, 0, 0], []],
      ["a@1", 5, 3, [["t"], 0, ["k"], [[1]], metas, [6], 0], []],
      ["a@1", 5, 3, [["t"], 0, ["k"], [[1]], metas, [1], [6]], []],
      ["a@1", 5, 3, [["t"], 0, ["k"], [[1]], metas, [1, 1], 0], []],
      ["a@1", 5, 3, [["t"], 0, [""], [[1]], metas, 0, 0], []],
      ["a@1", 5, 3, [[""], 0, ["k"], [[1]], metas, 0, 0], []],
      ["a@1", 5, 3, [["t"], [1], ["k"], [[1]], metas, 0, 0], []],
      ["a@1", 5, 3, [[], 0, [], [[]], metas, 0, 0], [[null, [[safe, 1]]]]],
      ["a@1", 5, 3, [[], 0, [], [[]], metas, 0, 0], [[null, [[0]]]]],
      ["a@1", 5, 3, [[], 0, [], [[]], metas, 0, 0], [["b", [[1]]]]],
      ["a", 5, 3, [[], 0, [], [[]], metas, 0, 0], []],
    ];
    const good = ["a@1", 5, 3, [["t"], 0, ["k"], [[1]], metas, 0, 0], [[null, [[1]]]]];
    expect(decodeMessage(frameOf(16, packr.pack(good)))).toBeDefined();
    for (const body of bad) expect(() => decodeMessage(frameOf(16, packr.pack(body)))).toThrow(ProtocolError);
    const odd = [1, true, true, [], [], [["a@1", 5, 0, [[1, 1, 1]]]], []];
    expect(() => decodeMessage(frameOf(19, packr.pack(odd)))).toThrow("pairs");
    // The pending removes of a sync have no delta whose origin could be meant.
    const ownless = [1, true, true, [], [], [], [[null, [[1]]]]];
    expect(() => decodeMessage(frameOf(19, packr.pack(ownless)))).toThrow(ProtocolError);
  });
});

/** Puts `other` somewhere into nested arrays. */
function replaceAt(body: unknown, path: readonly number[], other: unknown): void {
  let at = body;
  for (const [index, step] of path.entries()) {
    if (!Array.isArray(at) || at.length === 0) return;
    const place = step % at.length;
    const within = at[place];
    if (index === path.length - 1 || !Array.isArray(within)) {
      at[place] = other;
      return;
    }
    at = within;
  }
}

test("whatever a session may track can be sent, read and sent on", () => {
  const tracked = fc.dictionary(
    text,
    fc.oneof(value, fc.anything({ maxDepth: 3, withDate: true, withMap: true, withSparseArray: true })),
    { maxKeys: 4 },
  );
  fc.assert(
    fc.property(tracked, (meta) => {
      let taken: Meta;
      try {
        taken = takeMeta(meta, { metaBytesMax: 8_192 }).value;
      } catch {
        return;
      }
      const decoded = decodeMessage(encodeMessage({ type: "delta", delta: deltaOf([taken]) }));
      // The very same for every reader, not only the same JSON.
      assert.deepStrictEqual((decoded as DeltaMessage).delta.values[0]!.meta, taken);
      assert.equal(JSON.stringify(taken), JSON.stringify(meta));
      assert.deepEqual(decodeMessage(encodeMessage(decoded!)), decoded);
    }),
    { numRuns: 1_000 },
  );
});

describe("newer and older peers", () => {
  test("fields that are not known yet are skipped", () => {
    fc.assert(
      fc.property(message, fc.array(value, { minLength: 1, maxLength: 3 }), (message, more) => {
        const frame = encodeMessage(message);
        const body = packr.unpack(frame.subarray(2)) as unknown[];
        assert.deepEqual(decodeMessage(frameOf(frame[1]!, packr.pack([...body, ...more]))), message);
      }),
    );
    const beat = [1, [["a@1", 2, 3, "more"]], 4, [["a@1", 5, 6, "more"]], "more"];
    expect(decodeMessage(frameOf(17, packr.pack(beat)))).toStrictEqual({
      type: "heartbeat",
      counter: 1,
      heard: [{ replica: "a@1", counter: 2, agoMs: 3 }],
      digestHash: 4,
      digest: [{ replica: "a@1", vector: 5, hash: 6 }],
    });
  });

  test("types that are not known yet are skipped, whatever is in them", () => {
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 255 }), fc.uint8Array({ maxLength: 20 }), (type, body) => {
        expect(decodeMessage(frameOf(type, body))).toBeUndefined();
      }),
    );
  });

  test("another version is refused by a code of its own", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), message, (version, message) => {
        const frame = encodeMessage(message);
        frame[0] = version;
        if (version === PROTOCOL_VERSION) return;
        expect(() => decodeMessage(frame)).toThrow(expect.objectContaining({ code: "BAD_VERSION" }));
      }),
      { numRuns: 50 },
    );
    for (const frame of [[], [1]])
      expect(() => decodeMessage(Uint8Array.from(frame))).toThrow(
        expect.objectContaining({ code: "BAD_FRAME" }),
      );
  });
});

test("the parts of a sync are told apart by their own origins", () => {
  fc.assert(
    fc.property(messages.sync as fc.Arbitrary<SyncMessage>, (message) => {
      const decoded = decodeMessage(encodeMessage(message)) as SyncMessage;
      for (const { origin, values } of decoded.entries)
        for (const entry of values) expect(entry.replica).toBe(origin);
      for (const { origin, values } of decoded.deltas)
        for (const entry of values) expect(entry.replica).toBe(origin);
    }),
    { numRuns: 50 },
  );
});
