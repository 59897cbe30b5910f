/** The two protocols frame by frame, and what hostile clients can do: nothing to others. */
import { createHmac } from "node:crypto";
import { signStream } from "@presently/anycable";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { CableNode, type ClientOptions, connectClient } from "./anycable-client.ts";
import { type Frame, Wire, type WireOptions } from "./anycable-wire.ts";

vi.setConfig({ testTimeout: 60_000 });

const running: CableNode[] = [];
const wires: Wire[] = [];
afterEach(async () => {
  for (const wire of wires.splice(0)) wire.close();
  await Promise.all(running.splice(0).map((node) => node.stop()));
});

async function start(options: Parameters<typeof CableNode.start>[1] = {}): Promise<CableNode> {
  const node = await CableNode.start({ name: "a" }, { publicStreams: true, ...options });
  running.push(node);
  return node;
}

async function open(node: CableNode, options: WireOptions = {}): Promise<Wire> {
  const wire = await Wire.open(node.url, options);
  wires.push(wire);
  return wire;
}

const room = JSON.stringify({ channel: "$pubsub", stream_name: "room/42" });
const signed = (text: string) => JSON.stringify({ channel: "$pubsub", signed_stream_name: text });
const subscribe = (identifier = room, rest: object = {}) => ({ command: "subscribe", identifier, ...rest });
const join = (id: unknown, info?: unknown) => ({ command: "join", identifier: room, presence: { id, info } });

async function subscribed(node: CableNode, identifier = room): Promise<Wire> {
  const wire = await open(node);
  wire.send(subscribe(identifier));
  await wire.until(2);
  return wire;
}

test("a connection is welcomed in either protocol, which is echoed, and is pinged", async () => {
  const node = await start({ pingIntervalMs: 300 });
  for (const protocol of ["actioncable-v1-json", "actioncable-v1-ext-json"]) {
    const wire = await open(node, { protocols: [protocol] });
    expect(wire.frames).toEqual([{ type: "welcome", sid: expect.stringMatching(/^\S{20,}$/) }]);
    expect(wire.socket.protocol).toBe(protocol);
    await eventually(() => expect(wire.pings.length).toBeGreaterThan(1));
    const seconds = Date.now() / 1_000;
    expect(Math.abs(wire.pings[0].message - seconds)).toBeLessThan(60);
    expect(Number.isInteger(wire.pings[0].message)).toBe(true);
    wire.send({ command: "pong" });
    expect(await wire.settled()).toHaveLength(1);
  }
  const precise = await open(node, { query: { pi: "1", ptp: "ms" } });
  await eventually(() => expect(precise.pings.length).toBeGreaterThan(0));
  expect(Math.abs(precise.pings[0].message - Date.now())).toBeLessThan(60_000);
  const other = new Wire(node.url, { protocols: ["actioncable-v1-msgpack"] });
  await eventually(() => expect(other.closeCode).toBe(1006));
});

test("subscribing is confirmed, then comes the history, then the own join, under the identifier as it was sent", async () => {
  const node = await start();
  const wire = await open(node);
  const identifier = '{ "stream_name":"room\\/42",  "channel":"$pubsub" }';
  wire.send(subscribe(identifier, { history: { since: 1, streams: {} }, presence: { id: 7, info: [1] } }));
  const [, ...frames] = await wire.until(4);
  expect(frames).toEqual([
    { type: "confirm_subscription", identifier },
    { type: "confirm_history", identifier },
    { type: "presence", identifier, message: { type: "join", id: "7", info: [1] } },
  ]);
});

test("presence is asked for with records, without them, and of an empty stream", async () => {
  const node = await start();
  const wire = await subscribed(node);
  const ask = async (data: unknown) => {
    wire.send({ command: "presence", identifier: room, data });
    return (await wire.settled()).at(-1).message;
  };
  expect(await ask({})).toEqual({ type: "info", total: 0 });
  wire.send(join("7", { name: "Ann" }));
  wire.send(join("7"));
  expect(await ask({})).toEqual({ type: "info", total: 1, records: [{ id: "7" }] });
  expect(await ask({ return_records: false })).toEqual({ type: "info", total: 1 });
  wire.send({ command: "leave", identifier: room });
  expect(await ask({})).toEqual({ type: "info", total: 0 });
});

