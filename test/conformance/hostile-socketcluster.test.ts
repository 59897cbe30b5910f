/** Whatever one client of a SocketCluster server sends, the others are served: counts and rosters are right, and nothing of it stays. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type EventuallyOptions, eventually as eventuallyEvery } from "../helpers/eventually.ts";
import {
  deepJson,
  endHostiles,
  frame,
  handmadeToken,
  POISON,
  POLLUTING_JSON,
  pollution,
  RawClient,
  secondsFromNow,
} from "../helpers/hostile.ts";
import { AUTH_KEY, type Client, hear, type Site, Sites } from "./socketcluster-cluster.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const sites = new Sites();
let a: Site;
let alice: Client;
let changes: unknown[];
let counts: unknown[];
let newcomers = 0;
/** Names that every object has, before anything was attacked. */
const ownOfFunctions = Object.keys(Object);

beforeAll(async () => {
  [a] = (await sites.start(["a"], {
    server: { maxPayload: 100_000, handshakeTimeout: 1_500, middlewareEmitFailures: false },
    presence: {
      channelsPerSocketMax: 20,
      limits: {
        actionsPerSecondMax: 200,
        subscriptionsPerSocketMax: 50,
        rostersPerSocketMax: 5,
        bufferedBytesMax: 200_000,
      },
    },
  })) as [Site];
  alice = await sites.connect(a, "alice");
  await hear(alice, "room");
  changes = await hear(alice, "_SCPRESENCE/room");
  counts = await hear(alice, "USERCOUNT");
});

afterEach(async () => {
  endHostiles();
  await eventually(() => expect(a.presence.count("SOCKETS")).toBe(1), { what: "no trace is left" });
  await eventually(() =>
    expect(
      a.presence
        .rows()
        .map(({ SCP_channel }) => SCP_channel)
        .sort(),
    ).toEqual(own),
  );
  // Whoever was attacked goes on to hear of others, and others go on to come.
  const id = `newcomer-${newcomers++}`;
  const newcomer = await sites.connect(a, id);
  await hear(newcomer, "room");
  await eventually(() =>
    expect(changes).toContainEqual({ channel: "room", users: [{ id, connections: 1 }] }),
  );
  expect(await alice.invoke("roster", "room")).toEqual({
    channel: "room",
    users: [
      { id: "alice", connections: 1 },
      { id, connections: 1 },
    ],
  });
  newcomer.disconnect();
  await eventually(() =>
    expect(changes).toContainEqual({ channel: "room", users: [{ id, connections: 0 }] }),
  );
  await eventually(() => expect(counts.at(-1)).toBe(1));
  expect(pollution()).toBeUndefined();
  expect([Object.keys(Object.prototype), Object.keys(Object)]).toEqual([[], ownOfFunctions]);
  expect([a.agServer.clientsCount, a.agServer.pendingClientsCount]).toEqual([1, 0]);
  for (const count of counts) expect(count).toBeTypeOf("number");
});

afterAll(() => sites.stop());

const own = ["USERCOUNT", "_SCPRESENCE", "_SCPRESENCE/room", "room"];
/** Each attack waits several times. */
const eventually = <T>(check: () => T | Promise<T>, options: EventuallyOptions = {}) =>
  eventuallyEvery(check, { intervalMs: 5, ...options });
const many = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i));
const url = () => `http://127.0.0.1:${a.port}/socketcluster/`;
const handshake = (data = "{}", cid = "1") => `{"event":"#handshake","data":${data},"cid":${cid}}`;
const invoke = (event: string, data: unknown, cid: unknown = 2) => JSON.stringify({ event, data, cid });
const subscribe = (channel: unknown) => invoke("#subscribe", { channel });
const publish = (channel: unknown, data: unknown) => invoke("#publish", { channel, data });

