/** How `@presently/client` connects: tokens, refusals, silence. Real nodes, real sockets. */
import { createServer, type Socket } from "node:net";
import { type ClientStatus, createClient } from "@presently/client";
import type { Access } from "presently";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import {
  BreakableWebSocket,
  ClientWorld,
  portOf,
  socketUrl,
  tokenFor,
  tokenOptions,
} from "../helpers/client-world.ts";
import { eventually } from "../helpers/eventually.ts";

vi.setConfig({ testTimeout: 60_000 });

const world = new ClientWorld();
afterEach(() => world.end());

test("with a token that holds one is who it says, whatever key one gives oneself", async () => {
  const node = await world.start(tokenOptions);
  const client = world.client(node, { key: "mallory", token: await tokenFor("alice") });
  const room = await client.join("room:1").whenJoined();
  expect([room.self?.key, node.list("room:1").map(({ key }) => key)]).toEqual(["alice", ["alice"]]);
});

test("a token that does not hold is refused, with a code and what to do; it tries no more until it is told to", async () => {
  const node = await world.start(tokenOptions);
  const client = world.client(node, { token: await tokenFor("alice", { expired: true }) });
  const statuses: ClientStatus[] = [];
  const errors: string[] = [];
  client.on("status", (status) => void statuses.push(status));
  client.on("error", ({ code }) => void errors.push(code));
  const room = client.join("room:1");
  await expect(room.whenJoined()).rejects.toMatchObject({
    code: "UNAUTHORIZED",
    temporary: false,
    message: expect.stringContaining("call connect()"),
  });
  expect([statuses, errors, room.snapshot.error?.code]).toEqual([
    ["connecting", "refused"],
    ["UNAUTHORIZED"],
    "UNAUTHORIZED",
  ]);
  client.connect();
  await eventually(() => expect(statuses).toEqual(["connecting", "refused", "connecting", "refused"]));
  expect(node.list("room:1")).toEqual([]);
});

test("a token that has expired is asked for anew, at every attempt to connect", async () => {
  const node = await world.start(tokenOptions);
  let asked = 0;
  const getToken = () => tokenFor("alice", { expired: ++asked < 4 });
  const client = world.client(node, { getToken });
  const room = await client.join("room:1", { meta: { name: "Alice" } }).whenJoined();
  expect([asked, client.status, client.error]).toEqual([4, "connected", undefined]);
  asked = 2;
  BreakableWebSocket.breakAll(socketUrl(node));
  await eventually(() => expect([asked, client.status, room.status]).toEqual([4, "connected", "joined"]));
  expect(node.list("room:1").map(({ meta }) => meta)).toMatchObject([{ name: "Alice" }]);
});

test("when a token expires on an open connection, another is asked for, and the room is there again", async () => {
  const access: Access = {
    // Only the first is short.
    authenticate: ({ token }) => ({
      id: "alice",
      claims: {},
      ...(token === "1" && { expiresAtMs: Date.now() + 300 }),
    }),
    authorize: (_, action) => !("topic" in action && action.topic === "room:closed"),
  };
  const node = await world.start({ access });
  let asked = 0;
  const client = world.client(node, { getToken: () => String(++asked) });
  const room = await client.join("room:1", { meta: { name: "Alice" } }).whenJoined();
  await eventually(() => {
    expect([asked, client.status, room.status]).toEqual([2, "connected", "joined"]);
    expect(node.list("room:1").map(({ meta }) => meta)).toMatchObject([{ name: "Alice" }]);
  });
  const refused = client.join("room:closed");
  await expect(refused.whenJoined()).rejects.toMatchObject({ code: "JOIN_REFUSED", reason: "unauthorized" });
});

