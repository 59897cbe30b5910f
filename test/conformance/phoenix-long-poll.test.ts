/** The npm client by long-polling, which it picks by itself in Node.js 20, and what the transport does with other clients. */
import type { PhoenixNotice, PhoenixSocketOptions } from "@presently/phoenix";
import { LongPoll, Presence, type Socket } from "phoenix";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send, type TestRequest } from "../helpers/http.ts";
import { connectClient, countsOf, join, listOf, listOfNode, PhoenixNode, push } from "./phoenix-client.ts";

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

async function start(options: PhoenixSocketOptions<Assigns> = {}): Promise<PhoenixNode<Assigns>> {
  const node = await PhoenixNode.start<Assigns>(
    { name: "a" },
    { connect: (params) => ({ userId: String(params.user_id) }), ...options },
  );
  nodes.push(node);
  node.socket.channel("room:*", {
    presence: { key: (channel) => channel.assigns.userId },
    handleIn: {
      echo: (payload) => ({ ok: payload }),
      size: (payload) => ({ ok: { size: (payload as Uint8Array).length } }),
      shout: (payload, channel) => channel.broadcast("shout", payload),
    },
  });
  return node;
}

/** Settles when so many requests more have reached the server. Its listeners do not hear of those of the socket. */
function requests(node: PhoenixNode<Assigns>, count: number): Promise<void> {
  return new Promise((resolve) => {
    const { server } = node;
    const { emit } = server;
    let seen = 0;
    server.emit = ((event: string, ...args: unknown[]) => {
      const heard = (emit as (...all: unknown[]) => boolean).call(server, event, ...args);
      if (event === "request" && ++seen === count) {
        server.emit = emit;
        resolve();
      }
      return heard;
    }) as typeof emit;
  });
}

function client(node: PhoenixNode<Assigns>, options: Parameters<typeof connectClient>[1] = {}): Socket {
  const socket = connectClient(node.url, { transport: LongPoll, ...options });
  clients.push(socket);
  return socket;
}

describe("the npm client by long-polling", () => {
  test("joins, pushes, hears broadcasts, and is present", async () => {
    const seen: unknown[] = [];
    const node = await start({
      connect: (params, info) => {
        seen.push([info.transport, info.authToken]);
        return { userId: String(params.user_id) };
      },
    });
    const alice = await join(client(node, { params: { user_id: "alice" }, authToken: "tok/+=" }), "room:1");
    const webSocket = connectClient(node.url, { params: { user_id: "bob" } });
    clients.push(webSocket);
    const bob = await join(webSocket, "room:1");
    expect(seen).toEqual([
      ["longpoll", "tok/+="],
      ["websocket", undefined],
    ]);
    const heard: unknown[] = [];
    for (const { channel } of [alice, bob]) channel.on("shout", (payload) => void heard.push(payload));
    expect(await push(alice.channel, "echo", { x: "é\n" })).toEqual(["ok", { x: "é\n" }]);
    for (let number = 0; number < 250; number++) alice.channel.push("shout", { number });
    await eventually(() => expect(heard).toHaveLength(500));
    expect(await push(alice.channel, "size", Uint8Array.of(1, 0, 255).buffer)).toEqual(["ok", { size: 3 }]);
    await eventually(() => {
      for (const { presence } of [alice, bob]) {
        expect(countsOf(presence)).toEqual({ alice: 1, bob: 1 });
        expect(listOf(presence)).toEqual(listOfNode(node.node, "room:1"));
      }
    });
  });

  test("is picked by the client itself where there is no WebSocket", async () => {
    const node = await start();
    vi.stubGlobal("WebSocket", undefined);
    const { Socket } = await import("phoenix");
    const socket = new Socket(node.url, { params: { user_id: "alice" } });
    clients.push(socket);
    socket.connect();
    expect((socket as unknown as { transport: unknown }).transport).toBe(LongPoll);
    const { response } = await join(socket, "room:1");
    expect(response).toEqual({});
    vi.unstubAllGlobals();
  });

  test("comes back, and is present once, when its session is lost", async () => {
    const node = await start({ id: ({ userId }) => userId });
    const socket = client(node, { params: { user_id: "alice" } });
    const { channel, presence } = await join(socket, "room:1");
    let errors = 0;
    channel.onError(() => void errors++);
    node.socket.disconnect("alice");
    await eventually(() => expect(errors).toBeGreaterThan(0));
    await eventually(() => {
      expect(channel.state).toBe("joined");
      expect(countsOf(presence)).toEqual({ alice: 1 });
      expect(listOf(presence)).toEqual(listOfNode(node.node, "room:1"));
    });
  });

  test("that goes away is gone when its session ends", async () => {
    const node = await start({ limits: { longPollWindowMs: 100 } });
    const socket = client(node, { params: { user_id: "alice" } });
    await join(socket, "room:1");
    expect(node.node.count("room:1").entries).toBe(1);
    socket.disconnect();
    await eventually(() => expect(node.node.count("room:1").entries).toBe(0));
    expect(node.socket.connections).toBe(0);
  });

  test("stays while it polls, however quiet it is", async () => {
    const node = await start({ limits: { longPollWindowMs: 50 } });
    const socket = client(node, { params: { user_id: "alice" } });
    const { channel, presence } = await join(socket, "room:1");
    let errors = 0;
    channel.onError(() => void errors++);
    await requests(node, 10);
    expect(errors).toBe(0);
    expect(countsOf(presence)).toEqual({ alice: 1 });
  });

  test("is refused by 403", async () => {
    const node = await start({ connect: () => null });
    const socket = client(node);
    // It comes again, as it does after every close that it did not ask for.
    const refused = new Promise((resolve) => socket.onError(resolve));
    expect(await refused).toBe(403);
  });
});

