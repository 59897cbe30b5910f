/** The protocol of joining, leaving and failing, without a socket. */
import { createNode, type PresentlyNode } from "presently";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { Switchboard, type SwitchboardOptions, type WireClient } from "../test/wire-client.ts";
import type { Channel } from "./channel.ts";
import type { ChannelDefinition, EndReason } from "./channel-definition.ts";

let node: PresentlyNode;
beforeEach(async () => {
  node = await createNode({ name: "a" });
});
afterEach(() => node.stop());

// biome-ignore lint/suspicious/noExplicitAny: assigns of every type.
function serve(definition: ChannelDefinition<any> = {}, options: SwitchboardOptions = {}) {
  const silent = { presence: false, ...definition } as ChannelDefinition;
  return new Switchboard(node, (topic) => (topic.startsWith("room:") ? silent : undefined), options);
}

function connect(definition?: ChannelDefinition<unknown>, options?: SwitchboardOptions): WireClient {
  return serve(definition, options).connect();
}

const ok = (joinRef: unknown, ref: unknown, topic = "room:1", response: unknown = {}) => [
  joinRef,
  ref,
  topic,
  "phx_reply",
  { status: "ok", response },
];
const error = (joinRef: unknown, ref: unknown, topic: string, response: unknown) => [
  joinRef,
  ref,
  topic,
  "phx_reply",
  { status: "error", response },
];

/** A promise that a test settles by hand. */
function deferred<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe("heartbeats", () => {
  test("are answered", () => {
    const client = connect();
    client.send(null, "7", "phoenix", "heartbeat");
    expect(client.take()).toEqual([ok(null, "7", "phoenix")]);
  });
});

describe("joining", () => {
  test("is answered with what the callback gives", () => {
    const client = connect({ join: (params) => ({ ok: { params } }) });
    client.join("room:1", "3", { a: 1 });
    expect(client.take()).toEqual([ok("3", "3", "room:1", { params: { a: 1 } })]);
  });

  test("is refused with what the callback gives, and leaves nothing behind", () => {
    const client = connect({
      join: (_, channel) => {
        channel.track("ghost");
        return { error: { reason: "not here" } };
      },
    });
    client.join("room:1");
    expect(client.take()).toEqual([error("1", "1", "room:1", { reason: "not here" })]);
    expect(node.list("room:1")).toEqual([]);
    client.send("1", "2", "room:1", "hello");
    expect(client.take()).toEqual([error(null, "2", "room:1", { reason: "unmatched topic" })]);
  });

  test.each(["other:1", ""])("of a topic that nobody serves (%j) is refused", (topic) => {
    const client = connect();
    client.join(topic);
    expect(client.take()).toEqual([error(null, "1", topic, { reason: "unmatched topic" })]);
  });

  test("that throws is answered, and reported", async () => {
    const board = serve({
      join: () => {
        throw new Error("no database");
      },
    });
    const client = board.connect();
    client.join("room:1");
    expect(client.take()).toEqual([error("1", "1", "room:1", { reason: "join crashed" })]);
    expect(board.notices).toMatchObject([{ type: "callback-failed", callback: "join", topic: "room:1" }]);
  });

  test("that rejects later, or answers nonsense, is answered too", async () => {
    const client = connect({
      join: async (params) => {
        if (params === "throw") throw new Error("no database");
        return "nonsense" as never;
      },
    });
    client.join("room:1", "1", "throw");
    client.join("room:2", "2", "answer");
    await eventually(() => expect(client.received).toHaveLength(2));
    const crashed = { reason: "join crashed" };
    expect(client.take()).toEqual([error("1", "1", "room:1", crashed), error("2", "2", "room:2", crashed)]);
  });

  test("that answers what JSON cannot say is answered too", () => {
    const board = serve({ join: () => ({ ok: { big: 1n } }) });
    const client = board.connect();
    client.join("room:1");
    expect(client.take()).toEqual([error("1", "1", "room:1", { reason: "join crashed" })]);
    expect(board.notices).toMatchObject([{ callback: "join" }]);
  });

  test("is answered before anything else is sent on the topic", async () => {
    const answered = deferred();
    const board = serve({
      presence: {},
      join: async (_, channel) => {
        channel.push("welcome", {});
        channel.track("alice");
        await answered.promise;
      },
      handleIn: { hello: () => ({ ok: { heard: true } }) },
    });
    const client = board.connect();
    client.join("room:1");
    client.send("1", "2", "room:1", "hello");
    node.session().track("room:1", "bob");
    expect(client.take()).toEqual([]);
    answered.resolve();
    await eventually(() => expect(client.received).toHaveLength(6));
    expect(client.take().map(([, ref, , event]) => [ref, event])).toEqual([
      ["1", "phx_reply"],
      [null, "welcome"],
      [null, "presence_state"],
      [null, "presence_diff"],
      [null, "presence_diff"],
      ["2", "phx_reply"],
    ]);
  });

  test("starts each channel with its own copy of the assigns", () => {
    const seen: unknown[] = [];
    const board = serve({
      join: (_, channel: Channel<{ count: number }>) => {
        seen.push(channel.assigns.count);
        channel.assigns.count++;
      },
    });
    const client = board.connect({ assigns: { count: 1 } });
    client.join("room:1");
    client.join("room:2");
    expect(seen).toEqual([1, 1]);
  });
});

