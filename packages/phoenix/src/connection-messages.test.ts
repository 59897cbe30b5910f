/** What goes over a channel that is joined, and what becomes of it when its code fails; without a socket. */
import type { Permissions } from "presently/drop-in";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { connect, deferred, error, node, ok, serve, startNode, stopNode } from "../test/channels.ts";
import type { EndReason } from "./channel-definition.ts";

beforeEach(startNode);
afterEach(stopNode);

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

describe("callbacks that throw or reject end their channel, and nothing else", () => {
  const fault = new Error("a bug of the application");
  const everybody = { watch: async () => true, publish: async () => true, track: async () => true };

  test("publishes", async () => {
    const publishes = (event: string) => {
      if (event === "wrong") throw fault;
      return true;
    };
    const definition = { publishes, handleIn: () => ({ ok: {} }) };
    const board = serve(definition, { permissions: everybody as unknown as Permissions });
    const client = board.connect();
    client.join("room:1");
    client.join("room:2", "2");
    await eventually(() => expect(client.received).toHaveLength(2));
    client.send("1", "3", "room:1", "wrong");
    client.send("2", "4", "room:2", "right");
    await eventually(() => expect(client.received).toContainEqual(ok("2", "4", "room:2")));
    expect(client.received).toContainEqual(["1", "1", "room:1", "phx_error", { reason: "channel_crash" }]);
    expect(board.notices).toMatchObject([{ callback: "publishes", topic: "room:1", error: fault }]);
  });

  test("a key that is a promise", async () => {
    const key = (async () => {
      throw fault;
    }) as unknown as () => string;
    const board = serve({ presence: { key } });
    board.connect().join("room:1");
    await eventually(() => expect(board.notices).toContainEqual(expect.objectContaining({ error: fault })));
  });
});
