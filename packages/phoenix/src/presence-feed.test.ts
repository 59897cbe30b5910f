/** What clients are told of presence, and in which order. */
import { createNode, type PresentlyNode } from "presently";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { Switchboard, type WireClient } from "../test/wire-client.ts";
import type { Channel } from "./channel.ts";
import type { PresenceDefinition } from "./channel-definition.ts";
import { AlreadyTrackedError, NoPresenceError } from "./errors.ts";
import type { PresenceDiff, PresenceMap } from "./presence-map.ts";

const topic = "room:1";
let node: PresentlyNode;
beforeEach(async () => {
  node = await createNode({ name: "a" });
});
afterEach(() => node.stop());

function serve(presence: PresenceDefinition | false = {}, channels: Channel[] = []) {
  const join = (_: unknown, channel: Channel) => void channels.push(channel);
  return new Switchboard(node, () => ({ presence, join }));
}

/** The keys of each half, with how many metas each has. */
function shape({ joins, leaves }: PresenceDiff) {
  const half = (map: PresenceMap) =>
    Object.fromEntries(Object.entries(map).map(([key, { metas }]) => [key, metas.length]));
  return { joins: half(joins), leaves: half(leaves) };
}

function diffs(client: WireClient): PresenceDiff[] {
  return client.takeEvents("presence_diff").map(([, , , , payload]) => payload);
}

describe("after a join", () => {
  test("comes the state, then every diff, each of which names the join", () => {
    const session = node.session();
    const ref = session.track(topic, "alice", { device: "phone" });
    const client = serve().connect();
    client.join(topic, "3");
    expect(client.take().slice(1)).toEqual([
      ["3", null, topic, "presence_state", { alice: { metas: [{ device: "phone", phx_ref: ref }] } }],
    ]);
    const bob = node.session().track(topic, "bob");
    expect(client.take()).toEqual([
      ["3", null, topic, "presence_diff", { joins: { bob: { metas: [{ phx_ref: bob }] } }, leaves: {} }],
    ]);
    session.close();
    expect(client.take()).toEqual([
      [
        "3",
        null,
        topic,
        "presence_diff",
        { joins: {}, leaves: { alice: { metas: [{ device: "phone", phx_ref: ref }] } } },
      ],
    ]);
  });

  test("of an empty room comes an empty state", () => {
    const client = serve().connect();
    client.join(topic);
    expect(client.takeEvents("presence_state")[0]![4]).toEqual({});
  });

  test("comes a new state, and no diff of before, each time", () => {
    const client = serve().connect();
    client.join(topic, "1");
    client.send("1", "2", topic, "phx_leave");
    node.session().track(topic, "alice");
    client.take();
    client.join(topic, "3");
    expect(client.take().map(([joinRef, , , event, payload]) => [joinRef, event, payload.status])).toEqual([
      ["3", "phx_reply", "ok"],
      ["3", "presence_state", undefined],
    ]);
  });

  test("comes the state twice, if it is a further join of a client to which nothing names its join", () => {
    const client = serve().connect();
    for (const [ref, states] of [
      ["1", 1],
      ["3", 2],
    ] as const) {
      client.send(null, ref, topic, "phx_join");
      expect(client.takeEvents("presence_state")).toHaveLength(states);
      client.send(null, `${ref}0`, topic, "phx_leave");
    }
    client.join(topic, "5");
    expect(client.takeEvents("presence_state")).toHaveLength(1);
  });

  test("comes nothing of presence where it is switched off", () => {
    const client = serve(false).connect();
    client.join(topic);
    node.session().track(topic, "alice");
    expect(client.take()).toHaveLength(1);
  });

  test("the joiner hears of itself, as everybody does", () => {
    const board = serve({ key: () => "alice", meta: () => ({ device: "phone" }) });
    const [one, two] = [board.connect(), board.connect()];
    two.join(topic);
    two.take();
    one.join(topic);
    const [, state, diff] = one.take();
    expect(Object.keys(state![4])).toEqual(["alice"]);
    expect(state![4].alice.metas).toHaveLength(1);
    expect(shape(diff![4])).toEqual({ joins: { alice: 1 }, leaves: {} });
    expect(diffs(two)).toEqual([diff![4]]);
  });

  test("the default meta tells since when", () => {
    const before = Math.floor(Date.now() / 1_000);
    const client = serve({ key: () => "alice" }).connect();
    client.join(topic);
    const { online_at } = diffs(client)[0]!.joins.alice!.metas[0]!;
    expect(online_at).toMatch(/^\d+$/);
    expect(Number(online_at)).toBeGreaterThanOrEqual(before);
    expect(Number(online_at)).toBeLessThanOrEqual(Date.now() / 1_000);
  });

  test("whose key is undefined is not tracked", () => {
    serve({ key: () => undefined })
      .connect()
      .join(topic);
    expect(node.list(topic)).toEqual([]);
  });
});

