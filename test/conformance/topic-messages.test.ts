/** What a back end POSTs at one node is heard by the clients of every protocol at another one, each by its own client from npm. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createCable } from "@anycable/core";
import { Cable } from "@presently/anycable";
import { setup } from "@presently/faye";
import { PhoenixSocket, serveSupabase } from "@presently/phoenix";
import { serveEndpoint } from "@presently/pusher";
import { presence } from "@presently/socket.io";
import { RealtimeClient } from "@supabase/realtime-js";
import faye from "faye";
import { Socket } from "phoenix";
import { createNode, type PresentlyNode } from "presently";
import Pusher from "pusher";
import pusherJs from "pusher-js";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { openEvents, send } from "../helpers/http.ts";

const APP = { id: "42", key: "presently-key", secret: "presently-secret" };
/** What is said, and how protocols whose messages have no event tell it. */
const [EVENT, DATA] = ["news", { text: "hello" }];
const WHOLE = { event: EVENT, data: DATA };

let asked: PresentlyNode;
let serving: PresentlyNode;
const endings: (() => unknown)[] = [];

beforeAll(async () => {
  const options = {
    cluster: "shop",
    secret: "a secret that only these tests share",
    logLevel: "silent" as const,
  };
  asked = await createNode({ ...options, name: "a", mesh: { port: 0 }, http: { port: 0 } });
  serving = await createNode({
    ...options,
    name: "b",
    mesh: { port: 0, peers: [asked.meshUrl!] },
    http: { port: 0 },
  });
  await Promise.all([asked.whenReady(), serving.whenReady()]);
  await eventually(() => expect(asked.links()).toHaveLength(1));
});

afterAll(async () => {
  for (const end of endings.reverse()) await end();
  await Promise.all([asked.stop(), serving.stop()]);
});

const say = (topic: string, body: unknown) =>
  send(asked.httpUrl!, `/api/topics/${encodeURIComponent(topic)}/messages`, { method: "POST", body });

/** Says it, and waits until somebody has heard exactly this. */
async function isHeard(topic: string, heard: readonly unknown[], expected: unknown): Promise<void> {
  expect(await say(topic, WHOLE)).toMatchObject({ status: 202, body: { topic, event: EVENT } });
  await eventually(() => expect(heard).toEqual([expected]));
}

const port = () => Number(new URL(serving.httpUrl!).port);

test("by event streams, between the changes", async () => {
  const stream = await openEvents(serving.httpUrl!, "room:events");
  endings.push(() => stream.close());
  await stream.at(0);
  expect((await say("room:events", WHOLE)).status).toBe(202);
  expect(await stream.at(1)).toEqual({ event: "message", id: "", data: { topic: "room:events", ...WHOLE } });
});

test("by Phoenix's channels, as an event of the topic", async () => {
  const server = new PhoenixSocket(serving);
  server.channel("room:*");
  endings.push(server.attach(serving.httpServer!, "/socket"));
  const client = new Socket(`ws://127.0.0.1:${port()}/socket`, { transport: WebSocket as never });
  endings.push(() => client.disconnect());
  client.connect();
  const channel = client.channel("room:phoenix");
  const heard: unknown[] = [];
  channel.on(EVENT, (payload: unknown) => void heard.push(payload));
  await new Promise((resolve, reject) => channel.join().receive("ok", resolve).receive("error", reject));
  await isHeard("room:phoenix", heard, DATA);
});

test("by Supabase's clients, as a broadcast", async () => {
  serveSupabase(serving);
  const client = new RealtimeClient(`ws://127.0.0.1:${port()}/realtime/v1`, {
    params: { apikey: "anything" },
    transport: WebSocket as never,
  });
  endings.push(() => client.disconnect());
  const heard: unknown[] = [];
  const channel = client.channel("lobby");
  channel.on("broadcast", { event: EVENT }, ({ payload }) => void heard.push(payload));
  await new Promise<void>((resolve) => channel.subscribe((state) => state === "SUBSCRIBED" && resolve()));
  await isHeard("realtime:lobby", heard, DATA);
});

