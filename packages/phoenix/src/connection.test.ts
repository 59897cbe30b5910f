/** The protocol of joining and leaving, without a socket. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { connect, deferred, error, node, ok, serve, startNode, stopNode } from "../test/channels.ts";
import type { Channel } from "./channel.ts";
import type { EndReason } from "./channel-definition.ts";

beforeEach(startNode);
afterEach(stopNode);

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