describe("tracking", () => {
  let served: Switchboard;
  let channel: Channel;
  let otherChannel: Channel;
  let client: WireClient;
  let other: WireClient;
  beforeEach(() => {
    const channels: Channel[] = [];
    served = serve({}, channels);
    [client, other] = [served.connect(), served.connect()];
    client.join(topic);
    other.join(topic);
    [channel, otherChannel] = channels as [Channel, Channel];
    client.take();
    other.take();
  });

  test("the same key twice is an error, another key is not", () => {
    channel.track("alice");
    expect(() => channel.track("alice")).toThrow(AlreadyTrackedError);
    expect(() => channel.track("alice")).toThrow(expect.objectContaining({ reason: "already_tracked" }));
    channel.track("bob");
    expect(Object.keys(node.list(topic))).toHaveLength(2);
  });

  test("a number is a key like its text", () => {
    channel.track(7);
    expect(node.list(topic)[0]?.key).toBe("7");
    channel.update(7, { a: 1 });
    channel.untrack(7);
    expect(node.list(topic)).toEqual([]);
  });

  test("keys and fields with the names of an object's own survive", async () => {
    const keys = ["__proto__", "constructor", "toString", "👋", "7"];
    for (const key of keys) channel.track(key, { key });
    const seen = diffs(other).flatMap(({ joins }) => Object.entries(joins));
    expect(seen.map(([key, { metas }]) => [key, metas[0]?.key])).toEqual(keys.map((key) => [key, key]));
    const list = await channel.list();
    expect(Object.keys(list).sort()).toEqual([...keys].sort());
    expect(await channel.getByKey("__proto__")).toMatchObject({ metas: [{ key: "__proto__" }] });
  });

  test("an update is one diff, with the old meta leaving and the new one joining", () => {
    const first = channel.track("alice", { a: 1 });
    const second = channel.update("alice", { b: 2 });
    const third = channel.update("alice", (previous) => {
      expect(previous).toEqual({ b: 2, phx_ref: second, phx_ref_prev: first });
      return { ...previous, c: 3 };
    });
    expect(diffs(other).slice(1)).toEqual([
      {
        joins: { alice: { metas: [{ b: 2, phx_ref: second, phx_ref_prev: first }] } },
        leaves: { alice: { metas: [{ a: 1, phx_ref: first }] } },
      },
      {
        joins: { alice: { metas: [{ b: 2, c: 3, phx_ref: third, phx_ref_prev: second }] } },
        leaves: { alice: { metas: [{ b: 2, phx_ref: second, phx_ref_prev: first }] } },
      },
    ]);
  });

  test("an update of what is not tracked is an error, untracking it is none", () => {
    expect(() => channel.update("alice", {})).toThrow(NoPresenceError);
    expect(() => channel.update("alice", {})).toThrow(expect.objectContaining({ reason: "nopresence" }));
    channel.untrack("alice");
    channel.track("bob");
    expect(() => channel.update("alice", {})).toThrow(NoPresenceError);
  });

  test("several connections of one key are several metas, and a leave names those that left", () => {
    const again = node.session();
    const first = channel.track("alice", { tab: 1 });
    const second = again.track(topic, "alice", { tab: 2 });
    again.close();
    const leaves = diffs(other).at(-1)!.leaves;
    expect(leaves).toEqual({ alice: { metas: [{ tab: 2, phx_ref: second }] } });
    expect(node.get(topic, "alice").map(({ ref }) => ref)).toEqual([first]);
  });

  test("any object may own presences, on any topic, and one call takes them all away", async () => {
    const { presence } = serve();
    const owner = {};
    presence.track(owner, "room:1", "robot");
    presence.track(owner, "room:2", "robot", { a: 1 });
    expect(() => presence.track(owner, "room:2", "robot")).toThrow(AlreadyTrackedError);
    presence.update(owner, "room:2", "robot", ({ a }) => ({ a: Number(a) + 1 }));
    expect(await presence.getByKey("room:2", "robot")).toMatchObject({ metas: [{ a: 2 }] });
    presence.untrack(owner, "room:2", "nobody");
    presence.untrack(owner);
    presence.untrack(owner);
    expect(node.topics()).toEqual([]);
    expect(await presence.list("room:2")).toEqual({});
    expect(await presence.getByKey("room:2", "robot")).toEqual([]);
  });

  test("a channel that has ended can track nothing more, by whatever way", () => {
    const ends = [
      () => client.send("1", "2", topic, "phx_leave"),
      () => other.connection.lost(),
      () => third.connection.drain(),
    ];
    const channels: Channel[] = [];
    const board = serve({ lingerMs: 1_000_000 }, channels);
    const third = board.connect();
    third.join(topic);
    const owners = [channel, otherChannel, channels[0]!];
    for (const [index, end] of ends.entries()) {
      const owner = owners[index]!;
      end();
      const { presence: own } = index < 2 ? served : board;
      for (const track of [
        () => owner.track("ghost"),
        () => own.track(owner, topic, "ghost"),
        () => own.track(owner, "elsewhere", "ghost"),
      ])
        expect(track).toThrow(expect.objectContaining({ code: "CLOSED" }));
      own.untrack(owner);
      expect(() => own.track(owner, topic, "ghost")).toThrow(expect.objectContaining({ code: "CLOSED" }));
    }
    expect(node.topics()).toEqual([]);
  });

  test("a channel may own presences on other topics, that end with it", () => {
    const channels: Channel[] = [];
    const board = serve({}, channels);
    const third = board.connect();
    third.join(topic);
    board.presence.track(channels[0]!, "everybody", "carol");
    channels[0]!.track("carol");
    third.connection.lost();
    expect(node.topics()).toEqual([]);
  });
});