describe("joining again", () => {
  test("answers the new join, then closes the old one", () => {
    const ends: EndReason[] = [];
    const client = connect({ terminate: (reason) => ends.push(reason) });
    client.join("room:1", "1");
    client.take();
    client.join("room:1", "2");
    expect(client.take()).toEqual([ok("2", "2"), ["1", "1", "room:1", "phx_close", {}]]);
    expect(ends).toEqual(["duplicate_join"]);
  });

  test("while the first join is under way takes its place", async () => {
    const first = deferred();
    const client = connect({
      join: async (params, channel) => {
        channel.track("alice", { params });
        if (params === 1) await first.promise;
        return { ok: { params } };
      },
    });
    client.join("room:1", "1", 1);
    client.join("room:1", "2", 2);
    await eventually(() => expect(client.received).toHaveLength(2));
    first.resolve();
    await first.promise;
    expect(client.take()).toEqual([
      ok("2", "2", "room:1", { params: 2 }),
      ["1", "1", "room:1", "phx_close", {}],
    ]);
    expect(node.list("room:1").map(({ meta }) => meta)).toEqual([{ params: 2 }]);
  });

  test("is a leave and a join of one diff for the others", () => {
    const board = serve({ presence: { key: () => "alice" } });
    const client = board.connect();
    const other = board.connect();
    client.join("room:1", "1");
    other.join("room:1", "1");
    other.take();
    client.join("room:1", "2");
    const diffs = other.takeEvents("presence_diff");
    expect(diffs).toHaveLength(1);
    expect(Object.keys(diffs[0]![4].joins)).toEqual(["alice"]);
    expect(Object.keys(diffs[0]![4].leaves)).toEqual(["alice"]);
  });

  test("what belongs to the earlier join is ignored", () => {
    const heard: unknown[] = [];
    const client = connect({ handleIn: (event) => void heard.push(event) });
    client.join("room:1", "1");
    client.join("room:1", "2");
    client.take();
    client.send("1", "3", "room:1", "late");
    client.send("1", "4", "room:1", "phx_leave");
    client.send("2", "5", "room:1", "now");
    client.send(null, "6", "room:1", "without join_ref");
    expect(heard).toEqual(["now", "without join_ref"]);
    expect(client.take()).toEqual([]);
  });
});