/** What one client says behind its handshake. */
const attacks: readonly (readonly [what: string, ...messages: string[]])[] = [
  ["no JSON, or none that is a packet", "x", "{", "[", "null", "7", "[null]", "[7,[],{}]", "{}", "#1", "#2"],
  [
    "events that are none",
    '{"event":7}',
    '{"event":null,"cid":1}',
    '{"event":["#subscribe"],"cid":1}',
    '{"event":{}}',
  ],
  [
    "names of an object's own, as events, procedures and channels",
    ...POISON.flatMap((name) => [
      JSON.stringify({ event: name, data: 1 }),
      invoke(name, 1),
      subscribe(name),
      publish(name, 1),
      invoke("roster", name),
      invoke("#unsubscribe", name),
      subscribe(`_SCPRESENCE/${name}`),
    ]),
  ],
  [
    "answers to what was not asked",
    '{"rid":1,"data":1}',
    '{"rid":1e9,"error":{"name":"__proto__"}}',
    '{"rid":null}',
    '{"rid":-1}',
  ],
  [
    "ids of calls that are none",
    '{"event":"#subscribe","data":{"channel":"x"},"cid":"2"}',
    '{"event":"userMap","cid":1e308}',
  ],
  [
    "channels that are none",
    subscribe(null),
    subscribe({}),
    subscribe(["room"]),
    invoke("#subscribe", null),
    publish(7, 1),
    publish(null, 1),
  ],
  [
    "unsubscriptions from what it is not on",
    invoke("#unsubscribe", "room"),
    invoke("#unsubscribe", null),
    '{"event":"#unsubscribe"}',
  ],
  [
    "a second handshake, and a third",
    handshake("{}", "3"),
    handshake("null", "4"),
    handshake('{"authToken":{}}', "5"),
  ],
  ["a handshake that waits for no answer", '{"event":"#handshake","data":{}}'],
  [
    "authentication by what is no token",
    invoke("#authenticate", null),
    invoke("#authenticate", {}),
    invoke("#authenticate", "a.b.c"),
    '{"event":"#authenticate"}',
  ],
  [
    "the server's own events",
    invoke("#setAuthToken", { token: "x" }),
    invoke("#kickOut", { channel: "room" }),
    invoke("#disconnect", { code: 1_000 }),
    '{"event":"#removeAuthToken"}',
  ],
  [
    "a prototype as data",
    `{"event":"#subscribe","data":{"channel":"x","__proto__":{"polluted":1},"data":${POLLUTING_JSON}},"cid":2}`,
    `{"event":"roster","data":${POLLUTING_JSON},"cid":3}`,
    `{"__proto__":{"event":"#subscribe"},"cid":1}`,
  ],
  [
    "counts and rosters of its own making",
    publish("USERCOUNT", "ghost"),
    publish("_SCPRESENCE/room", { channel: "room", users: [{ id: "ghost", connections: 1 }] }),
  ],
  [
    "the records of the server as channels",
    subscribe("socketcluster:_SCPRESENCE"),
    subscribe("socketcluster:_SCPRESENCE:nodes"),
    subscribe("_SCPRESENCE"),
  ],
  [
    "rosters that it may not see",
    subscribe("_SCPRESENCE/room"),
    invoke("roster", "room"),
    invoke("roster", null),
    invoke("roster", ["room"]),
  ],
  [
    "names that are no topics",
    subscribe(""),
    subscribe("x".repeat(5_000)),
    subscribe("\ud800"),
    subscribe("\u0000"),
  ],
  [
    "depth",
    `{"event":"#publish","data":{"channel":"room","data":${deepJson(5_000)}},"cid":2}`,
    `{"event":"roster","data":${deepJson(5_000)},"cid":2}`,
  ],
  ["more bytes than a message may have", publish("room", "x".repeat(200_000))],
  ["more actions than a second may have", ...many(300, (index) => invoke("nothing", index, index))],
  ["more channels than a socket may be on", ...many(60, (index) => subscribe(`flood-${index}`))],
  ["more rosters than a socket may follow", ...many(10, (index) => subscribe(`_SCPRESENCE/flood-${index}`))],
  ["more questions than a second may have", ...many(60, (index) => invoke("userMap", null, index + 10))],
  ["a thousand packets in one message", `[${many(1_000, () => '{"event":"nothing"}').join()}]`],
];

/** A client by hand, behind its handshake. */
async function connect(token: unknown = null): Promise<RawClient> {
  const client = await RawClient.upgrade(url());
  client.say(handshake(JSON.stringify({ authToken: token })));
  await client.until(() => client.closed || client.text.includes('"rid":1,'), "the answer to the handshake");
  return client;
}

/** Waits until everything that came before is dealt with, or the client is cut off. */
async function lastWord(client: RawClient): Promise<void> {
  client.say(invoke("#subscribe", { channel: "room" }, 999_999));
  await client.until(
    () => client.closed || client.closeCode !== undefined || client.text.includes("999999"),
    "an answer, or the end",
  );
}

const answers = (client: RawClient) =>
  client.messages.filter((text) => text !== "").map((text) => JSON.parse(text) as Record<string, unknown>);

test.each(attacks)("%s", async (_what, ...messages: readonly string[]) => {
  const client = await connect();
  for (const message of messages) client.say(message);
  await lastWord(client);
  client.destroy();
});