describe("fetch", () => {
  test("adds to state, diffs and lists, with one call for each", async () => {
    const calls: string[][] = [];
    const fetch = (_: string, presences: PresenceMap) => {
      calls.push(Object.keys(presences));
      const entries = Object.entries(presences);
      return Object.fromEntries(entries.map(([key, entry]) => [key, { ...entry, user: key.toUpperCase() }]));
    };
    const board = serve({ fetch });
    node.session().track(topic, "alice");
    const client = board.connect();
    client.join(topic);
    node.batch(() => {
      const session = node.session();
      for (const key of ["bob", "carol"]) session.track(topic, key);
    });
    expect(calls).toEqual([["alice"], ["bob", "carol"], []]);
    const [, state, diff] = client.take();
    expect(state![4].alice.user).toBe("ALICE");
    expect(diff![4].joins.bob.user).toBe("BOB");
    expect((await board.presence.list(topic)).alice?.user).toBe("ALICE");
    expect(await board.presence.getByKey(topic, "bob")).toMatchObject({ user: "BOB" });
  });

  test("that is slow delays, and reorders nothing", async () => {
    const waiting: (() => void)[] = [];
    const fetch = (_: string, presences: PresenceMap) =>
      new Promise<PresenceMap>((resolve) => waiting.push(() => resolve(presences)));
    const board = serve({ fetch });
    const [early, late] = [board.connect(), board.connect()];
    early.join(topic);
    const session = node.session();
    session.track(topic, "alice");
    session.track(topic, "bob");
    late.join(topic);
    session.untrack(topic, "alice");
    // Answered last first, where several are under way.
    while (waiting.length > 0) {
      waiting.pop()!();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const told = (client: WireClient) =>
      client.take().map(([, , , event, payload]) => {
        if (event === "presence_state") return Object.keys(payload);
        return event === "presence_diff" ? shape(payload) : event;
      });
    const left = { joins: {}, leaves: { alice: 1 } };
    const joined = (key: string) => ({ joins: { [key]: 1 }, leaves: {} });
    expect(told(early)).toEqual(["phx_reply", [], joined("alice"), joined("bob"), left]);
    expect(told(late)).toEqual(["phx_reply", ["alice", "bob"], left]);
  });

  test("that hangs for long merges what waits, and loses nothing", async () => {
    const gate: { open?: () => void } = {};
    const shut = new Promise<void>((resolve) => {
      gate.open = resolve;
    });
    let calls = 0;
    const fetch = async (_: string, presences: PresenceMap) => {
      calls++;
      await shut;
      return presences;
    };
    const client = serve({ fetch }).connect();
    client.join(topic);
    const session = node.session();
    for (let index = 0; index < 500; index++) {
      session.track(topic, `key ${index}`);
      if (index % 2 === 0) session.untrack(topic, `key ${index}`);
    }
    gate.open?.();
    await eventually(() => {
      const present = new Set<string>();
      for (const [, , , event, payload] of client.received) {
        if (event !== "presence_diff") continue;
        for (const key of Object.keys(payload.joins)) present.add(key);
        for (const key of Object.keys(payload.leaves)) present.delete(key);
      }
      expect(present.size).toBe(250);
    });
    expect(calls).toBeLessThan(200);
  });

  test.each([
    ["throws", () => Promise.reject(new Error("no database"))],
    ["gives nothing", () => undefined as never],
    ["loses a key", () => ({})],
    ["loses the metas", () => ({ alice: { name: "Alice" } }) as never],
    ["adds what JSON cannot say", (_: string, all: PresenceMap) => ({ alice: { ...all.alice!, big: 1n } })],
  ])("that %s is reported, and clients get the presences as they are", async (_, fetch) => {
    const ref = node.session().track(topic, "alice");
    const board = serve({ fetch });
    const client = board.connect();
    client.join(topic);
    await eventually(() => expect(client.received).toHaveLength(2));
    expect(client.take()[1]![4]).toEqual({ alice: { metas: [{ phx_ref: ref }] } });
    expect(board.notices).toMatchObject([{ callback: "fetch" }]);
  });
});

describe("handleMetas", () => {
  test("is told of every diff, with all who are present, and carries its state", async () => {
    const told: unknown[] = [];
    const board = serve({
      init: () => 0,
      handleMetas: async (name, diff, presences, count: number) => {
        told.push([name, shape(diff), Object.keys(presences), count]);
        return count + 1;
      },
    });
    const session = node.session();
    session.track(topic, "before");
    const stop = board.presence.observe(topic);
    session.track(topic, "alice");
    session.untrack(topic, "before");
    await eventually(() => expect(told).toHaveLength(2));
    expect(told).toEqual([
      [topic, { joins: { alice: 1 }, leaves: {} }, ["before", "alice"], 0],
      [topic, { joins: {}, leaves: { before: 1 } }, ["alice"], 1],
    ]);
    stop();
    session.track(topic, "unseen");
    expect(told).toHaveLength(2);
  });

  test("that throws keeps its state", () => {
    const states: unknown[] = [];
    const board = serve({
      init: () => "first",
      handleMetas: (_topic, _diff, _presences, state) => {
        states.push(state);
        if (states.length === 1) throw new Error("no database");
        return "second";
      },
    });
    board.presence.observe(topic);
    for (const key of ["a", "b", "c"]) node.session().track(topic, key);
    expect(states).toEqual(["first", "first", "second"]);
    expect(board.notices).toMatchObject([{ callback: "handleMetas" }]);
  });
});

test("dispatch takes the place of the fan-out", () => {
  const seen: unknown[] = [];
  const client = serve({
    dispatch: (_, diff, deliver) => {
      seen.push(shape(diff));
      if (!("secret" in diff.joins)) deliver();
    },
  }).connect();
  client.join(topic);
  for (const key of ["alice", "secret"]) node.session().track(topic, key);
  expect(seen).toHaveLength(2);
  expect(diffs(client).map(shape)).toEqual([{ joins: { alice: 1 }, leaves: {} }]);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("a bug of the application");
    },
  ],
  [
    "rejects",
    async () => {
      throw new Error("a bug of the application");
    },
  ],
])("a dispatch that %s is a notice, and the next diff is dispatched", async (_, dispatch) => {
  const board = serve({ dispatch });
  board.connect().join(topic);
  for (const key of ["alice", "bob"]) node.session().track(topic, key);
  const failed = { type: "callback-failed", callback: "dispatch", topic };
  await eventually(() => expect(board.notices).toMatchObject([failed, failed]));
});