describe("leaving", () => {
  test("is answered, then closed", () => {
    const ends: EndReason[] = [];
    const client = connect({
      join: (_, channel) => void channel.track("alice"),
      terminate: (reason) => ends.push(reason),
    });
    client.join("room:1", "3");
    client.take();
    client.send("3", "4", "room:1", "phx_leave");
    expect(client.take()).toEqual([ok("3", "4"), ["3", "3", "room:1", "phx_close", {}]]);
    expect(ends).toEqual(["left"]);
    expect(node.list("room:1")).toEqual([]);
  });

  test("of a topic that is not joined is answered", () => {
    const client = connect();
    client.send("3", "4", "room:1", "phx_leave");
    expect(client.take()).toEqual([ok("3", "4")]);
  });

  test("while the join is under way waits for it", async () => {
    const joined = deferred();
    const client = connect({ join: () => joined.promise });
    client.join("room:1");
    client.send("1", "2", "room:1", "phx_leave");
    expect(client.take()).toEqual([]);
    joined.resolve();
    await eventually(() => expect(client.received).toHaveLength(3));
    expect(client.take()).toEqual([ok("1", "1"), ok("1", "2"), ["1", "1", "room:1", "phx_close", {}]]);
  });

  test("may be done by the server", () => {
    const client = connect({ handleIn: { bye: (_, channel) => channel.stop() } });
    client.join("room:1");
    client.take();
    client.send("1", "2", "room:1", "bye");
    expect(client.take()).toEqual([["1", "1", "room:1", "phx_close", {}]]);
  });

  test("by losing the connection takes everything away as one change", () => {
    const board = serve({ join: (_, channel) => void channel.track("alice") });
    const client = board.connect();
    for (const topic of ["room:1", "room:2", "room:3"]) client.join(topic, topic);
    client.connection.lost();
    expect(node.topics()).toEqual([]);
    client.send("room:1", "9", "room:1", "hello");
    expect(client.takeEvents("phx_reply")).toHaveLength(3);
  });
});

test("draining keeps what was tracked, until the socket closes", () => {
  const ends: EndReason[] = [];
  const board = serve({ presence: { key: () => "alice" }, terminate: (reason) => ends.push(reason) });
  const client = board.connect();
  client.join("room:1");
  client.connection.drain();
  expect(client.closed?.code).toBe(1012);
  expect(ends).toEqual(["drained"]);
  expect(node.count("room:1").entries).toBe(1);
  board.lingering.close();
  expect(node.count("room:1").entries).toBe(0);
});

