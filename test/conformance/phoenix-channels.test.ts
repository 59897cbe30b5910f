/** Channels, as the npm client sees them over WebSocket. */
import { request } from "node:http";
import { connect as connectTcp } from "node:net";
import type { PhoenixNotice, PhoenixSocketOptions } from "@presently/phoenix";
import type { Socket } from "phoenix";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { connectClient, join, PhoenixNode, push, startPhoenixNodes } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

interface Assigns {
  readonly userId: string;
}

const clients: Socket[] = [];
const nodes: PhoenixNode<Assigns>[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

type Options = Parameters<typeof connectClient>[1];
function client(node: { readonly url: string }, options: Options = {}): Socket {
  const socket = connectClient(node.url, options);
  clients.push(socket);
  return socket;
}

async function start(options: PhoenixSocketOptions<Assigns> = {}): Promise<PhoenixNode<Assigns>> {
  const node = await PhoenixNode.start<Assigns>({ name: "a" }, options);
  nodes.push(node);
  node.socket.channel("room:*", {
    join: (params) => {
      if ((params as { reason?: string }).reason !== undefined) return { error: { reason: "unauthorized" } };
      return { ok: { params } };
    },
    handleIn: {
      echo: (payload) => ({ ok: payload }),
      shout: (payload, channel) => channel.broadcast("shout", payload),
      tell: (payload, channel) => channel.broadcastFrom("tell", payload),
      whoami: (_, channel) => ({ ok: { user: channel.assigns.userId, id: channel.socketId } }),
      crash: () => {
        throw new Error("asked to crash");
      },
    },
  });
  return node;
}

describe("the npm client over WebSocket", () => {
  test("connects, joins, pushes, is answered and leaves", async () => {
    const node = await start({ connect: (params) => ({ userId: String(params.user_id) }) });
    const socket = client(node, { params: { user_id: "u1" } });
    const { channel, response } = await join(socket, "room:1", { a: 1 });
    expect(response).toEqual({ params: { a: 1 } });
    expect(await push(channel, "echo", { x: "é" })).toEqual(["ok", { x: "é" }]);
    expect(await push(channel, "whoami")).toEqual(["ok", { user: "u1" }]);
    expect(await push(channel, "unknown")).toEqual(["error", { reason: "unhandled event" }]);
    await new Promise((left) => channel.leave().receive("ok", left));
    expect(channel.state).toBe("closed");
  });

  test("is told why it may not join", async () => {
    const node = await start();
    const socket = client(node);
    await expect(join(socket, "room:1", { reason: "x" })).rejects.toThrow("unauthorized");
    await expect(join(socket, "nowhere")).rejects.toThrow("unmatched topic");
  });

  test("sends and receives bytes", async () => {
    const node = await start();
    const [one, two] = [client(node), client(node)];
    const { channel } = await join(one, "room:1");
    const other = (await join(two, "room:1")).channel;
    const heard: unknown[] = [];
    for (const event of ["shout", "tell"]) other.on(event, (payload) => void heard.push(payload));
    const bytes = Uint8Array.of(1, 2, 3).buffer;
    expect(await push(channel, "echo", bytes)).toEqual(["ok", bytes]);
    channel.push("shout", bytes);
    channel.push("tell", Uint8Array.of(9).buffer);
    await eventually(() => expect(heard).toEqual([bytes, Uint8Array.of(9).buffer]));
  });

  test("broadcasts to the others, and to itself if it is meant to", async () => {
    const node = await start();
    const [one, two] = [client(node), client(node)];
    const heard: unknown[] = [];
    for (const [name, socket] of Object.entries({ one, two })) {
      const { channel } = await join(socket, "room:1");
      for (const event of ["shout", "tell"]) channel.on(event, () => void heard.push(`${name} ${event}`));
    }
    const { channel } = await join(one, "room:2");
    channel.push("shout", {});
    const again = await join(one, "room:1");
    again.channel.push("tell", {});
    again.channel.push("shout", {});
    await eventually(() => expect(heard).toContain("two shout"));
    expect(heard.filter((event) => event === "two tell")).toHaveLength(1);
    expect(heard).not.toContain("one tell");
  });

  test("rejoins after a crash of its channel", async () => {
    const notices: PhoenixNotice[] = [];
    const node = await start({ onNotice: (notice) => void notices.push(notice) });
    const { channel } = await join(client(node), "room:1");
    const errors: unknown[] = [];
    channel.onError((reason) => void errors.push(reason));
    channel.push("crash", {});
    await eventually(() => expect(errors).toEqual([{ reason: "channel_crash" }]));
    await eventually(() => expect(channel.state).toBe("joined"));
    expect(await push(channel, "echo")).toEqual(["ok", {}]);
    expect(notices).toMatchObject([{ callback: "handleIn", event: "crash" }]);
  });

  test("joining a topic twice keeps the second", async () => {
    const node = await start();
    const socket = client(node);
    const first = await join(socket, "room:1");
    const second = await join(socket, "room:1");
    await eventually(() => expect(first.channel.state).toBe("closed"));
    expect(await push(second.channel, "echo")).toEqual(["ok", {}]);
  });

  test("keeps its connection by heartbeats, and loses it without", async () => {
    const node = await start({ limits: { idleTimeoutMs: 400 } });
    const alive = client(node, { heartbeatIntervalMs: 50 });
    let closedAlive = 0;
    alive.onClose(() => void closedAlive++);
    const idle = new WebSocket(`${node.url}/websocket?vsn=2.0.0`);
    const code = await new Promise((closed) => idle.on("close", closed));
    expect(code).toBe(1001);
    expect(closedAlive).toBe(0);
  });
});

describe("connecting", () => {
  test("gives params, nested ones too, and the token", async () => {
    const seen: unknown[] = [];
    const node = await start({
      connect: async (params, info) => {
        seen.push([JSON.parse(JSON.stringify(params)), info.authToken, info.transport]);
        return { userId: "x" };
      },
    });
    const params = { user_id: "u1", n: { a: 1 } };
    await join(client(node, { params, authToken: "tok+ü".replace("ü", "u") }), "room:1");
    expect(seen).toEqual([[{ user_id: "u1", n: { a: "1" }, vsn: "2.0.0" }, "tok+u", "websocket"]]);
  });

  test.each([
    ["a client that connect refuses", "/socket/websocket?vsn=2.0.0&refuse=1", {}, 403],
    ["a version that nobody speaks", "/socket/websocket?vsn=3.0.0", {}, 403],
    ["a page of another host", "/socket/websocket?vsn=2.0.0", { origin: "https://b.example" }, 403],
    ["a client whose connect throws", "/socket/websocket?vsn=2.0.0&throw=1", {}, 500],
    ["a path of nobody", "/other/websocket?vsn=2.0.0", {}, 404],
  ])("is refused to %s", async (_, path, headers, status) => {
    const node = await start({
      connect: (params) => {
        if (params.throw !== undefined) throw new Error("no database");
        return params.refuse === undefined ? { userId: "x" } : null;
      },
      onNotice: () => undefined,
    });
    const socket = new WebSocket(`ws://127.0.0.1:${node.port}${path}`, { headers });
    const refused = await new Promise((resolve) => {
      socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
    });
    expect(refused).toBe(status);
  });

  test("takes GET and a WebSocket only", async () => {
    const node = await start();
    const statusOf = (method: string) =>
      new Promise((resolve, reject) => {
        const { port } = node;
        request({ host: "127.0.0.1", port, path: "/socket/websocket", method }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on("error", reject)
          .end();
      });
    expect(await Promise.all([statusOf("POST"), statusOf("GET")])).toEqual([400, 400]);
  });

  test("a client that goes away while connect thinks is forgotten", async () => {
    let answer: (() => void) | undefined;
    const node = await start({
      connect: () =>
        new Promise((resolve) => {
          answer = () => resolve({ userId: "x" });
        }),
    });
    const stream = connectTcp(node.port, "127.0.0.1");
    stream.write(
      "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await eventually(() => expect(answer).toBeDefined());
    stream.resetAndDestroy();
    await eventually(() => expect(stream.closed).toBe(true));
    answer?.();
    await eventually(() => expect(node.socket.connections).toBe(0));
  });

  test("the server's own listeners serve the other paths, whenever they are added", async () => {
    const node = await start();
    const get = async (path: string) => await fetch(`http://127.0.0.1:${node.port}${path}`);
    expect((await get("/page")).status).toBe(404);
    const asked: unknown[] = [];
    node.server.on("request", (request, response) => {
      asked.push(request.url);
      response.end("mine");
    });
    const detach = node.socket.attach(node.server, "/second");
    expect(await (await get("/page")).text()).toBe("mine");
    expect((await get("/socket/websocket")).status).toBe(400);
    expect((await get("/second/websocket")).status).toBe(400);
    await join(client({ url: `ws://127.0.0.1:${node.port}/second` }), "room:1");
    detach();
    expect(await (await get("/second/websocket")).text()).toBe("mine");
    expect((await get("/socket/websocket")).status).toBe(400);
    expect(asked).toEqual(["/page", "/second/websocket"]);
  });
});

describe("hostile clients", () => {
  /** The code that the server closes with, after these messages. */
  async function closeCode(node: PhoenixNode<Assigns>, ...messages: (string | Uint8Array)[]) {
    const socket = new WebSocket(`${node.url}/websocket?vsn=2.0.0`);
    await new Promise((open) => socket.on("open", open));
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    for (const message of messages) socket.send(message);
    return closed;
  }

  test("lose their connection, and nobody else does", async () => {
    const notices: PhoenixNotice[] = [];
    const onNotice = (notice: PhoenixNotice) => void notices.push(notice);
    const node = await start({ limits: { frameBytesMax: 1_000, messagesPerSecondMax: 10 }, onNotice });
    const { channel } = await join(client(node), "room:1");
    expect(await closeCode(node, "[")).toBe(1007);
    expect(await closeCode(node, "{}")).toBe(1007);
    expect(await closeCode(node, Uint8Array.of(9, 9))).toBe(1007);
    expect(await closeCode(node, "[".repeat(900))).toBe(1007);
    expect(await closeCode(node, "x".repeat(2_000))).toBe(1009);
    const heartbeat = '[null,"1","phoenix","heartbeat",{}]';
    expect(await closeCode(node, ...Array<string>(30).fill(heartbeat))).toBe(1008);
    expect(await push(channel, "echo")).toEqual(["ok", {}]);
    await eventually(() => expect(node.socket.connections).toBe(1));
    expect(notices.map(({ code }) => code)).toEqual([1007, 1007, 1007, 1007, 1009, 1008]);
  });

  test("that read nothing are dropped, and told so", async () => {
    const notices: PhoenixNotice[] = [];
    const onNotice = (notice: PhoenixNotice) => void notices.push(notice);
    const node = await start({ limits: { bufferedBytesMax: 100_000 }, onNotice });
    const slow = new WebSocket(`${node.url}/websocket?vsn=2.0.0`);
    await new Promise((open) => slow.on("open", open));
    const joined = new Promise((resolve) => slow.once("message", resolve));
    const closed = new Promise((resolve) => slow.once("close", resolve));
    slow.send('["1","1","room:1","phx_join",{}]');
    const other = await join(client(node), "room:1");
    await joined;
    slow.pause();
    const text = "x".repeat(50_000);
    for (let sent = 0; sent < 10_000 && notices.length === 0; sent++) {
      node.socket.broadcast("room:1", "news", { text });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(notices).toMatchObject([{ type: "connection-dropped", code: 1013 }]);
    expect(node.socket.connections).toBe(1);
    expect(await push(other.channel, "echo")).toEqual(["ok", {}]);
    slow.resume();
    expect(await closed).toBe(1013);
  });
});

describe("across nodes", () => {
  test("broadcasts reach everybody, and an id is disconnected wherever it is", async () => {
    const cluster = await startPhoenixNodes<Assigns>(
      ["a", "b"],
      (socket) =>
        socket.channel("room:*", {
          handleIn: { shout: (payload, channel) => channel.broadcast("shout", payload) },
        }),
      {
        connect: (params) => ({ userId: String(params.user_id) }),
        id: ({ userId }) => `user:${userId}`,
      },
    );
    nodes.push(...cluster);
    const [a, b] = cluster as [PhoenixNode<Assigns>, PhoenixNode<Assigns>];
    const alice = client(a, { params: { user_id: "alice" } });
    const bob = client(b, { params: { user_id: "bob" } });
    const heard: unknown[] = [];
    const closes: unknown[] = [];
    bob.onClose((event) => void closes.push(["bob", event.code]));
    alice.onClose((event) => void closes.push(["alice", event.code]));
    const { channel } = await join(alice, "room:1");
    const far = (await join(bob, "room:1")).channel;
    far.on("shout", (payload) => void heard.push(payload));
    channel.push("shout", { text: "hello" });
    channel.push("shout", Uint8Array.of(7).buffer);
    await eventually(() => expect(heard).toEqual([{ text: "hello" }, Uint8Array.of(7).buffer]));
    a.socket.disconnect("user:bob");
    await eventually(() => expect(closes).toEqual([["bob", 1001]]));
    await eventually(() => expect(far.state).toBe("joined"));
    expect(alice.isConnected()).toBe(true);
  });

  test("a node that drains sends its clients away with 1012, and takes no new ones", async () => {
    const node = await start();
    const sockets = [client(node), client(node), client(node)];
    const codes: unknown[] = [];
    for (const socket of sockets) {
      socket.onClose((event) => void codes.push(event.code));
      await join(socket, "room:1");
    }
    await node.socket.drain({ batchSize: 2, intervalMs: 1 });
    await eventually(() => expect(codes.slice(0, 3)).toEqual([1012, 1012, 1012]));
    const refused = new WebSocket(`${node.url}/websocket?vsn=2.0.0`);
    const status = await new Promise((resolve) =>
      refused.on("unexpected-response", (_, response) => resolve(response.statusCode)),
    );
    expect(status).toBe(503);
  });
});