test("a second id of one session is refused, and nothing changes", async () => {
  const node = await start();
  const wire = await subscribed(node);
  wire.send(join("7", 1));
  wire.send(join("8", 2));
  await wire.settled();
  expect(node.cable.presence("room/42")).toEqual([{ id: "7", info: 1 }]);
});

test("one session that subscribes to a stream twice is one presence, which ends with the last that joined", async () => {
  const node = await start({ secret: "s3Krit" });
  const wire = await subscribed(node);
  const other = signed(signStream("s3Krit", "room/42"));
  wire.send(subscribe(other));
  wire.send(join("7"));
  wire.send({ command: "join", identifier: other, presence: { id: "7" } });
  wire.send({ command: "unsubscribe", identifier: room });
  await wire.settled();
  expect(node.node.count("room/42")).toEqual({ keys: 1, entries: 1 });
  wire.send({ command: "unsubscribe", identifier: other });
  await wire.settled();
  expect(node.node.count("room/42")).toEqual({ keys: 0, entries: 0 });
});

test("signed streams need a genuine signature, public ones have to be allowed, and a signed name wins", async () => {
  const node = await start({ secret: "s3Krit", publicStreams: false });
  const vector = "ImNoYXQ6MjAyMSI=--f9ee45dbccb1da04d8ceb99cc820207804370ba0d06b46fc3b8b373af1315628";
  const array = Buffer.from('["chat",2021]').toString("base64");
  const mac = createHmac("sha256", "s3Krit").update(array).digest("hex");
  const wire = await open(node);
  const refused = [
    room,
    signed(`${array}--${mac}`),
    signed(vector.replace("f9ee", "f9ef")),
    signed(""),
    JSON.stringify({ channel: "$pubsub", signed_stream_name: "x", stream_name: "y" }),
    JSON.stringify({ channel: "Unknown" }),
    JSON.stringify({ channel: "constructor" }),
    JSON.stringify({ stream_name: "room" }),
    "[]",
    "no JSON",
  ];
  for (const identifier of refused) wire.send(subscribe(identifier));
  wire.send(subscribe(signed(vector)));
  const [, ...frames] = await wire.settled();
  expect(frames).toEqual([
    ...refused.map((identifier) => ({ type: "reject_subscription", identifier })),
    { type: "confirm_subscription", identifier: signed(vector) },
  ]);
  await node.cable.broadcast("chat:2021", { n: 1 });
  await eventually(() =>
    expect(wire.frames.at(-1)).toMatchObject({ identifier: signed(vector), message: { n: 1 } }),
  );
});

test("whispers go to the others, and are not kept; without leave to whisper they go nowhere", async () => {
  const node = await start({ secret: "s3Krit" });
  const [one, two] = [await subscribed(node), await subscribed(node)];
  one.send({ command: "whisper", identifier: room, data: { typing: true } });
  await eventually(() => expect(two.frames.at(-1)).toEqual({ identifier: room, message: { typing: true } }));
  expect(await one.settled()).toHaveLength(2);
  const quiet = signed(signStream("s3Krit", "quiet"));
  const [three, four] = [await subscribed(node, quiet), await subscribed(node, quiet)];
  three.send({ command: "whisper", identifier: quiet, data: 1 });
  await three.settled();
  expect(await four.settled()).toHaveLength(2);
});

test("history comes by place and by time, and an impossible place is refused", async () => {
  const node = await start({ limits: { historyMessagesMax: 3 } });
  const wire = await subscribed(node);
  for (let n = 1; n <= 5; n++) await node.cable.broadcast("room/42", { n });
  await node.cable.broadcast("room/42", { n: "transient" }, { transient: true });
  const frames = (await wire.until(8)).slice(2);
  expect(frames.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, undefined]);
  expect(new Set(frames.slice(0, 5).map(({ epoch, stream_id }) => `${epoch} ${stream_id}`)).size).toBe(1);
  const { epoch } = frames[0];
  const ask = async (history: unknown) => {
    const before = (await wire.settled()).length;
    wire.send({ command: "history", identifier: room, history });
    return (await wire.settled()).slice(before).map(({ type, offset }: Frame) => type ?? offset);
  };
  const at = (offset: number, name = epoch) => ({
    since: 1,
    streams: { "room/42": { epoch: name, offset } },
  });
  expect(await ask(at(3))).toEqual([4, 5, "confirm_history"]);
  expect(await ask(at(2))).toEqual([3, 4, 5, "confirm_history"]);
  for (const history of [at(1), at(6), at(3, "x.y"), at(3, "")])
    expect(await ask(history)).toEqual(["reject_history"]);
  expect(await ask({ since: Math.floor(Date.now() / 1_000) - 60, streams: {} })).toEqual([
    3,
    4,
    5,
    "confirm_history",
  ]);
  expect(await ask({ since: Math.floor(Date.now() / 1_000) + 60 })).toEqual(["confirm_history"]);
  // Presence events are in no history.
  wire.send(join("7"));
  expect((await ask(at(5))).filter((type) => type !== "presence")).toEqual(["confirm_history"]);
});

