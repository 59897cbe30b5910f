/**
 * The interface that Colyseus declares for a presence, with the results and types of its `RedisPresence`: one instance
 * alone, and two processes' instances over real links, of which one writes and the other reads.
 */
import type { Presence } from "@colyseus/core";
import { requestFromIPC, ServerError, subscribeIPC } from "@colyseus/core";
import { PresentlyDriver, PresentlyPresence } from "@presently/colyseus";
import { createNode, type PresentlyNode } from "presently";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";

const secret = "a secret that only these tests share";

interface Pair {
  readonly writer: Presence & PresentlyPresence;
  readonly reader: Presence & PresentlyPresence;
}

const setups: Record<string, { start(): Promise<Pair>; end(pair: Pair): Promise<void> }> = {
  "one instance alone": {
    async start() {
      const presence = new PresentlyPresence();
      return { writer: presence, reader: presence };
    },
    async end({ writer }) {
      await writer.shutdown();
    },
  },
  "an object derived from it": {
    async start() {
      const presence = Object.create(new PresentlyPresence());
      return { writer: presence, reader: presence };
    },
    async end({ writer }) {
      await writer.shutdown();
    },
  },
  "two nodes": (() => {
    let nodes: PresentlyNode[] = [];
    return {
      async start() {
        const first = await createNode({ name: "first", secret, mesh: { port: 0 } });
        const second = await createNode({
          name: "second",
          secret,
          mesh: { port: 0, peers: [first.meshUrl!] },
        });
        nodes = [first, second];
        const pair = { writer: new PresentlyPresence(first), reader: new PresentlyPresence(second) };
        await Promise.all([pair.writer.whenReady(), pair.reader.whenReady()]);
        await eventually(() => {
          for (const node of nodes) expect(node.cluster().filter(({ linked }) => linked)).toHaveLength(1);
        });
        return pair;
      },
      async end({ writer, reader }) {
        await Promise.all([writer.shutdown(), reader.shutdown()]);
        await Promise.all(nodes.map((node) => node.stop()));
      },
    };
  })(),
};