describe("the requests", () => {
  const path = "/socket/longpoll?vsn=2.0.0";
  const ask = (node: PhoenixNode<Assigns>, more = "", options: TestRequest = {}) =>
    send(`http://127.0.0.1:${node.port}`, path + more, options);
  const open = async (node: PhoenixNode<Assigns>): Promise<string> => (await ask(node, "&")).body.token;
  const ndjson = { "content-type": "application/x-ndjson" };

  test("begin with 410 and a token, and then fetch and send", async () => {
    const node = await start();
    const first = await ask(node, "&");
    expect(first.status).toBe(200);
    expect(first.body).toEqual({ status: 410, token: expect.any(String), messages: [] });
    expect(first.headers).toMatchObject({ "access-control-allow-origin": "*", "cache-control": "no-store" });
    const token = `&token=${first.body.token}`;
    const body = '["1","1","room:1","phx_join",{}]\n[null,"2","phoenix","heartbeat",{}]';
    expect((await ask(node, token, { method: "POST", body, headers: ndjson })).body).toEqual({ status: 200 });
    const header = { "x-phoenix-longpoll-token": first.body.token };
    const { body: fetched } = await ask(node, "", { headers: header });
    expect(fetched.status).toBe(200);
    expect(fetched.messages.map((message: string) => JSON.parse(message)[3])).toEqual([
      "phx_reply",
      "presence_state",
      "presence_diff",
      "phx_reply",
    ]);
    const one = '[null,"3","phoenix","heartbeat",{}]';
    await ask(node, token, { method: "POST", body: one, headers: { "content-type": "application/json" } });
    expect((await ask(node, token)).body.messages).toHaveLength(1);
  });

  test("that wait are answered when the window is over, or by the one that comes after", async () => {
    const node = await start({ limits: { longPollWindowMs: 200 } });
    const token = `&token=${await open(node)}`;
    expect((await ask(node, token)).body).toMatchObject({ status: 204, messages: [] });
    const arrived = requests(node, 1);
    const first = ask(node, token);
    await arrived;
    const second = ask(node, token);
    expect((await first).body.status).toBe(204);
    expect((await second).body.status).toBe(204);
  });

  test("with an unknown token begin again, and do not send", async () => {
    const node = await start();
    const { body } = await ask(node, "&token=nobody");
    expect(body.status).toBe(410);
    expect(body.token).not.toBe("nobody");
    const sent = await ask(node, "&token=nobody", { method: "POST", body: "[]", headers: ndjson });
    expect(sent.body).toEqual({ status: 410 });
  });

  test("of web pages are asked for first", async () => {
    const node = await start();
    const headers = { "access-control-request-headers": "content-type, x-phoenix-authtoken" };
    const options = await ask(node, "", { method: "OPTIONS", headers });
    expect(options.status).toBe(200);
    expect(options.headers).toMatchObject({
      "access-control-allow-headers": "content-type, x-phoenix-authtoken",
      "access-control-allow-methods": "get, post, options",
      "access-control-max-age": "3600",
    });
    expect((await ask(node, "", { headers: { origin: "https://b.example" } })).body).toEqual({ status: 403 });
    expect((await ask(node, "", { method: "DELETE" })).status).toBe(400);
  });

  test("of hostile clients end their session, and nothing else", async () => {
    const notices: PhoenixNotice[] = [];
    const limits = { frameBytesMax: 1_000, longPollBodyBytesMax: 5_000, bufferedBytesMax: 2_000 };
    const node = await start({ limits, onNotice: (notice) => void notices.push(notice) });
    const post = async (body: string) => {
      const token = `&token=${await open(node)}`;
      return (await ask(node, token, { method: "POST", body, headers: ndjson })).body.status;
    };
    expect(await post("[")).toBe(410);
    expect(await post("!")).toBe(410);
    expect(await post("AAAA")).toBe(410);
    expect(await post(`["${"x".repeat(2_000)}"]`)).toBe(410);
    expect(await post("x".repeat(6_000))).toBe(410);
    const heartbeats = Array(40).fill('[null,"1","phoenix","heartbeat",{}]').join("\n");
    expect(await post(heartbeats)).toBe(410);
    expect(notices.map(({ code }) => code)).toEqual([1007, 1007, 1007, 1009, 1009, 1013]);
    expect(node.socket.connections).toBe(0);
  });

  test("beyond the bound of sessions are told to come again", async () => {
    const node = await start({ limits: { longPollSessionsMax: 1 } });
    await open(node);
    expect((await ask(node)).body).toEqual({ status: 500 });
  });

  test("that break off before their answer lose nothing", async () => {
    const node = await start();
    const token = `&token=${await open(node)}`;
    const controller = new AbortController();
    const arrived = requests(node, 1);
    const broken = fetch(`http://127.0.0.1:${node.port}${path}${token}`, { signal: controller.signal });
    await arrived;
    controller.abort();
    await expect(broken).rejects.toThrow();
    const body = '[null,"1","phoenix","heartbeat",{}]';
    await ask(node, token, { method: "POST", body, headers: ndjson });
    expect((await ask(node, token)).body.messages).toHaveLength(1);
  });

  test("are answered by a node that drains so that the client goes elsewhere", async () => {
    const node = await start();
    const token = `&token=${await open(node)}`;
    const arrived = requests(node, 1);
    const waiting = ask(node, token);
    await arrived;
    await node.socket.drain();
    expect((await waiting).body.status).toBe(410);
    expect((await ask(node)).body).toEqual({ status: 500 });
  });
});

test("presence over both transports is one", async () => {
  const node = await start();
  const polling = client(node, { params: { user_id: "alice" } });
  const channel = polling.channel("room:1");
  const presence = new Presence(channel);
  channel.join();
  const session = node.node.session();
  for (let number = 0; number < 50; number++) session.track("room:1", `robot ${number}`);
  for (let number = 0; number < 50; number += 2) session.untrack("room:1", `robot ${number}`);
  await eventually(() => {
    expect(Object.keys(countsOf(presence))).toHaveLength(26);
    expect(listOf(presence)).toEqual(listOfNode(node.node, "room:1"));
  });
});