describe("a token", () => {
  const secret = "a secret of signer and server, long enough";
  /** Made by hand, as a server in any other language makes it. */
  const token = (ext: unknown, livesS = 3_600, key = secret) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: "HS256" })}.${part({ ext, exp: Math.floor(Date.now() / 1_000) + livesS })}`;
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  };

  test("identifies by query, header or sub-protocol", async () => {
    const node = await start({ jwtSecret: secret });
    const seen: unknown[] = [];
    node.cable.channel("Who", { subscribe: ({ identifiers }) => void seen.push(identifiers) });
    const jid = token(JSON.stringify({ user: 7 }));
    for (const options of [
      { query: { jid } },
      { headers: { "x-jid": jid } },
      { protocols: ["actioncable-v1-ext-json", `anycable-token.${jid}`] },
    ]) {
      const wire = await open(node, options);
      wire.send(subscribe(JSON.stringify({ channel: "Who" })));
      await wire.until(2);
      expect(wire.socket.protocol).toBe("actioncable-v1-ext-json");
    }
    expect(seen).toEqual([{ user: 7 }, { user: 7 }, { user: 7 }]);
    for (const websocketAuthStrategy of ["param", "header", "sub-protocol"] as const) {
      const cable = connectClient(node.url, { auth: { token: jid }, websocketAuthStrategy } as ClientOptions);
      await cable.connect();
      cable.disconnect();
    }
  });

  test("that is expired, forged, unsigned or missing is told so, and no client comes back by itself", async () => {
    const node = await start({ jwtSecret: secret });
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"ext":"{}"}').toString("base64url")}.`;
    for (const [jid, reason] of [
      [token("{}", -3_600), "token_expired"],
      [token("{}", 3_600, "another secret"), "unauthorized"],
      [token({ not: "a text" }), "unauthorized"],
      [token("not JSON"), "unauthorized"],
      [unsigned, "unauthorized"],
      ["x", "unauthorized"],
      ["", "unauthorized"],
    ] as const) {
      const wire = await open(node, jid === "" ? {} : { query: { jid } });
      expect(wire.frames).toEqual([{ type: "disconnect", reason, reconnect: false }]);
      await eventually(() => expect(wire.closeCode).toBe(1000));
    }
    expect(node.cable.connections).toBe(0);
  });

  test("that has expired is renewed by the client's refresher", async () => {
    const node = await start({ jwtSecret: secret });
    const cable = connectClient(node.url, {
      auth: { token: token("{}", -3_600) },
      tokenRefresher: async (transport) => transport.setToken(token("{}"), "jid"),
    });
    const connected = new Promise((resolve) => cable.on("connect", resolve));
    await cable.connect().catch(() => undefined);
    await connected;
    cable.disconnect();
  });
});

test("a session resumes by its name once, with what it missed, and by no other name", async () => {
  const node = await start();
  const first = await subscribed(node);
  const { sid } = first.frames[0];
  first.send(join("7"));
  await node.cable.broadcast("room/42", { n: 1 });
  const place = (await first.until(4)).find(({ offset }) => offset === 1);
  // The old connection looks open still: the name is what counts.
  const second = await open(node, { query: { sid } });
  expect(second.frames[0]).toEqual({
    type: "welcome",
    sid: expect.not.stringMatching(sid),
    restored: true,
    restored_ids: [room],
  });
  await eventually(() => expect(first.closeCode).toBe(1006));
  await node.cable.broadcast("room/42", { n: 2 });
  second.send({
    command: "history",
    identifier: room,
    history: { streams: { "room/42": { epoch: place.epoch, offset: 1 } } },
  });
  await second.settled();
  await node.cable.broadcast("room/42", { n: 3 });
  const told = (await second.settled()).filter(({ type }) => type !== "presence").slice(1);
  expect(told.map(({ type, message }) => type ?? message.n)).toEqual([2, "confirm_history", 3]);
  expect(node.node.count("room/42").entries).toBe(1);
  for (const name of [sid, "x", "__proto__", `${sid}x`]) {
    const other = await open(node, { query: { sid: name } });
    expect(other.frames[0]).toEqual({ type: "welcome", sid: expect.any(String) });
  }
});