describe.each(Object.entries(setups))("a presence, %s", (_, { start, end }) => {
  let writer: Pair["writer"];
  let reader: Pair["reader"];
  let names = 0;
  /** A key that no other test has used. */
  let key: string;

  beforeAll(async () => {
    ({ writer, reader } = await start());
  });
  beforeEach(() => {
    key = `key ${++names}`;
  });
  afterAll(() => end({ writer, reader }));

  /** Waits until the reader sees what was written. */
  const reads = <T>(read: () => Promise<T>, expected: T) =>
    eventually(async () => expect(await read()).toEqual(expected), { intervalMs: 2 });

  describe("publish and subscribe", () => {
    const heard: unknown[] = [];
    const hear = (message: unknown) => void heard.push(message);
    afterEach(() => {
      heard.length = 0;
    });

    test("carries any JSON value, in order, and undefined as false", async () => {
      await reader.subscribe(key, hear);
      const messages = ["text", 1000, { object: "hello" }, [1, null], null, true, undefined, "", "\u{1f600}"];
      for (const message of messages) writer.publish(key, message);
      await eventually(() =>
        expect(heard).toEqual(messages.map((message) => message ?? (message === null ? null : false))),
      );
      reader.unsubscribe(key);
    });

    test("tells the publisher itself, and every callback as often as it was added", async () => {
      await writer.subscribe(key, hear);
      await writer.subscribe(key, hear);
      await writer.publish(key, 1);
      await eventually(() => expect(heard).toEqual([1, 1]));
      await writer.unsubscribe(key, hear);
      await writer.publish(key, 2);
      await eventually(() => expect(heard).toEqual([1, 1, 2]));
      await writer.unsubscribe(key, () => undefined);
      expect(writer.subscriptions.listenerCount(key)).toBe(1);
      await writer.unsubscribe(key);
      expect(writer.subscriptions.listenerCount(key)).toBe(0);
    });

    test("tells nobody who unsubscribed before the message", async () => {
      reader.subscribe(key, hear);
      reader.unsubscribe(key);
      await reader.subscribe(`${key} after`, hear);
      await writer.publish(key, "missed");
      await writer.publish(`${key} after`, "heard");
      await eventually(() => expect(heard).toEqual(["heard"]));
      reader.unsubscribe(`${key} after`);
    });

    test("lets a message that is being delivered reach whom a callback removes, and goes on after one that throws", async () => {
      const order: string[] = [];
      const last = () => order.push("last");
      await reader.subscribe(key, () => void reader.unsubscribe(key, last));
      await reader.subscribe(key, () => order.push("middle"));
      await reader.subscribe(key, last);
      await writer.publish(key, 1);
      await eventually(() => expect(order).toEqual(["middle", "last"]));
      await writer.publish(key, 2);
      await eventually(() => expect(order).toEqual(["middle", "last", "middle"]));
      reader.unsubscribe(key);
    });

    test("gives a copy, and no name is special", async () => {
      for (const topic of ["error", "newListener", "__proto__", "constructor", "ünï \u{1f600}"]) {
        await reader.subscribe(topic, hear);
        const message = { nested: { topic } };
        await writer.publish(topic, message);
        await eventually(() => expect(heard).toEqual([message]));
        expect(heard[0]).not.toBe(message);
        heard.length = 0;
        reader.unsubscribe(topic);
      }
    });

    test("lists the topics of all processes by glob, anchored at both ends", async () => {
      const topics = ["p:one", "p:two", "$one", "zp:9", "one.two", "a[b"];
      for (const topic of topics) await reader.subscribe(topic, hear);
      const all = async (pattern?: string) => (await writer.channels(pattern)).sort();
      expect(await all()).toEqual([...topics].sort());
      expect(await all("p:*")).toEqual(["p:one", "p:two"]);
      expect(await all("$*")).toEqual(["$one"]);
      expect(await all("*.*")).toEqual(["one.two"]);
      expect(await all("p:t?o")).toEqual(["p:two"]);
      expect(await all("[pz]*[e9]")).toEqual(["p:one", "zp:9"]);
      expect(await all("a\\[b")).toEqual(["a[b"]);
      expect(await all("P:*")).toEqual([]);
      for (const topic of topics) reader.unsubscribe(topic);
      expect(await all()).toEqual([]);
    });
  });

  test("carries messages that are larger than a node broadcasts, whole and in order", async () => {
    const heard: unknown[] = [];
    await reader.subscribe(key, (message: unknown) => heard.push(message));
    const messages = [
      "before",
      "\u{1f600}".repeat(50_000),
      `a${"\u{1f600}ü".repeat(50_000)}`,
      { big: "x".repeat(900_000) },
      "after",
    ];
    for (const message of messages) writer.publish(key, message);
    await eventually(() => expect(heard).toHaveLength(messages.length));
    expect(heard).toEqual(messages);
    reader.unsubscribe(key);
  });

  test("what a client chooses cannot end a process: no length and no half of a character is an error of a gate", async () => {
    for (const field of [`mode:${"x".repeat(100_000)}`, "mode:\ud800", "mode:__proto__", ""]) {
      expect(await writer.hincrbyex(key, field, 1, 10)).toBe(1);
      expect(await reader.hincrbyex(key, field, 1, 10)).toBe(2);
      await reads(() => writer.hget(key, field), "2");
      await writer.hincrbyex(key, field, -1, 10);
      expect(await writer.hincrbyex(key, field, -1, 0.2)).toBe(0);
    }
    // Otherwise the names that clients chose would pile up.
    await reads(() => reader.hlen(key), 0);
    const topic = `concurrent:${"x".repeat(100_000)}\ud800`;
    const heard = new Promise((resolve) => void reader.subscribe(topic, resolve));
    await reader.subscribe(topic, () => undefined);
    await writer.publish(topic, "room");
    expect(await heard).toBe("room");
    reader.unsubscribe(topic);
  });

  describe("requests between processes, as core makes them", () => {
    test("are answered, also by a promise, and without a method", async () => {
      await subscribeIPC(reader, key, (method: string, args: unknown) =>
        method ? Promise.resolve([method, args]) : "no method",
      );
      expect(await requestFromIPC(writer, key, "name", ["one", 2, { three: true }])).toEqual([
        "name",
        ["one", 2, { three: true }],
      ]);
      expect(await requestFromIPC(writer, key, undefined as never, [true])).toBe("no method");
      reader.unsubscribe(key);
      expect(await writer.channels("ipc:*")).toEqual([]);
    });

    test("fail with the error of the other side, its code included, or in time", async () => {
      await subscribeIPC(reader, key, (method: string) => {
        if (method === "coded") throw new ServerError(1000, "with a code");
        throw method === "text" ? "only a text" : new Error("an error");
      });
      await expect(requestFromIPC(writer, key, "any", [])).rejects.toThrow("an error");
      await expect(requestFromIPC(writer, key, "coded", [])).rejects.toMatchObject({
        code: 1000,
        message: "with a code",
      });
      reader.unsubscribe(key);
      await expect(requestFromIPC(writer, key, "any", [], 50)).rejects.toThrow("ipc_timeout");
    });
  });

  test("set, get, exists and del: texts, null for what is missing", async () => {
    expect(await writer.set(key, "hello")).toBeNull();
    expect(await writer.get(key)).toBe("hello");
    await reads(() => reader.get(key), "hello");
    await writer.set(key, 42 as never);
    await reads(() => reader.get(key), "42");
    expect(await reader.exists(key)).toBe(true);
    expect(await reader.del(key)).toBeNull();
    expect(await reader.get(key)).toBeNull();
    await reads(() => writer.exists(key), false);
  });

  test("a key of any type expires everywhere, and a later set cancels that", async () => {
    await writer.setex(key, "short", 0.3);
    await writer.setex(`${key} kept`, "short", 0.3);
    await writer.sadd(`${key} set`, "member");
    await writer.expire(`${key} set`, 0.3);
    await writer.set(`${key} kept`, "long");
    await reads(() => reader.get(`${key} kept`), "long");
    await eventually(async () => {
      expect(await reader.get(key)).toBeNull();
      expect(await reader.exists(`${key} set`)).toBe(false);
    });
    expect(await reader.get(`${key} kept`)).toBe("long");
    expect(await writer.expire("missing", 1)).toBeNull();
  });

  test("sets: known members are ignored, integers come in order", async () => {
    for (const member of [3, 1, 2, 1]) expect(await writer.sadd(key, member)).toBeNull();
    await reads(() => reader.smembers(key), ["1", "2", "3"]);
    expect([
      await reader.scard(key),
      await reader.sismember(key, 2 as never),
      await reader.sismember(key, "4"),
    ]).toEqual([3, 1, 0]);
    expect([await writer.srem(key, 2), await writer.srem(key, "none")]).toEqual([1, 0]);
    await reads(() => reader.smembers(key), ["1", "3"]);
    await writer.sadd(`${key} b`, ["1", "x", "y"]);
    await writer.sadd(`${key} c`, ["x", "1"]);
    await reads(() => reader.sinter(key, `${key} b`, `${key} c`), ["1"]);
    expect(await reader.sinter(key)).toEqual(["1", "3"]);
    expect(await reader.sinter(key, "missing")).toEqual([]);
    await writer.srem(key, ["1", "3"]);
    await reads(() => reader.exists(key), false);
    expect(await reader.smembers(key)).toEqual([]);
  });

  test("hashes: true for what is new, and null, 0, false and {} for what is missing", async () => {
    expect([await writer.hset(key, "one", "1"), await writer.hset(key, "one", "uno")]).toEqual([true, false]);
    for (const field of ["__proto__", "constructor", "7", "ü\u{1f600}", "empty"])
      await writer.hset(key, field, field === "empty" ? "" : field);
    await reads(() => reader.hlen(key), 6);
    const all = await reader.hgetall(key);
    expect(Object.keys(all).sort()).toEqual(["7", "__proto__", "constructor", "empty", "one", "ü\u{1f600}"]);
    expect([
      all.one,
      all.constructor,
      await reader.hget(key, "__proto__"),
      await reader.hget(key, "empty"),
    ]).toEqual(["uno", "constructor", "__proto__", ""]);
    expect([await reader.hget(key, "none"), await reader.hlen("none"), await reader.hgetall("none")]).toEqual(
      [null, 0, {}],
    );
    expect([
      await writer.hdel(key, "one"),
      await writer.hdel(key, "one"),
      await writer.hdel("none", "none"),
    ]).toEqual([true, false, false]);
    await reads(() => reader.hget(key, "one"), null);
  });

  test("counters start from 0, answer the new number, and refuse what is no integer", async () => {
    expect([
      await writer.incr(key),
      await reader.incr(key),
      await writer.incr(key),
      await reader.decr(key),
    ]).toEqual([1, 2, 3, 2]);
    expect(await reader.get(key)).toBe("2");
    await writer.set(key, "10");
    await reads(() => reader.get(key), "10");
    expect(await reader.incr(key)).toBe(11);
    await writer.set(key, "abc");
    await reads(() => reader.get(key), "abc");
    await expect(reader.incr(key)).rejects.toMatchObject({ code: "NOT_AN_INTEGER" });
    const tickets = await Promise.all(
      Array.from({ length: 40 }, (_, index) => (index % 2 ? writer : reader).incr(`${key} tickets`)),
    );
    expect(tickets.sort((one, other) => one - other)).toEqual(tickets.map((_, index) => index + 1));
  });

  test("hincrby adds to a field; hincrbyex lets one caller be first, and the whole hash expire", async () => {
    expect([await writer.hincrby(key, "n", 2), await writer.hincrby(key, "n", -5)]).toEqual([2, -3]);
    await reads(() => reader.hget(key, "n"), "-3");
    const gate = `${key} gate`;
    const sums = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 ? writer : reader).hincrbyex(gate, "", 1, 0.3)),
    );
    expect(sums.sort((one, other) => one - other)).toEqual(sums.map((_, index) => index + 1));
    await eventually(async () =>
      expect([await writer.hget(gate, ""), await reader.hget(gate, "")]).toEqual([null, null]),
    );
    expect(await reader.hincrbyex(gate, "", 1, 1)).toBe(1);
    await writer.hset(key, "text", "x");
    await expect(writer.hincrby(key, "text", 1)).rejects.toMatchObject({ code: "NOT_AN_INTEGER" });
  });

  test("lists: Redis' order, every value of a call, and no element twice", async () => {
    expect([await writer.rpush(key, "a", "b"), await reader.lpush(key, "c", "d")]).toEqual([2, 4]);
    expect([await reader.llen(key), await reader.llen("none")]).toEqual([4, 0]);
    expect([
      await reader.lpop(key),
      await writer.rpop(key),
      await reader.rpop(key),
      await writer.lpop(key),
    ]).toEqual(["d", "b", "a", "c"]);
    expect([await reader.lpop(key), await reader.rpop(key), await reader.rpop("none")]).toEqual([
      null,
      null,
      null,
    ]);
    await reads(() => writer.exists(key), false);
    await writer.rpush(key, ...Array.from({ length: 30 }, (_, index) => `${index}`));
    const popped = await Promise.all(
      Array.from({ length: 40 }, (_, index) => (index % 2 ? writer : reader).lpop(key)),
    );
    expect(popped.filter((element) => element === null)).toHaveLength(10);
    expect(new Set(popped).size).toBe(31);
  });

  test("brpop takes what is there, waits for what comes, or gives null in time", async () => {
    await writer.lpush(key, "one", "two", "three");
    expect(await reader.brpop("none", key, 1)).toEqual([key, "one"]);
    await writer.del(key);
    await reads(() => reader.exists(key), false);
    const waiting = [reader.brpop(key, 20), reader.brpop(key, "other", 20)];
    await writer.lpush(key, "first");
    expect(await waiting[0]).toEqual([key, "first"]);
    await writer.lpush("other", "second");
    expect(await waiting[1]).toEqual(["other", "second"]);
    expect(await reader.brpop("none", 0.05)).toBeNull();
  });

  test("values of a megabyte are at every process, of every type", async () => {
    const large = "ü".repeat(400_000);
    await writer.set(`${key} text`, large);
    await writer.hset(`${key} hash`, "f", large);
    await writer.sadd(`${key} set`, large);
    await writer.lpush(`${key} list`, large);
    await reads(() => reader.get(`${key} text`), large);
    await reads(() => reader.hget(`${key} hash`, "f"), large);
    await reads(() => reader.smembers(`${key} set`), [large]);
    expect(await reader.rpop(`${key} list`)).toBe(large);
    for (const type of ["text", "hash", "set"]) await writer.del(`${key} ${type}`);
  });

  test("what holds another type is refused where Redis refuses it", async () => {
    await writer.set(key, "text");
    await reads(() => reader.get(key), "text");
    for (const wrong of [
      reader.smembers(key),
      reader.hgetall(key),
      reader.llen(key),
      reader.hset(key, "f", "v"),
      reader.lpop(key),
    ])
      await expect(wrong).rejects.toMatchObject({ code: "WRONG_TYPE" });
    // As Redis' client does: the error is what these resolve to.
    expect(await reader.sadd(key, "member")).toMatchObject({ code: "WRONG_TYPE" });
    await writer.setex(`${key} list`, "x", 10);
    await writer.del(key);
    await writer.rpush(key, "element");
    await reads(() => reader.llen(key), 1);
    await expect(reader.get(key)).rejects.toMatchObject({ code: "WRONG_TYPE" });
    await expect(reader.incr(key)).rejects.toMatchObject({ code: "WRONG_TYPE" });
  });

  test("its bounds are errors with a code, and change nothing", async () => {
    const tooLong = "x".repeat(1_100_000);
    for (const refused of [
      writer.set(key, tooLong),
      writer.setex(key, tooLong, 10),
      writer.sadd(key, tooLong),
      writer.hset(key, "f", tooLong),
      writer.lpush(key, tooLong),
    ])
      await expect(refused).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    expect((await writer.keyspace).refusals).toBeGreaterThanOrEqual(5);
    await expect(writer.rpush("k".repeat(2_000), "x")).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    await expect(writer.publish(key, "x".repeat(1_100_000))).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    expect(await reader.exists(key)).toBe(false);
  });
});