test("by AnyCable's streams", async () => {
  const cable = new Cable(serving, {
    publicStreams: true,
    roster: { topics: { prefix: "rooms/", inCluster: "room:" } },
  });
  endings.push(cable.attach(serving.httpServer!));
  const client = createCable(`ws://127.0.0.1:${port()}/cable`, {
    protocol: "actioncable-v1-ext-json",
    websocketImplementation: WebSocket,
    logLevel: "error",
  });
  endings.push(() => client.disconnect());
  const channel = client.streamFrom("rooms/anycable");
  const heard: unknown[] = [];
  channel.on("message", (message) => void heard.push(message));
  await channel.ensureSubscribed();
  await isHeard("room:anycable", heard, WHOLE);
});

test("by Faye's channels", async () => {
  const bayeux = new faye.NodeAdapter({ mount: "/bayeux", timeout: 20 });
  const plugin = setup(bayeux, bayeux.getClient(), {
    node: serving,
    roster: { topics: { prefix: "/rooms/", inCluster: "room:" } },
  });
  const server = createServer();
  bayeux.attach(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const client = new faye.Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}/bayeux`);
  endings.push(() => {
    plugin.close();
    client.disconnect();
    server.closeAllConnections();
    server.close();
  });
  const heard: unknown[] = [];
  await client.subscribe("/rooms/faye", (message: unknown) => void heard.push(message));
  await isHeard("room:faye", heard, WHOLE);
});

test("by Socket.IO's sockets that are in the room, or follow it", async () => {
  const http = createServer();
  const server = new Server(http);
  const presences = presence(server, serving);
  server.on("connection", (socket) => {
    socket.presence.follow("room:socketio");
    socket.emit("ready");
  });
  await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
  const client = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  endings.push(() => {
    presences.close();
    client.disconnect();
    return server.close();
  });
  const heard: unknown[] = [];
  client.on(EVENT, (data) => void heard.push(data));
  await new Promise<void>((resolve) => client.on("ready", () => resolve()));
  await isHeard("room:socketio", heard, DATA);
});

test("by Pusher's presence channels that stand for a topic", async () => {
  serveEndpoint(serving, {
    apps: [{ ...APP, roster: { topics: { prefix: "presence-", inCluster: "room:" } } }],
  });
  const library = new Pusher({
    appId: APP.id,
    key: APP.key,
    secret: APP.secret,
    host: "127.0.0.1",
    port: `${port()}`,
  });
  const Client = pusherJs as unknown as typeof pusherJs.default;
  const client = new Client(APP.key, {
    ...{ cluster: "", wsHost: "127.0.0.1", wsPort: port(), forceTLS: false },
    ...{ enabledTransports: ["ws"], enableStats: false },
    channelAuthorization: {
      ...{ transport: "ajax", endpoint: "" },
      customHandler: ({ channelName, socketId }, callback) =>
        callback(null, library.authorizeChannel(socketId, channelName, { user_id: "ann" })),
    },
  });
  endings.push(() => client.disconnect());
  const channel = client.subscribe("presence-pusher");
  const heard: unknown[] = [];
  channel.bind(EVENT, (data: unknown) => void heard.push(data));
  await new Promise((resolve) => channel.bind("pusher:subscription_succeeded", resolve));
  await isHeard("room:pusher", heard, DATA);
});

test.each([
  ["an event that a protocol reserves", { event: "phx_close" }, 400, "INVALID_ARGUMENT", "phx_close"],
  ["one without a name", { event: "" }, 400, "INVALID_ARGUMENT", "event"],
  ["none", { data: 1 }, 400, "INVALID_ARGUMENT", "event"],
  ["an unknown field", { event: "x", to: "bob" }, 400, "INVALID_ARGUMENT", '"to"'],
])("%s is refused", async (_, body, status, code, named) => {
  const refused = await say("room:1", body);
  expect([refused.status, refused.body.error.code]).toEqual([status, code]);
  expect(refused.body.error.message).toContain(named);
});

test("a topic that is reserved is refused", async () => {
  expect((await say("socket.io:servers", WHOLE)).status).toBe(403);
});