test("clients are disconnected for being told to, and for not answering", async () => {
  const node = await start({
    authenticate: ({ params }) => ({ user: params.get("user") }),
    pingIntervalMs: 100,
    pongTimeoutMs: 600,
  });
  const answering = await open(node, { query: { user: "7" } });
  const pongs = setInterval(() => answering.send({ command: "pong" }), 50);
  try {
    const silent = await open(node, { query: { user: "8" } });
    await eventually(() =>
      expect(silent.frames.at(-1)).toEqual({ type: "disconnect", reason: "no_pong", reconnect: true }),
    );
    node.cable.disconnect({ user: "7" }, { reconnect: false });
    await eventually(() =>
      expect(answering.frames.at(-1)).toEqual({ type: "disconnect", reason: "remote", reconnect: false }),
    );
  } finally {
    clearInterval(pongs);
  }
});

test("a node that stops tells its clients to come back", async () => {
  const node = await start();
  const wire = await open(node);
  running.length = 0;
  await node.stop();
  await eventually(() => expect(wire.closeCode).toBe(1001));
  expect(wire.frames.at(-1)).toEqual({ type: "disconnect", reason: "server_restart", reconnect: true });
});

test("whatever a client sends, others do not notice, and it is not answered with errors", async () => {
  const notices: string[] = [];
  const node = await start({ onNotice: ({ code, type }) => void notices.push(code ?? type) });
  const watcher = await subscribed(node);
  const hostile = await subscribed(node);
  const deep = "[".repeat(5_000) + "]".repeat(5_000);
  const frames = [
    "",
    "no JSON",
    "null",
    "[]",
    "{}",
    deep,
    `{"command":"message","identifier":${JSON.stringify(room)},"data":${JSON.stringify(deep)}}`,
    { command: "explode", identifier: room },
    { command: "__proto__", identifier: room },
    { command: "message", identifier: room, data: '{"action":"constructor"}' },
    { command: "message", identifier: "other", data: "{}" },
    { command: "subscribe" },
    subscribe(),
    { command: "join", identifier: room },
    join(""),
    join(null),
    join({}),
    join("x".repeat(300)),
    join("big", "x".repeat(20_000)),
    `{"command":"join","identifier":${JSON.stringify(room)},"presence":{"id":"p","info":{"__proto__":{"admin":true}}}}`,
    { command: "join", identifier: "other", presence: { id: "7" } },
    { command: "leave", identifier: room },
    { command: "history", identifier: room },
    { command: "history", identifier: room, history: { streams: { "room/42": { epoch: 1, offset: "x" } } } },
    { command: "unsubscribe", identifier: "other" },
  ];
  for (const frame of frames) hostile.send(frame);
  expect(await hostile.settled()).toHaveLength(2);
  expect(node.cable.presence("room/42")).toEqual([]);
  expect(notices.length).toBeGreaterThan(20);
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
  // A stream of that name is a stream like any other.
  for (const name of ["__proto__", "constructor"]) {
    const identifier = JSON.stringify({ channel: "$pubsub", stream_name: name });
    const wire = await subscribed(node, identifier);
    wire.send({ command: "join", identifier, presence: { id: name } });
    await wire.settled();
    expect(node.cable.presence(name)).toEqual([{ id: name }]);
  }
  hostile.send("x".repeat(70_000));
  await eventually(() => expect(hostile.closeCode).toBe(1009));
  const flooding = await subscribed(node);
  for (let sent = 0; sent < 1_000; sent++) flooding.send({ command: "pong" });
  await eventually(() => expect(flooding.closeCode).toBe(1008));
  expect(await watcher.settled()).toHaveLength(2);
});

test("a page of another site is refused, one of the same host is not", async () => {
  const node = await start();
  const foreign = new Wire(node.url, { headers: { origin: "https://evil.example" } });
  await eventually(() => expect(foreign.closeCode).toBe(1006));
  await open(node, { headers: { origin: "http://127.0.0.1:3000" } });
});