describe("messages", () => {
  test("are answered with whatever status", () => {
    const client = connect({
      handleIn: {
        ok: (payload) => ({ ok: payload }),
        error: () => ({ error: { reason: "no" } }),
        other: () => ({ status: "later", response: [1] }),
        bare: () => ({ status: "fine" }),
        nothing: () => undefined,
      },
    });
    client.join("room:1");
    client.take();
    for (const event of ["ok", "error", "other", "nothing", "bare"])
      client.send("1", event, "room:1", event, { a: [null] });
    expect(client.take()).toEqual([
      ok("1", "ok", "room:1", { a: [null] }),
      error("1", "error", "room:1", { reason: "no" }),
      ["1", "other", "room:1", "phx_reply", { status: "later", response: [1] }],
      ["1", "bare", "room:1", "phx_reply", { status: "fine", response: {} }],
    ]);
  });

  test("that nobody handles are answered with an error, and the channel goes on", () => {
    const client = connect({ handleIn: { known: () => ({ ok: {} }) } });
    client.join("room:1");
    client.take();
    for (const event of ["unknown", "constructor", "__proto__"]) client.send("1", event, "room:1", event);
    client.send("1", "9", "room:1", "known");
    const reason = { reason: "unhandled event" };
    expect(client.take()).toEqual([
      error("1", "unknown", "room:1", reason),
      error("1", "constructor", "room:1", reason),
      error("1", "__proto__", "room:1", reason),
      ok("1", "9"),
    ]);
  });

  test("for a topic that is not joined are refused, without a join_ref", () => {
    const client = connect();
    client.send("3", "4", "room:1", "hello");
    expect(client.take()).toEqual([error(null, "4", "room:1", { reason: "unmatched topic" })]);
  });

  test("of one channel are handled one after the other", async () => {
    const first = deferred();
    const done: unknown[] = [];
    const client = connect({
      handleIn: async (event) => {
        if (event === "slow") await first.promise;
        done.push(event);
        return { ok: {} };
      },
    });
    client.join("room:1");
    client.join("room:2", "2");
    client.take();
    client.send("1", "3", "room:1", "slow");
    client.send("1", "4", "room:1", "quick");
    client.send("2", "5", "room:2", "elsewhere");
    await eventually(() => expect(done).toEqual(["elsewhere"]));
    first.resolve();
    await eventually(() => expect(done).toEqual(["elsewhere", "slow", "quick"]));
    expect(client.take().map(([, ref]) => ref)).toEqual(["5", "3", "4"]);
  });

  test("can be answered later", () => {
    const later: (() => void)[] = [];
    const client = connect({
      handleIn: {
        ask: (_, channel) => {
          const ref = channel.replyRef();
          later.push(() => channel.reply(ref, { ok: { answer: 42 } }));
        },
      },
    });
    client.join("room:1");
    client.send("1", "2", "room:1", "ask");
    client.take();
    later[0]!();
    expect(client.take()).toEqual([ok("1", "2", "room:1", { answer: 42 })]);
    client.connection.lost();
    later[0]!();
    expect(client.take()).toEqual([]);
  });

  test("of bytes come in and go out as bytes", () => {
    const client = connect({ handleIn: { echo: (payload) => ({ ok: payload }) } });
    client.join("room:1");
    const text = (content: string) => [...Buffer.from(content)];
    const frame = [0, 1, 1, 6, 4, ...text("12room:1echo"), 9, 8, 7];
    client.connection.receive(Uint8Array.from(frame));
    expect([...client.frames.at(-1)!.bytes]).toEqual([1, 1, 1, 6, 2, ...text("12room:1ok"), 9, 8, 7]);
  });
});

describe("a crash", () => {
  test("ends the channel, tells the client, is reported, and lets it join again", () => {
    const ends: EndReason[] = [];
    const board = serve({
      join: (_, channel) => void channel.track("alice"),
      handleIn: {
        boom: () => {
          throw new Error("boom");
        },
      },
      terminate: (reason) => ends.push(reason),
    });
    const client = board.connect();
    client.join("room:1", "3");
    client.take();
    client.send("3", "4", "room:1", "boom");
    expect(client.take()).toEqual([["3", "3", "room:1", "phx_error", { reason: "channel_crash" }]]);
    expect(ends).toEqual(["crashed"]);
    expect(node.list("room:1")).toEqual([]);
    expect(board.notices).toMatchObject([{ callback: "handleIn", event: "boom", error: new Error("boom") }]);
    client.join("room:1", "5");
    expect(client.take()).toEqual([ok("5", "5")]);
  });

  test.each([
    ["a rejection", async () => Promise.reject(new Error("later"))],
    ["an answer that is none", () => "hello" as never],
    ["an answer that JSON cannot say", () => ({ ok: { big: 1n } })],
  ])("comes of %s", async (_, boom) => {
    const client = connect({ handleIn: { boom } });
    client.join("room:1", "3");
    client.take();
    client.send("3", "4", "room:1", "boom");
    await eventually(() => expect(client.received.at(-1)?.[3]).toBe("phx_error"));
  });

  test("of one callback does not reach another channel", () => {
    const client = connect({
      handleIn: (event) => {
        if (event === "boom") throw new Error("boom");
        return { ok: {} };
      },
    });
    client.join("room:1", "1");
    client.join("room:2", "2");
    client.send("1", "3", "room:1", "boom");
    client.take();
    client.send("2", "4", "room:2", "hello");
    expect(client.take()).toEqual([ok("2", "4", "room:2")]);
  });

  test("of terminate is reported, and changes nothing", () => {
    const board = serve({
      terminate: () => {
        throw new Error("bye");
      },
    });
    const client = board.connect();
    client.join("room:1");
    client.send("1", "2", "room:1", "phx_leave");
    expect(client.take()).toHaveLength(3);
    expect(board.notices).toMatchObject([{ callback: "terminate" }]);
  });
});

