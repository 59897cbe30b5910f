/** `createNode({ access })` at a Faye server: who may come, be present, listen and speak, as the npm client is told. */
import type { FayeNotice } from "@presently/faye";
import faye from "faye";
import type { Access, Action, Credentials, Identity } from "presently";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { type BayeuxClient, FayeNode } from "./faye-client.ts";
import { WireClient } from "./faye-wire.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const room = "/presence/room";
const nodes: FayeNode[] = [];
const clients: BayeuxClient[] = [];
const notices: FayeNotice[] = [];

afterEach(async () => {
  notices.length = 0;
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

/** Tokens are names; what was asked is kept. */
class Door implements Access {
  readonly asked: Credentials[] = [];
  readonly actions: [id: string, action: Action][] = [];
  readonly expiries = new Map<string, number>();
  may: (identity: Identity, action: Action) => boolean | Promise<boolean> = () => true;

  authenticate(credentials: Credentials): Identity | undefined {
    this.asked.push(credentials);
    const { token } = credentials;
    if (token === undefined || token === "bad") return undefined;
    const expiresAtMs = this.expiries.get(token);
    return { id: token, claims: {}, ...(expiresAtMs !== undefined && { expiresAtMs }) };
  }

  authorize(identity: Identity, action: Action): boolean | Promise<boolean> {
    this.actions.push([identity.id, action]);
    return this.may(identity, action);
  }
}

async function start(access: Access, limits = {}): Promise<FayeNode> {
  const onNotice = (notice: FayeNotice) => void notices.push(notice);
  const node = await FayeNode.start({ name: "a", access }, { setup: { limits, onNotice } });
  nodes.push(node);
  return node;
}

/** A client with the extension of the guide, which shows its token whenever it shakes hands. */
function connect({ url }: FayeNode, token: () => string | undefined, id?: string): BayeuxClient {
  const client = new faye.Client(url, { retry: 0.1 });
  client.addExtension({
    outgoing: (message, callback) => {
      if (message.channel === "/meta/handshake") message.ext = { authToken: token() };
      if (message.channel === "/meta/subscribe" && id !== undefined) message.ext = { presence: { id } };
      callback(message);
    },
  });
  clients.push(client);
  return client;
}

const idsOn = ({ node }: FayeNode, topic = room) => node.list(topic).map(({ key }) => key);
const refusal = (promise: PromiseLike<unknown>) =>
  promise.then(
    () => "was not refused",
    ({ code, params, message }: { code: number; params: string[]; message: string }) =>
      `${code}:${params}:${message}`,
  );

test("whoever is let in may do what the hooks allow, and these are told who wants what", async () => {
  const door = new Door();
  const a = await start(door);
  const client = connect(a, () => "alice", "alice-1");
  const heard: unknown[] = [];
  await client.subscribe(room, (data) => void heard.push(data));
  await client.publish("/chat", 1);
  expect(idsOn(a)).toEqual(["alice-1"]);
  expect(door.asked).toHaveLength(1);
  expect(door.asked[0]).toMatchObject({
    protocol: "faye",
    token: "alice",
    params: { authToken: "alice" },
    address: "127.0.0.1",
    headers: { host: expect.stringContaining("127.0.0.1") },
  });
  expect(door.actions).toEqual([
    ["alice", { kind: "watch", topic: room }],
    ["alice", { kind: "track", topic: room, key: "alice-1" }],
    ["alice", { kind: "publish", topic: "/chat" }],
  ]);
});

test("a handshake without a token that counts is refused, and nothing else is dealt with", async () => {
  const door = new Door();
  const a = await start(door);
  const wire = new WireClient(a.url);
  const handshake = (ext: unknown) =>
    wire.say("/meta/handshake", { version: "1.0", supportedConnectionTypes: ["long-polling"], ext });
  for (const ext of [
    undefined,
    null,
    "alice",
    [],
    {},
    { authToken: "" },
    { authToken: 7 },
    { authToken: "bad" },
  ]) {
    const reply = await handshake(ext);
    expect(reply).toMatchObject({ successful: false, error: "403::Handshake denied" });
    expect(reply.clientId).toBeUndefined();
    expect(reply.id).toMatch(/^[0-9a-z]$/);
  }
  for (const clientId of [undefined, "made-up"]) {
    wire.clientId = clientId as string;
    const unknown = `401:${clientId ?? ""}:Unknown client`;
    expect((await wire.subscribe(room, { id: "eve" })).error).toMatch(/^40[12]:/);
    expect((await wire.say("/chat", { data: 1 })).error).toBe(unknown);
    expect((await wire.say("/meta/connect", { connectionType: "long-polling" })).successful).toBe(false);
  }
  expect(door.actions).toEqual([]);
  expect(idsOn(a)).toEqual([]);
});

test("what the hooks refuse is answered with 403, and changes nothing", async () => {
  const door = new Door();
  const a = await start(door);
  door.may = (_identity, action) => !("topic" in action && action.topic.includes("secret"));
  const client = connect(a, () => "alice", "alice");
  await client.subscribe(room, () => undefined);
  for (const channel of ["/presence/secret", "/secret/chat", "/secret/**"])
    expect(await refusal(client.subscribe(channel, () => undefined))).toBe(
      `403:${channel}:Forbidden channel`,
    );
  expect(await refusal(client.publish("/secret", 1))).toBe("403:/secret:Forbidden channel");
  // Present under one's own name only.
  door.may = ({ id }, action) => action.kind !== "track" || action.key === id;
  const other = connect(a, () => "bob", "alice");
  expect(await refusal(other.subscribe(room, () => undefined))).toBe(`403:${room}:Forbidden channel`);
  expect(idsOn(a)).toEqual(["alice"]);
  await client.publish("/chat", "still served");
});

test("a hook that throws refuses, and the operator is told why", async () => {
  const door = new Door();
  const a = await start(door);
  door.may = () => {
    throw new Error("out of order");
  };
  const client = connect(a, () => "alice", "alice");
  expect(await refusal(client.subscribe(room, () => undefined))).toBe(`403:${room}:Forbidden channel`);
  expect(notices).toMatchObject([
    { type: "access-failed", level: "warn", message: expect.stringContaining("out of order") },
  ]);
});

test("an unsubscription does not overtake its subscription, however long the hooks take", async () => {
  const door = new Door();
  const a = await start(door);
  const wire = new WireClient(a.url);
  const { clientId } = await wire.say("/meta/handshake", {
    version: "1.0",
    supportedConnectionTypes: ["long-polling"],
    ext: { token: "alice" },
  });
  wire.clientId = clientId;
  let answer: (may: boolean) => void = () => undefined;
  door.may = () =>
    new Promise<boolean>((resolve) => {
      answer = resolve;
    });
  const subscribed = wire.subscribe("/chat");
  await eventually(() => expect(door.actions).toHaveLength(1));
  const unsubscribed = wire.unsubscribe("/chat");
  answer(true);
  expect((await subscribed).successful).toBe(true);
  expect((await unsubscribed).successful).toBe(true);
  let count = 0;
  a.bayeux.on("publish", () => void count++);
  await a.bayeux.getClient().publish("/chat", "nobody is to hear this");
  expect(count).toBe(1);
  expect(await wire.poll()).toEqual([]);
});

test("a client whose identity expires comes back with the next token, and nobody sees it go", async () => {
  const door = new Door();
  const a = await start(door);
  const seen: unknown[] = [];
  const watcher = connect(a, () => "watcher", "watcher");
  await watcher.subscribe(room, (data) => void seen.push(data));
  let handshakes = 0;
  door.expiries.set("short", Date.now() + 1_000);
  const client = connect(a, () => (handshakes++ === 0 ? "short" : "long"), "alice");
  const heard: unknown[] = [];
  await client.subscribe(room, (data) => void heard.push(data));
  await eventually(() => {
    expect(door.actions).toContainEqual(["long", { kind: "track", topic: room, key: "alice" }]);
    expect(idsOn(a).sort()).toEqual(["alice", "watcher"]);
  });
  await a.bayeux.getClient().publish(room, { text: "welcome back" });
  await eventually(() => expect(heard).toContainEqual({ text: "welcome back" }));
  client.unsubscribe(room);
  await eventually(() => expect(seen.at(-1)).toEqual({ unsubscribe: { alice: null } }));
  expect(seen).toEqual([
    { subscribe: { watcher: { id: "watcher" } } },
    { subscribe: { alice: { id: "alice" } } },
    { text: "welcome back" },
    { unsubscribe: { alice: null } },
  ]);
});

test("an identity that expires and has nothing else is refused from then on", async () => {
  const door = new Door();
  const a = await start(door);
  const wire = new WireClient(a.url);
  door.expiries.set("short", Date.now() + 800);
  const { clientId } = await wire.say("/meta/handshake", {
    version: "1.0",
    supportedConnectionTypes: ["long-polling"],
    ext: { token: "short" },
  });
  wire.clientId = clientId;
  await wire.subscribe(room, { id: "alice" });
  await eventually(() => expect(idsOn(a)).toEqual([]));
  for (const reply of [
    await wire.subscribe(room, { id: "alice" }),
    await wire.say("/chat", { data: 1 }),
    await wire.say("/meta/connect", { connectionType: "long-polling" }),
  ])
    expect(reply.error).toBe(`401:${clientId}:Unknown client`);
});

test("an address has no more clients than it may, and a client that goes makes room", async () => {
  const a = await start(new Door(), { connectionsPerAddressMax: 2, connectsPerAddressPerSecondMax: 1_000 });
  const wire = new WireClient(a.url);
  const handshake = () =>
    wire.say("/meta/handshake", {
      version: "1.0",
      supportedConnectionTypes: ["long-polling"],
      ext: { token: "alice" },
    });
  const first = await handshake();
  expect((await handshake()).successful).toBe(true);
  expect((await handshake()).error).toBe("503::Too many clients");
  wire.clientId = first.clientId;
  await wire.say("/meta/disconnect");
  expect((await handshake()).successful).toBe(true);
});

describe.each(["websocket", "long-polling"])("over %s", (transport) => {
  const RETRY_MS = 200;

  /** A client whose pause after a refusal is known. */
  function patient({ url }: FayeNode, token: string): BayeuxClient {
    const client = new faye.Client(url, { retry: RETRY_MS / 1_000 });
    if (transport !== "websocket") client.disable("websocket");
    client.addExtension({
      outgoing: (message, callback) => {
        if (message.channel === "/meta/handshake") message.ext = { authToken: token };
        callback(message);
      },
    });
    clients.push(client);
    return client;
  }

  test("a client that is refused waits for its own pause each time", async () => {
    const door = new Door();
    const asked: number[] = [];
    const { authenticate } = door;
    door.authenticate = (credentials) => {
      asked.push(performance.now());
      return authenticate.call(door, credentials);
    };
    const client = patient(await start(door), "bad");
    client.connect(() => undefined);
    await eventually(() => expect(asked.length).toBeGreaterThanOrEqual(8));
    // Its timers may be late, and never more than a millisecond early.
    for (const [index, at] of asked.slice(1).entries())
      expect(at - asked[index]!).toBeGreaterThanOrEqual(RETRY_MS - 20);
  });

  test("so does one whose identity has expired", async () => {
    const door = new Door();
    const a = await start(door);
    door.expiries.set("short", Date.now() + 500);
    await patient(a, "short").subscribe("/chat", () => undefined);
    await eventually(() => expect(door.asked.length).toBeGreaterThanOrEqual(2));
    const refusedAt = performance.now();
    const before = door.asked.length;
    await eventually(() => expect(door.asked.length).toBeGreaterThanOrEqual(before + 4));
    expect(performance.now() - refusedAt).toBeGreaterThanOrEqual(3 * (RETRY_MS - 20));
  });

  test("one that is let in and may not connect shakes hands seldom", async () => {
    const door = new Door();
    const a = await start(door);
    a.bayeux.addExtension({
      incoming: (
        message: { channel: string; error?: string },
        request: unknown,
        callback: (m: object) => void,
      ) => {
        if (message.channel === "/meta/connect" && request !== null) message.error = "401::Unknown client";
        callback(message);
      },
    });
    const beganAt = performance.now();
    patient(a, "alice").connect(() => undefined);
    await eventually(() => expect(door.asked.length).toBeGreaterThanOrEqual(4));
    expect(performance.now() - beganAt).toBeGreaterThanOrEqual(3 * 480);
  });
});
