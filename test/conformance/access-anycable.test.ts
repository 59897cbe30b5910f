/** The node's `access`, as AnyCable's clients meet it: who is let in, what each may do, and what happens when a token expires. */
import { type CableNotice, type ConnectionInfo, serveEndpoint, signStream } from "@presently/anycable";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { Gate } from "presently/drop-in";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { endHostiles, handmadeToken, RawClient, secondsFromNow } from "../helpers/hostile.ts";
import { send } from "../helpers/http.ts";
import { type Access, accessByToken, TOKEN_SECRET, tokenOf } from "../helpers/tokens.ts";
import { type ClientOptions, connectClient, startCableNodes } from "./anycable-client.ts";
import { type Frame, Wire, type WireOptions } from "./anycable-wire.ts";

vi.setConfig({ testTimeout: 60_000 });

const clients: ReturnType<typeof connectClient>[] = [];
const wires: Wire[] = [];
const nodes: PresentlyNode[] = [];
afterEach(async () => {
  endHostiles();
  for (const client of clients.splice(0)) client.disconnect();
  for (const wire of wires.splice(0)) wire.close();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

async function start(
  options: Parameters<typeof serveEndpoint>[1] = {},
  access: Access = accessByToken(),
  more: Partial<NodeOptions> = {},
) {
  const node = await createNode({ name: "a", http: { port: 0 }, ...more, access });
  nodes.push(node);
  const cable = serveEndpoint(node, { publicStreams: true, ...options });
  return { node, cable, url: `${node.httpUrl!.replace("http", "ws")}/cable` };
}

/** The npm client of whoever the token says. */
function clientOf(url: string, token: string, options: object = {}) {
  const client = connectClient(url, { auth: { token }, ...options } as ClientOptions);
  clients.push(client);
  return client;
}

async function open(url: string, token: string, options: WireOptions = {}): Promise<Wire> {
  const wire = await Wire.open(url, { ...options, query: { jid: token, ...options.query } });
  wires.push(wire);
  return wire;
}

const room = JSON.stringify({ channel: "$pubsub", stream_name: "room/1" });
const subscribe = (identifier = room, rest: object = {}) => ({ command: "subscribe", identifier, ...rest });
const join = (id: string, identifier = room) => ({ command: "join", identifier, presence: { id } });

/** What came behind the welcome. */
const told = (frames: readonly Frame[]) => frames.slice(1);

async function subscribed(url: string, token: string): Promise<Wire> {
  const wire = await open(url, token);
  wire.send(subscribe());
  await wire.until(2);
  expect(wire.frames[1]).toEqual({ type: "confirm_subscription", identifier: room });
  return wire;
}

describe("who connects", () => {
  test("is who the token says, by whichever way it comes", async () => {
    const { cable, url } = await start();
    const seen: unknown[] = [];
    cable.channel("Who", { subscribe: ({ identifiers }) => void seen.push(identifiers) });
    for (const websocketAuthStrategy of ["param", "header", "sub-protocol"] as const) {
      const client = clientOf(url, tokenOf(websocketAuthStrategy), { websocketAuthStrategy });
      await client.connect();
      client.disconnect();
      const jid = tokenOf(websocketAuthStrategy);
      const wire = await Wire.open(
        url,
        {
          param: { query: { jid } },
          header: { headers: { authorization: `Bearer ${jid}` } },
          "sub-protocol": { protocols: ["actioncable-v1-ext-json", `anycable-token.${jid}`] },
        }[websocketAuthStrategy],
      );
      wires.push(wire);
      wire.send(subscribe(JSON.stringify({ channel: "Who" })));
      await wire.until(2);
    }
    expect(seen).toEqual([{ id: "param" }, { id: "header" }, { id: "sub-protocol" }]);
  });

  test("is asked by the application as well, which gives the identifiers", async () => {
    const authenticate = ({ identity }: ConnectionInfo) => identity?.id === "alice" && { user: identity.id };
    const { cable, url } = await start({ authenticate });
    const seen: unknown[] = [];
    cable.channel("Who", { subscribe: ({ identifiers }) => void seen.push(identifiers) });
    const alice = await open(url, tokenOf("alice"));
    alice.send(subscribe(JSON.stringify({ channel: "Who" })));
    await alice.until(2);
    expect(seen).toEqual([{ user: "alice" }]);
    const bob = await open(url, tokenOf("bob"));
    expect(bob.frames).toEqual([{ type: "disconnect", reason: "unauthorized", reconnect: false }]);
  });

  test("resumes their own session on another node, and nobody else's", async () => {
    const [one, two] = await startCableNodes(
      ["a", "b"],
      { publicStreams: true },
      { access: accessByToken() },
    );
    try {
      const wire = await subscribed(one!.url, tokenOf("alice"));
      const { sid } = wire.frames[0];
      wire.close();
      await eventually(() => expect(one!.cable.connections).toBe(0));
      const mallory = await open(two!.url, tokenOf("mallory"), { query: { sid } });
      expect(mallory.frames[0]).toEqual({ type: "welcome", sid: expect.any(String) });
      const alice = await open(two!.url, tokenOf("alice"), { query: { sid } });
      expect(alice.frames[0]).toMatchObject({ restored: true, restored_ids: [room] });
    } finally {
      await Promise.all([one!.stop(), two!.stop()]);
    }
  });

  test("without a token that counts is told so, and no session of another's is resumed", async () => {
    const { cable, url } = await start();
    const alice = await subscribed(url, tokenOf("alice"));
    const { sid } = alice.frames[0];
    const claims = { sub: "mallory", presently: ["*"], exp: secondsFromNow(3_600) };
    for (const [jid, reason] of [
      ["x", "unauthorized"],
      ["", "unauthorized"],
      [handmadeToken(claims, undefined), "unauthorized"],
      [handmadeToken(claims, TOKEN_SECRET, { alg: "none" }), "unauthorized"],
      [handmadeToken(claims, TOKEN_SECRET, { alg: "RS256" }), "unauthorized"],
      [handmadeToken(claims, "another secret"), "unauthorized"],
      [handmadeToken({ ...claims, sub: undefined }, TOKEN_SECRET), "unauthorized"],
      [handmadeToken({ ...claims, exp: secondsFromNow(-1) }, TOKEN_SECRET), "token_expired"],
      ["a.!!!.c", "unauthorized"],
      [`a.${Buffer.from("[".repeat(5_000)).toString("base64url")}.c`, "unauthorized"],
    ] as const) {
      const wire = await open(url, jid, { query: { sid } });
      expect(wire.frames).toEqual([{ type: "disconnect", reason, reconnect: false }]);
      await eventually(() => expect(wire.closeCode).toBe(1000));
    }
    // Whoever knows the name of a session, and is somebody else, begins one of their own.
    const mallory = await open(url, tokenOf("mallory"), { query: { sid } });
    expect(mallory.frames[0]).toEqual({ type: "welcome", sid: expect.not.stringMatching(sid) });
    expect(alice.closeCode).toBeUndefined();
    const again = await open(url, tokenOf("alice"), { query: { sid } });
    expect(again.frames[0]).toMatchObject({ type: "welcome", restored: true, restored_ids: [room] });
    expect(cable.connections).toBe(2);
  });

  test("is refused with 500 while the hook fails, and with 429 beyond the bound of their address", async () => {
    const notices: CableNotice[] = [];
    let fails = true;
    const access: Access = {
      authenticate: () => {
        if (fails) throw new Error("the database is away");
        return { id: "alice", claims: {} };
      },
      authorize: () => true,
    };
    const limits = { connectionsPerAddressMax: 2, connectsPerAddressPerSecondMax: 1_000 };
    const { url, cable } = await start({ limits, onNotice: (notice) => void notices.push(notice) }, access);
    const statusOf = async (headers: Readonly<Record<string, string>> = {}) => {
      const raw = await RawClient.upgrade(url.replace("ws", "http"), { headers });
      const { status } = raw;
      if (status !== 101) raw.destroy();
      return status;
    };
    expect(await statusOf()).toBe(500);
    expect(notices.map(({ type }) => type)).toEqual(["access-failed"]);
    fails = false;
    // A handshake that is none is refused when the client is let in already, and uses nothing up.
    for (let number = 0; number < 5; number++)
      expect(await statusOf({ "sec-websocket-key": "short" })).toBe(400);
    await eventually(async () => expect(await statusOf()).toBe(101));
    await eventually(async () => expect(await statusOf()).toBe(101));
    expect(await statusOf()).toBe(429);
    endHostiles();
    await eventually(() => expect(cable.connections).toBe(0));
    await eventually(async () => expect(await statusOf()).toBe(101));
  });
});

describe("who is in", () => {
  test("subscribes to the streams that they may watch; others are rejected, signed or not, and tell nothing", async () => {
    const streams = "a secret that signs streams";
    const { cable, url } = await start({ streamsSecret: streams });
    const token = tokenOf("bob", ["watch:room/*"]);
    const wire = await open(url, token);
    const signed = (name: string) =>
      JSON.stringify({ channel: "$pubsub", signed_stream_name: signStream(streams, name) });
    const named = (name: string) => JSON.stringify({ channel: "$pubsub", stream_name: name });
    const refused = [signed("secret"), named("secret"), named("room"), named("roomy/1")];
    for (const identifier of refused) wire.send(subscribe(identifier, { presence: { id: "bob" } }));
    for (const identifier of [signed("room/1"), named("room/2")]) wire.send(subscribe(identifier));
    expect(told(await wire.settled())).toEqual([
      ...refused.map((identifier) => ({ type: "reject_subscription", identifier })),
      { type: "confirm_subscription", identifier: signed("room/1") },
      { type: "confirm_subscription", identifier: named("room/2") },
    ]);
    await cable.broadcast("secret", { n: 1 });
    await cable.broadcast("room/1", { n: 2 });
    await eventually(() => expect(wire.frames.at(-1)).toMatchObject({ message: { n: 2 } }));
    expect(JSON.stringify(wire.frames)).not.toContain('"n":1');
    expect(cable.presence("secret")).toEqual([]);
    // The npm client learns it as a rejection.
    const client = clientOf(url, token);
    await expect(client.streamFrom("secret").ensureSubscribed()).rejects.toThrow(/reject/i);
    await client.streamFrom("room/1").ensureSubscribed();
  });

  test("is present under their own id only, with the subscription or after it", async () => {
    const { cable, url } = await start();
    const wire = await open(url, tokenOf("bob"));
    wire.send(subscribe(room, { presence: { id: "alice" } }));
    wire.send(join("alice"));
    await wire.settled();
    expect(cable.presence("room/1")).toEqual([]);
    wire.send(join("bob"));
    await eventually(() => expect(cable.presence("room/1")).toEqual([{ id: "bob" }]));
    const other = await open(url, tokenOf("carol"));
    other.send(subscribe(room, { presence: { id: "carol", info: { n: 1 } } }));
    await eventually(() =>
      expect(cable.presence("room/1")).toEqual([{ id: "bob" }, { id: "carol", info: { n: 1 } }]),
    );
    const watcher = await subscribed(url, tokenOf("dan", ["watch:*"]));
    watcher.send(join("dan"));
    watcher.send({ command: "presence", identifier: room });
    const frames = await watcher.settled();
    expect(frames.at(-1)).toMatchObject({ message: { type: "info", total: 2 } });
  });

  test("whispers and performs where they may publish", async () => {
    const performed: string[] = [];
    const notices: CableNotice[] = [];
    const { cable, url } = await start({ onNotice: (notice) => void notices.push(notice) });
    cable.channel("Chat", {
      subscribe: (subscription) => {
        subscription.streamFrom("room/1");
        subscription.streamFrom("news");
      },
      actions: { speak: (_data, { identifiers }) => void performed.push(JSON.stringify(identifiers)) },
    });
    cable.channel("Notes", {
      subscribe: (subscription) => subscription.streamFrom("news"),
      actions: {
        seen: (_data, { identifiers }) => void performed.push(`seen ${JSON.stringify(identifiers)}`),
      },
      publishesTo: () => [],
    });
    const chat = JSON.stringify({ channel: "Chat" });
    const notes = JSON.stringify({ channel: "Notes" });
    const listener = await subscribed(url, tokenOf("alice"));
    for (const [name, scopes] of [
      ["bob", ["watch:*", "publish:room/1", "publish:news"]],
      ["carol", ["watch:*", "publish:room/1"]],
      ["dan", ["watch:*"]],
    ] as const) {
      const wire = await subscribed(url, tokenOf(name, scopes));
      wire.send({ command: "whisper", identifier: room, data: { from: name } });
      for (const [identifier, action] of [
        [chat, "speak"],
        [notes, "seen"],
      ]) {
        wire.send(subscribe(identifier));
        wire.send({ command: "message", identifier, data: JSON.stringify({ action }) });
      }
      await wire.settled();
    }
    await eventually(() =>
      expect(performed).toEqual([
        '{"id":"bob"}',
        ...["bob", "carol", "dan"].map((id) => `seen {"id":"${id}"}`),
      ]),
    );
    const whispers = (await listener.settled()).filter(({ message }) => message?.from !== undefined);
    expect(whispers.map(({ message }) => message.from)).toEqual(["bob", "carol"]);
    expect(notices.filter(({ code }) => code === "FORBIDDEN").map(({ level }) => level)).toEqual(
      Array(3).fill("debug"),
    );
  });

  test("is asked about by the names of the cluster", async () => {
    const asked: string[] = [];
    const access: Access = {
      authenticate: () => ({ id: "alice", claims: {} }),
      authorize: (_identity, action) => {
        asked.push(JSON.stringify(action));
        return true;
      },
    };
    const roster = {
      topics: { prefix: "room/", inCluster: "room:" },
      ids: { prefix: "", inCluster: "user-" },
    };
    const { node, url } = await start({ roster }, access);
    const wire = await subscribed(url, "");
    wire.send(join("7"));
    wire.send({ command: "whisper", identifier: room, data: 1 });
    await wire.settled();
    await eventually(() => expect(node.list("room:1").map(({ key }) => key)).toEqual(["user-7"]));
    expect(asked).toEqual([
      '{"kind":"watch","topic":"room:1"}',
      '{"kind":"track","topic":"room:1","key":"user-7"}',
      '{"kind":"publish","topic":"room:1"}',
    ]);
  });
});

test("the REST API takes its own secret for everything, and tokens for what they are good for", async () => {
  const { node, cable } = await start({ apiSecret: "of the servers" });
  const session = node.session();
  session.track("room/1", "alice");
  const ask = async (token: string | undefined, path: string, body?: object) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options = body === undefined ? { headers } : { headers, method: "POST", body };
    return (await send(node.httpUrl!, path, options)).status;
  };
  const users = "/api/presence/room%2F1/users";
  const publication = { stream: "room/1", data: "1" };
  for (const [token, read, publish] of [
    ["of the servers", 200, 201],
    [tokenOf("bob", ["watch:room/*"]), 200, 403],
    [tokenOf("bob", ["publish:room/*"]), 403, 201],
    [tokenOf("bob", []), 403, 403],
    [tokenOf("bob", undefined, -1), 401, 401],
    ["x", 401, 401],
    [undefined, 401, 401],
  ] as const) {
    expect(await ask(token, users)).toBe(read);
    expect(await ask(token, "/api/publish", publication)).toBe(publish);
  }
  // Of several messages all may be said, or none is.
  const wire = await open(node.httpUrl!.replace("http", "ws").concat("/cable"), tokenOf("alice"));
  wire.send(subscribe());
  await wire.until(2);
  const both = [publication, { stream: "secret", data: "2" }];
  expect(await ask(tokenOf("bob", ["publish:room/*"]), "/api/publish", both)).toBe(403);
  await cable.broadcast("room/1", 3);
  await eventually(() => expect(wire.frames.at(-1)).toMatchObject({ message: 3 }));
  expect(wire.frames.filter(({ message }) => message === 1)).toEqual([]);
});

describe("a token that expires", () => {
  /** Expires identities when the test says so: nothing depends on how fast it is. */
  function expiries() {
    const expire: (() => void)[] = [];
    const spy = vi.spyOn(Gate.prototype, "onExpire").mockImplementation((_identity, callback) => {
      expire.push(callback);
      return () => undefined;
    });
    return { expire, restore: () => spy.mockRestore() };
  }

  test("is renewed by the client's refresher, and its presence was never away", async () => {
    const { expire, restore } = expiries();
    const { cable, node, url } = await start();
    const changes: string[] = [];
    node.watch("room/1", (change) => {
      if (change.type !== "diff") return;
      for (const { key } of change.joins) changes.push(`+${key}`);
      for (const { presence } of change.leaves) changes.push(`-${presence.key}`);
    });
    let refreshed = 0;
    const client = clientOf(url, tokenOf("alice"), {
      tokenRefresher: async (transport: { setToken(token: string, param: string): void }) => {
        refreshed++;
        transport.setToken(tokenOf("alice"), "jid");
      },
    });
    const channel = client.streamFrom("room/1");
    await channel.ensureSubscribed();
    await channel.presence.join("alice", {});
    const heard: unknown[] = [];
    channel.on("message", (message) => void heard.push(message));
    await eventually(() => expect(changes).toEqual(["+alice"]));
    expire[0]!();
    await eventually(() => expect(refreshed).toBe(1));
    await eventually(async () => {
      await cable.broadcast("room/1", "hello");
      expect(heard).toContain("hello");
    });
    expect(cable.presence("room/1").map(({ id }) => id)).toEqual(["alice"]);
    expect(changes).toEqual(["+alice"]);
    restore();
  });

  test("ends its connection in the protocol's words", async () => {
    const { expire, restore } = expiries();
    const { url } = await start();
    const wire = await subscribed(url, tokenOf("alice"));
    expire[0]!();
    await eventually(() => expect(wire.closeCode).toBe(1000));
    expect(wire.frames.at(-1)).toEqual({ type: "disconnect", reason: "token_expired", reconnect: false });
    restore();
  });

  test("ends its connection by itself when the time is there", async () => {
    const access: Access = {
      authenticate: () => ({ id: "alice", claims: {}, expiresAtMs: Date.now() + 300 }),
      authorize: () => true,
    };
    const { cable, url } = await start({}, access);
    const wire = await open(url, "");
    await eventually(() => expect(wire.frames.at(-1)).toMatchObject({ reason: "token_expired" }));
    await eventually(() => expect(cable.connections).toBe(0));
  });
});