describe("broadcasts", () => {
  test("reach everybody on the topic, with or without the sender", () => {
    const board = serve({
      handleIn: {
        all: (payload, channel) => channel.broadcast("all", payload),
        others: (payload, channel) => channel.broadcastFrom("others", payload),
      },
    });
    const [one, two, elsewhere] = [board.connect(), board.connect(), board.connect()];
    one.join("room:1");
    two.join("room:1");
    elsewhere.join("room:2");
    for (const client of [one, two, elsewhere]) client.take();
    one.send("1", "2", "room:1", "all", { a: 1 });
    one.send("1", "3", "room:1", "others", { b: 2 });
    const all = [null, null, "room:1", "all", { a: 1 }];
    expect(one.take()).toEqual([all]);
    expect(two.take()).toEqual([all, [null, null, "room:1", "others", { b: 2 }]]);
    expect(elsewhere.take()).toEqual([]);
  });

  test("are encoded once for all sockets of a version", () => {
    const board = serve();
    const clients = [board.connect(), board.connect(), board.connect({ vsn: "1.0.0" })];
    for (const client of clients.slice(0, 2)) client.join("room:1");
    clients[2]!.connection.receive('{"topic":"room:1","event":"phx_join","ref":"1","payload":{}}');
    board.exchange.broadcast("room:1", "news", { a: 1 });
    const [one, two, old] = clients.map(({ frames }) => frames.at(-1)!);
    expect(one).toBe(two);
    expect(one!.text).toBe('[null,null,"room:1","news",{"a":1}]');
    expect(old!.text).toBe('{"event":"news","payload":{"a":1},"ref":null,"topic":"room:1"}');
  });

  test("of bytes reach those who can take them", () => {
    const board = serve();
    const [now, old] = [board.connect(), board.connect({ vsn: "1.0.0" })];
    now.join("room:1");
    old.connection.receive('{"topic":"room:1","event":"phx_join","ref":"1","payload":{}}');
    const before = old.frames.length;
    board.exchange.broadcast("room:1", "bytes", Uint8Array.of(1, 2, 3));
    expect([...now.frames.at(-1)!.bytes].slice(-3)).toEqual([1, 2, 3]);
    expect(old.frames).toHaveLength(before);
    expect(board.notices).toMatchObject([{ type: "undeliverable" }]);
  });

  test("may be intercepted", () => {
    const board = serve({
      handleOut: { secret: (payload, channel) => channel.push("public", { hidden: payload }) },
    });
    const client = board.connect();
    client.join("room:1");
    client.take();
    board.exchange.broadcast("room:1", "secret", { a: 1 });
    board.exchange.broadcast("room:1", "open", {});
    expect(client.take()).toEqual([
      ["1", null, "room:1", "public", { hidden: { a: 1 } }],
      [null, null, "room:1", "open", {}],
    ]);
  });

  test("named disconnect close the connections with that id", () => {
    const board = serve();
    const [alice, bob] = [board.connect({ socketId: "user:alice" }), board.connect({ socketId: "user:bob" })];
    board.exchange.broadcast("user:alice", "disconnect", {});
    expect(alice.closed?.code).toBe(1001);
    expect(bob.closed).toBeUndefined();
  });
});

