/** What a connection may not do, without a socket. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect, error, ok, startNode, stopNode } from "../test/channels.ts";

beforeEach(startNode);
afterEach(stopNode);

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