test("a state that is asked for again comes in order", () => {
  const channels: Channel[] = [];
  const client = serve({}, channels).connect();
  client.join(topic);
  channels[0]!.track("alice");
  channels[0]!.pushPresenceState();
  channels[0]!.track("bob");
  const events = client.take().map(([, , , event, payload]) => [event, Object.keys(payload)]);
  expect(events.slice(1)).toEqual([
    ["presence_state", []],
    ["presence_diff", ["joins", "leaves"]],
    ["presence_state", ["alice"]],
    ["presence_diff", ["joins", "leaves"]],
  ]);
});

describe("a large room", () => {
  /** As many as take all the frames of an interval by one diff. */
  const CLIENTS = 1_000;
  const diffIntervalMs = 20;

  function crowd(presence: PresenceDefinition = {}): WireClient[] {
    const board = serve({ diffIntervalMs, ...presence });
    const clients = Array.from({ length: CLIENTS }, () => board.connect());
    for (const client of clients) client.join(topic);
    for (const client of clients) client.take();
    return clients;
  }

  test("hears the first change at once, and those that follow as one", async () => {
    const [client] = crowd() as [WireClient];
    const session = node.session();
    session.track(topic, "alice");
    expect(diffs(client).map(shape)).toEqual([{ joins: { alice: 1 }, leaves: {} }]);
    session.track(topic, "bob", { a: 1 });
    session.update(topic, "alice", { a: 2 });
    session.track(topic, "carol");
    session.untrack(topic, "carol");
    expect(client.received).toEqual([]);
    await eventually(() => expect(client.received).toHaveLength(1));
    const [diff] = diffs(client);
    expect(shape(diff!)).toEqual({ joins: { bob: 1, alice: 1 }, leaves: { alice: 1 } });
    expect(diff!.joins.alice!.metas[0]!.phx_ref_prev).toBe(diff!.leaves.alice!.metas[0]!.phx_ref);
  });

  test("gives who joins between two diffs the state as it was told, and then the same diff as everybody", async () => {
    const clients = crowd();
    const session = node.session();
    session.track(topic, "alice");
    session.track(topic, "bob");
    session.untrack(topic, "alice");
    const [first, late] = clients as [WireClient, WireClient];
    first.take();
    late.send("1", "2", topic, "phx_leave");
    late.take();
    late.join(topic, "3");
    expect(Object.keys(late.takeEvents("presence_state")[0]![4])).toEqual(["alice"]);
    await eventually(() => expect(late.received).toHaveLength(1));
    const told = diffs(late);
    expect(told.map(shape)).toEqual([{ joins: { bob: 1 }, leaves: { alice: 1 } }]);
    expect(diffs(first)).toEqual(told);
  });

  test("encodes a state once for all who ask between two diffs", () => {
    const clients = crowd();
    node.session().track(topic, "alice");
    const [first, second] = clients as [WireClient, WireClient];
    const stringify = vi.spyOn(JSON, "stringify");
    const encodings = () => stringify.mock.calls.filter(([value]) => Object.hasOwn(Object(value), "alice"));
    for (const client of [first, second]) {
      client.join(topic, "7");
      expect(Object.keys(client.takeEvents("presence_state")[0]![4])).toEqual(["alice"]);
    }
    expect(encodings()).toHaveLength(1);
    stringify.mockRestore();
  });
});

test("what the node has not told yet is in no state, so that nothing of it can stay behind", () => {
  const channels: Channel[] = [];
  const board = serve({}, channels);
  const [client, other] = [board.connect(), board.connect()];
  other.join(topic);
  const session = node.session();
  node.batch(() => {
    session.track(topic, "ghost");
    client.join(topic);
    session.untrack(topic, "ghost");
    session.track(topic, "alice");
  });
  const [, state, diff] = client.take();
  expect(state![4]).toEqual({});
  expect(shape(diff![4])).toEqual({ joins: { alice: 1 }, leaves: {} });
});