test("tokens that are refused again and again end the attempts, and connect() begins them anew", async () => {
  const node = await world.start(tokenOptions);
  let expired = true;
  const client = world.client(node, { getToken: () => tokenFor("alice", { expired }), refusalsMax: 2 });
  const temporary: boolean[] = [];
  client.on("error", (error) => void temporary.push(error.temporary));
  const room = client.join("room:1");
  await expect(room.whenJoined()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  expect([temporary, client.status]).toEqual([[true, false], "refused"]);
  expired = false;
  client.connect();
  await eventually(() => expect([room.status, room.snapshot.error]).toEqual(["joined", undefined]));
});

test("a getToken that fails is told, and asked again", async () => {
  const node = await world.start(tokenOptions);
  let asked = 0;
  const getToken = async () => {
    if (++asked < 3) throw new Error("the sign-in is away");
    return await tokenFor("alice");
  };
  const client = world.client(node, { getToken });
  const causes: unknown[] = [];
  client.on("error", ({ code, cause }) => void causes.push([code, (cause as Error).message]));
  await client.join("room:1").whenJoined();
  const told = ["TOKEN_FAILED", "the sign-in is away"];
  expect([asked, causes]).toEqual([3, [told, told]]);
});

test("a server that does not answer is given up in time, and tried again", async () => {
  const silent = createServer();
  const taken = new Set<Socket>();
  let attempts = 0;
  silent.on("connection", (socket) => {
    attempts++;
    taken.add(socket);
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((listening) => silent.listen(0, "127.0.0.1", listening));
  const { port } = silent.address() as { port: number };
  const client = createClient(`ws://127.0.0.1:${port}/socket`, {
    transport: WebSocket,
    connectTimeoutMs: 50,
    reconnectAfterMs: () => 10,
  });
  client.join("room:1");
  await eventually(() => expect(attempts).toBeGreaterThan(2));
  expect(client.status).toBe("connecting");
  await client.close();
  for (const socket of taken) socket.destroy();
  await new Promise((closed) => silent.close(closed));
});

test("a getToken that does not answer is given up in time, told, and asked again: it is no refusal", async () => {
  const node = await world.start(tokenOptions);
  let asked = 0;
  const late: ((token: string) => void)[] = [];
  const hangs = () => new Promise<string>((resolve) => late.push(resolve));
  const getToken = () => (++asked < 10 ? hangs() : tokenFor("alice"));
  const client = world.client(node, { getToken, connectTimeoutMs: 300, refusalsMax: 1 });
  const told = new Set<unknown>();
  client.on("error", ({ code, temporary }) => void told.add(`${code} ${temporary}`));
  const room = client.join("room:1");
  await eventually(() => expect(late.length).toBe(9));
  // Tokens that come too late, and are no good, are nobody's.
  for (const resolve of late) resolve("too late");
  await room.whenJoined();
  expect([...told]).toEqual(["TOKEN_FAILED true"]);
  expect([client.status, client.error]).toEqual(["connected", undefined]);
});

test("why it is not connected is told by what failed last: the token, the server's word, or nothing that is known", async () => {
  const node = await world.start(tokenOptions);
  const port = portOf(node);
  let tokens: "none" | "good" = "none";
  const getToken = () => {
    if (tokens === "none") throw new Error("the sign-in is away");
    return tokenFor("alice");
  };
  const client = world.client(node, { getToken });
  const room = client.join("room:1");
  await eventually(() => expect(client.error?.code).toBe("TOKEN_FAILED"));
  await world.stop(node);
  tokens = "good";
  await eventually(() => expect([client.status, client.error]).toEqual(["connecting", undefined]));
  await world.start({ ...tokenOptions, port });
  await room.whenJoined();
});

test("a server that is not there yet is found when it comes", async () => {
  const node = await world.start();
  const port = portOf(node);
  const client = world.client(node, { key: "alice" });
  await world.stop(node);
  const room = client.join("room:1");
  const failed = vi.fn();
  client.on("error", failed);
  const next = await world.start({ port });
  await room.whenJoined();
  expect([client.status, next.list("room:1").length, failed.mock.calls]).toEqual(["connected", 1, []]);
});

test("closing ends presence at once, and whatever waited; a closed client says so", async () => {
  const node = await world.start();
  const client = world.client(node, { key: "alice" });
  const room = await client.join("room:1").whenJoined();
  void client.join("room:2");
  await client.close();
  expect([client.status, room.status, client.topics]).toEqual(["closed", "left", []]);
  await eventually(() => expect(node.list("room:1")).toEqual([]));
  expect(() => client.join("room:1")).toThrow(expect.objectContaining({ code: "CLOSED" }));
});

test.each([
  ["an address that is none", () => createClient("example.com/socket", { transport: WebSocket })],
  ["an address with a query", () => createClient("wss://example.com/socket?a=1", { transport: WebSocket })],
  ["two tokens", () => createClient("/socket", { transport: WebSocket, token: "a", getToken: () => "b" })],
  ["no time", () => createClient("/socket", { transport: WebSocket, timeoutMs: 0 })],
])("%s is refused when the client is made", (_, make) => {
  expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});

test("without a WebSocket it says where to get one", () => {
  vi.stubGlobal("WebSocket", undefined);
  expect(() => createClient("ws://localhost/socket")).toThrow(
    expect.objectContaining({ code: "NO_TRANSPORT", message: expect.stringContaining("ws") }),
  );
  vi.unstubAllGlobals();
});
