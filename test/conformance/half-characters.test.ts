/**
 * Half a surrogate pair, as a name cut inside an emoji has it, has no bytes in UTF-8: nodes would show different texts. Every
 * way in refuses it in the words of its protocol, nothing changes, the connection goes on, and whole emojis pass.
 */
import { serveEndpoint as serveCable } from "@presently/anycable";
import { PresentlyPresence } from "@presently/colyseus";
import { serveEndpoint as serveFaye } from "@presently/faye";
import { serveEndpoint as servePhoenix } from "@presently/phoenix";
import faye from "faye";
import type { Socket } from "phoenix";
import { createNode, type PresentlyNode } from "presently";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ClientWorld } from "../helpers/client-world.ts";
import { eventually } from "../helpers/eventually.ts";
import { keysOn, send, topicPath } from "../helpers/http.ts";
import { Wire } from "./anycable-wire.ts";
import { FayeTab } from "./faye-client.ts";
import { connectClient, join, push } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

/** In a text, as a field name, and deep inside. */
const HALVES = [
  { name: "Zo\ud83d" },
  { name: "\ude00" },
  { "\ud800": 1 },
  { deep: [{ er: { name: "\udfff" } }] },
];
const WHOLE = { name: "Zo\ud83d\ude00" };
const INVALID = { code: "INVALID_ARGUMENT" };
const HALF = "Zo\ud83d";

let node: PresentlyNode;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  node = await createNode({ name: "a", http: { port: 0 }, logLevel: "silent" });
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await node.stop();
});

const url = (path: string) => `${node.httpUrl!.replace("http", "ws")}${path}`;
const metasOn = (topic: string) => node.list(topic).map(({ meta }) => meta);

function phoenix(name: string): Socket {
  const socket = connectClient(url("/socket"), { params: { user_id: name } });
  ends.push(() => socket.disconnect());
  return socket;
}

test("sessions, broadcasts, messages and requests of the API", async () => {
  const session = node.session();
  const error = expect.objectContaining(INVALID);
  node.onBroadcast("x", () => expect.unreachable());
  for (const half of HALVES) {
    expect(() => session.track("t", "ann", half)).toThrow(error);
    expect(() => node.batch(() => session.track("t", "ann", half))).toThrow(error);
    expect(() => node.broadcast("x", half)).toThrow(error);
    expect(() => node.send(node.replica, "x", half)).toThrow(error);
    await expect(node.request(node.replica, "x", half)).rejects.toThrow(error);
  }
  expect(() => session.track(HALF, "ann")).toThrow(error);
  expect(() => session.track("t", HALF)).toThrow(error);
  expect(() => node.broadcast(HALF, 1)).toThrow(error);
  node.onRequest("half", () => HALF);
  await expect(node.request(node.replica, "half", 1)).rejects.toThrow(/half characters/);
  expect(node.list("t")).toEqual([]);
  session.track("t", "ann", WHOLE);
  expect(metasOn("t")).toEqual([WHOLE]);
});

test("HTTP answers 400, and says what is wrong", async () => {
  for (const meta of HALVES) {
    const put = await send(node.httpUrl!, topicPath("t", "zoe"), { method: "PUT", body: { meta } });
    expect([put.status, put.body.error.code]).toEqual([400, "INVALID_ARGUMENT"]);
    const query = `?key=zoe&meta=${encodeURIComponent(JSON.stringify(meta))}`;
    const events = await send(node.httpUrl!, `${topicPath("t")}/events${query}`);
    expect([events.status, events.body.error.code]).toEqual([400, "INVALID_ARGUMENT"]);
  }
  expect(await keysOn(node.httpUrl!, "t")).toEqual([]);
  await send(node.httpUrl!, topicPath("t", "zoe"), { method: "PUT", body: { meta: WHOLE } });
  expect(metasOn("t")).toEqual([WHOLE]);
});

test("Phoenix refuses the join, the update and the message, and goes on", async () => {
  servePhoenix(node);
  const socket = phoenix("ann");
  const { channel } = await join(socket, "room:1", { meta: WHOLE });
  const before = node.list("room:1");
  const bob = await join(phoenix("bob"), "room:1");
  const heard: unknown[] = [];
  bob.channel.on("note", (note) => void heard.push(note));
  const refused = ["error", { ...INVALID, reason: expect.stringContaining("half characters") }];
  for (const [index, meta] of HALVES.entries()) {
    await expect(join(socket, `room:half ${index}`, { meta })).rejects.toThrow(/half characters/);
    expect(node.list(`room:half ${index}`)).toEqual([]);
    expect(await push(channel, "presently_update", { meta })).toEqual(refused);
    expect(await push(channel, "note", meta)).toEqual(refused);
    expect(await push(channel, "presently_message", { event: "x", payload: meta })).toEqual(refused);
  }
  expect((await push(channel, HALF, {}))[0]).toBe("error");
  // What only looks like one is text.
  const looksLike = { text: "\\ud83d \ud83d\ude00" };
  expect(await push(channel, "note", looksLike)).toEqual(["ok", {}]);
  await eventually(() => expect(heard).toEqual([looksLike]));
  expect(node.get("room:1", "ann")).toEqual(before);
});