test("a presence that was shut down has no topics, and its room for others is its own", async () => {
  const first = new PresentlyPresence();
  await first.subscribe("topic", () => undefined);
  await first.set("key", "value");
  await first.shutdown();
  await first.shutdown();
  const second = new PresentlyPresence();
  expect([await second.channels(), await second.get("key")]).toEqual([[], null]);
  await expect(first.get("key")).rejects.toMatchObject({ code: "CLOSED" });
  second.setMaxListeners(100);
  await second.shutdown();
});

test("a presence starts a node from its options, waits for it, and stops it", async () => {
  const presence = new PresentlyPresence({ name: "own", mesh: { port: 0 } });
  const early = presence.set("key", "value");
  await presence.subscribe("topic", () => undefined);
  await early;
  expect([await presence.get("key"), await presence.channels()]).toEqual(["value", ["topic"]]);
  await presence.shutdown();
});

test("a presence whose node cannot start says why, in every call", async () => {
  const errors: unknown[] = [];
  const presence = new PresentlyPresence({ name: "not valid!" }, { onError: (error) => errors.push(error) });
  await expect(presence.get("key")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(presence.subscribe("topic", () => undefined)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  expect(errors).toHaveLength(1);
  await presence.shutdown();
});

test("calls that fail and that nobody looks at are told of, and end no process", async () => {
  const errors: unknown[] = [];
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  const presence = new PresentlyPresence(undefined, {
    keyspace: { keysMax: 1 },
    messageBytesMax: 100,
    onError: (error) => errors.push(error),
  });
  const driver = new PresentlyDriver(presence);
  await presence.set("key", "value");
  presence.publish("topic", "x".repeat(200));
  presence.hset("roomcount", "p", "1,1");
  driver.createInstance({ roomId: "r" }).save();
  expect(await presence.hincrbyex("ch:game", "", 1, 1)).toBe(1);
  await eventually(() => expect(errors).toHaveLength(4));
  await presence.shutdown();
  presence.publish("topic", 1);
  presence.hset("roomcount", "p", "1,1");
  await eventually(() => expect(errors).toHaveLength(6));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