describe("the bounds of a connection", () => {
  test("a channel too many is refused, and one less makes room", () => {
    let now = 0;
    const client = connect({}, { limits: { channelsPerConnectionMax: 2 }, now: () => now });
    client.join("room:1", "1");
    client.join("room:2", "2");
    client.take();
    client.join("room:3", "3");
    expect(client.take()).toEqual([error("3", "3", "room:3", { reason: "too many channels joined" })]);
    client.send("1", "4", "room:1", "phx_leave");
    client.take();
    now = 1_000;
    client.join("room:3", "5");
    expect(client.take()).toEqual([ok("5", "5", "room:3")]);
  });

  test("joins come back with time", () => {
    let now = 0;
    const limits = { channelsPerConnectionMax: 2, joinsPerSecondMax: 1 };
    const client = connect({}, { limits, now: () => now });
    for (const ref of ["1", "2", "3"]) client.join("room:1", ref);
    expect(client.take().at(-1)).toEqual(error("3", "3", "room:1", { reason: "too many joins" }));
    now = 1_000;
    client.join("room:1", "4");
    expect(client.take()[0]).toEqual(ok("4", "4"));
  });

  test("messages beyond the rate cost the connection", () => {
    const client = connect({}, { limits: { messagesPerSecondMax: 5 } });
    for (let ref = 0; ref < 10; ref++) client.send(null, String(ref), "phoenix", "heartbeat");
    expect(client.closed).toBeUndefined();
    client.send(null, "11", "phoenix", "heartbeat");
    expect(client.closed).toEqual({ code: 1008, reason: "more than 5 messages a second" });
    expect(client.take()).toHaveLength(10);
  });

  test("what is no message costs the connection", () => {
    const client = connect();
    client.connection.receive("{");
    expect(client.closed?.code).toBe(1007);
  });

  test("a topic has a length", () => {
    const client = connect();
    client.join(`room:${"é".repeat(126)}`);
    expect(client.take()[0]![4]).toEqual({
      status: "error",
      response: { reason: "topic longer than 255 bytes" },
    });
  });

  test("joins have a size together, and one channel less makes room", () => {
    const client = connect({}, { limits: { heldBytesMax: 1_000 } });
    const params = { text: "x".repeat(400) };
    for (const ref of ["1", "2", "3"]) client.join(`room:${ref}`, ref, params);
    const reason = "channels hold more than 1000 bytes";
    expect(client.take().at(-1)).toEqual(error("3", "3", "room:3", { reason }));
    client.send("1", "4", "room:1", "phx_leave");
    client.take();
    client.join("room:3", "5", params);
    expect(client.take()[0]).toEqual(ok("5", "5", "room:3"));
  });

  test("a client that joins, speaks and leaves for ever holds nothing in the end", () => {
    const client = connect({}, { limits: { heldBytesMax: 1_000, messagesPerSecondMax: 10_000 } });
    const params = { text: "x".repeat(400) };
    for (let round = 0; round < 30; round++) {
      const ref = String(round);
      client.join("room:1", ref, params);
      client.send(ref, ref, "room:1", "hello", params);
      if (round % 3 === 0) client.send(ref, ref, "room:1", "phx_leave");
      expect(client.take()[0]).toEqual(ok(ref, ref));
    }
  });

  test("bytes that wait for a slow callback cost the connection", () => {
    const never = new Promise<void>(() => undefined);
    const client = connect({ handleIn: () => never }, { limits: { heldBytesMax: 5_000 } });
    client.join("room:1");
    for (let ref = 0; ref < 20 && client.closed === undefined; ref++)
      client.send("1", String(ref), "room:1", "hello", { text: "x".repeat(1_000) });
    expect(client.closed?.code).toBe(1008);
  });

  test("messages that wait for a slow callback cost the connection", () => {
    const never = new Promise<void>(() => undefined);
    const limits = { messagesPerSecondMax: 10_000 };
    const client = connect({ handleIn: () => never }, { limits });
    client.join("room:1");
    for (let ref = 0; ref < 1_100 && client.closed === undefined; ref++)
      client.send("1", String(ref), "room:1", "hello");
    expect(client.closed?.code).toBe(1008);
  });
});