test("AnyCable leaves out what a client may not say, and its connection goes on", async () => {
  serveCable(node, { publicStreams: true });
  const wire = await Wire.open(url("/cable"));
  ends.push(() => wire.close());
  const identifier = JSON.stringify({ channel: "$pubsub", stream_name: "room" });
  const joining = (id: string, info: unknown) => ({ command: "join", identifier, presence: { id, info } });
  wire.send({ command: "subscribe", identifier });
  await wire.until(2);
  for (const half of HALVES) wire.send(joining("ann", half));
  wire.send(joining(HALF, {}));
  await wire.settled();
  expect(node.list("room")).toEqual([]);
  wire.send(joining("ann", WHOLE));
  await wire.settled();
  expect(metasOn("room")).toEqual([expect.objectContaining({ info: WHOLE })]);
  wire.send(joining("ann", HALVES[0]));
  await wire.settled();
  expect(metasOn("room")).toEqual([expect.objectContaining({ info: WHOLE })]);
  expect(wire.closeCode).toBe(undefined);
});

test("Faye refuses the subscription, and goes on", async () => {
  serveFaye(node, { faye });
  const ids = ["ann", "ben", "cid", "dan"];
  for (const [index, half] of HALVES.entries()) {
    const tab = new FayeTab(`${node.httpUrl}/bayeux`, ids[index]!, half);
    ends.push(() => tab.close());
    await expect(tab.join("/presence/room")).rejects.toThrow();
  }
  const nameless = new FayeTab(`${node.httpUrl}/bayeux`, HALF, WHOLE);
  ends.push(() => nameless.close());
  await expect(nameless.join("/presence/room")).rejects.toThrow();
  const tab = await new FayeTab(`${node.httpUrl}/bayeux`, "eve", WHOLE).join("/presence/room");
  ends.push(() => tab.close());
  expect(tab.ids("/presence/room")).toEqual(["eve"]);
});

test("@presently/client refuses what it is told to say, before it is sent, and keeps a copy of what it takes", async () => {
  const world = new ClientWorld();
  ends.push(() => world.end());
  const own = await world.start({ name: "b" });
  const client = world.client(own, { key: "ann" });
  const error = expect.objectContaining(INVALID);
  for (const meta of HALVES) expect(() => client.join("room:2", { meta })).toThrow(error);
  const meta = { name: "Zo\ud83d\ude00", nested: { n: 1 } };
  const room = client.join<object>("room:1", { meta });
  meta.nested.n = 2;
  await room.whenJoined();
  const circle: Record<string, unknown> = {};
  circle.circle = circle;
  for (const bad of [...HALVES, circle]) {
    await expect(room.update(bad)).rejects.toThrow(error);
    await expect(room.broadcast("x", bad)).rejects.toThrow(error);
  }
  await expect(room.broadcast(HALF)).rejects.toThrow(error);
  expect(room.meta).toEqual({ ...WHOLE, nested: { n: 1 } });
  expect(room.self?.meta).toEqual(room.meta);
  expect(() => Object.assign((room.self!.meta as typeof meta).nested, { n: 3 })).toThrow(TypeError);
  expect(own.get("room:1", "ann")[0]!.meta).toMatchObject({ nested: { n: 1 } });
});

test("the presence of Colyseus refuses keys and players, and takes values as Redis' client does", async () => {
  const presence = new PresentlyPresence(node);
  ends.push(() => presence.shutdown());
  const roster = await presence.roster("lobby");
  const error = expect.objectContaining(INVALID);
  await expect(presence.get(HALF)).resolves.toBe(null);
  for (const key of [HALF, "\udfff"])
    expect(await presence.set(key, "x").catch((thrown: unknown) => thrown)).toEqual(error);
  await presence.set("x", HALF);
  expect(await presence.get("x")).toBe("Zo\ufffd");
  for (const half of HALVES) expect(() => roster.track("s1", "ann", half)).toThrow(error);
  expect(() => roster.track("s1", HALF)).toThrow(error);
  expect(roster.list()).toEqual([]);
});