test("what comes before the handshake ends the connection", async () => {
  for (const first of ["x", "", "[7]", subscribe("room"), '{"event":"toString"}', '{"rid":1}']) {
    const client = await RawClient.upgrade(url());
    client.say(first);
    await client.until(() => client.closeCode !== undefined, "a close frame");
    expect(client.closeCode).toBe(4_009);
  }
  const silent = await RawClient.upgrade(url());
  await silent.until(() => silent.closeCode === 4_005, "the end of the handshake's time");
});

test("frames that are no frames end their own connection at the most", async () => {
  for (const bytes of [
    frame("{}", { masked: false }),
    frame("{}", { reserved: 7 }),
    frame("{}", { opcode: 5 }),
    frame("", { claims: 4_000_000_000 }),
    Buffer.concat(many(1_000, () => frame("{", { fin: false, opcode: 0 }))),
    frame(Uint8Array.of(0xff, 0xfe), { opcode: 2 }),
    frame(Uint8Array.of(0xff), { opcode: 1 }),
    Buffer.from([0x81]),
  ]) {
    const client = await connect();
    client.send(bytes);
    client.destroy();
  }
});

test("tokens that are forged, expired or replayed make nobody of their bearer", async () => {
  const claims = { user_id: "alice", exp: secondsFromNow(60) };
  for (const token of [
    handmadeToken(claims, undefined),
    handmadeToken(claims, "another key"),
    handmadeToken({ ...claims, exp: secondsFromNow(-1) }, AUTH_KEY),
    handmadeToken({ ...claims, nbf: secondsFromNow(60) }, AUTH_KEY),
    handmadeToken(claims, AUTH_KEY).slice(0, -2),
    `${handmadeToken(claims, AUTH_KEY)}.x`,
    "",
  ]) {
    const client = await connect(token);
    client.say(invoke("#authenticate", token, 7));
    await lastWord(client);
    await eventually(() => expect(a.presence.count("SOCKETS")).toBe(2));
    expect(a.presence.roster("room").users).toContainEqual({ id: "anonymous", connections: 1 });
    expect(a.presence.roster("room").users).toContainEqual({ id: "alice", connections: 1 });
    client.destroy();
    await eventually(() => expect(a.presence.count("SOCKETS")).toBe(1));
  }
});

test("nobody is on a channel because objects have its name", async () => {
  const client = await connect();
  await lastWord(client);
  client.say(invoke("roster", "constructor", 50));
  client.say(invoke("#unsubscribe", "toString", 51));
  await client.until(() => answers(client).some(({ rid }) => rid === 51), "the answers");
  for (const { rid, error } of answers(client)) if (rid === 50 || rid === 51) expect(error).toBeDefined();
  client.destroy();
});

test("who goes during its handshake leaves nothing behind", async () => {
  await Promise.all(
    many(20, async () => {
      const client = await RawClient.upgrade(url());
      client.say(handshake());
      client.destroy();
    }),
  );
});

test("who goes while middleware takes its time leaves no socket behind", async () => {
  const { agServer } = a;
  let allow: (() => void) | undefined;
  agServer.setMiddleware(agServer.MIDDLEWARE_HANDSHAKE, async (stream) => {
    for await (const action of stream) {
      if (action.type === "handshakeSC") allow = () => action.allow();
      else action.allow();
    }
  });
  const client = await RawClient.upgrade(url());
  client.say(handshake());
  await eventually(() => expect(allow).toBeDefined());
  client.destroy();
  await eventually(() => expect(agServer.pendingClientsCount).toBe(0));
  let connections = 0;
  void agServer
    .listener("connection")
    .once()
    .then(() => connections++);
  allow!();
  // The server takes it for a new socket all the same.
  await eventually(() => expect(connections).toBe(1));
  agServer.removeMiddleware(agServer.MIDDLEWARE_HANDSHAKE);
});

test("who does not read is cut off, and the others hear what is said", async () => {
  const slow = new WebSocket(url().replace("http", "ws"));
  await new Promise((resolve) => slow.once("open", resolve));
  slow.send(handshake());
  slow.send(subscribe("flood"));
  await eventually(() => expect(Object.keys(a.agServer.clients)).toHaveLength(2));
  slow.pause();
  // The system takes some megabytes before anything waits at the server.
  await eventually(
    async () => {
      for (let count = 0; count < 20; count++)
        await a.agServer.exchange.transmitPublish("flood", "x".repeat(90_000));
      expect(Object.keys(a.agServer.clients)).toHaveLength(1);
    },
    { what: "the slow reader is cut off", intervalMs: 1 },
  );
  slow.terminate();
});
