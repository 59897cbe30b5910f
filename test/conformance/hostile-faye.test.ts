/** Whatever one client of a Faye server sends, the others are served: they see who is there, and hear who comes and goes. */
import { request } from "node:http";
import type { FayeNotice } from "@presently/faye";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type EventuallyOptions, eventually as eventuallyEvery } from "../helpers/eventually.ts";
import {
  deepJson,
  endHostiles,
  frame,
  POISON,
  POLLUTING_JSON,
  pollution,
  RawClient,
  stuckPost,
} from "../helpers/hostile.ts";
import { FayeNode, FayeTab } from "./faye-client.ts";
import { WireClient } from "./faye-wire.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const room = "/presence/room";
const notices: FayeNotice[] = [];
let faye: FayeNode;
let alice: FayeTab;
let bob: FayeTab;
let newcomers = 0;
/** Ports of the clients that the server has a connection with. */
const open = new Set<number>();

beforeAll(async () => {
  // Faye prints what it cannot read, with its stack.
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  faye = await FayeNode.start(
    { name: "a" },
    {
      protect: {
        bodyBytesMax: 100_000,
        bufferedBytesMax: 200_000,
        messagesPerSecondMax: 300,
        clientsMax: 60,
        subscriptionsPerClientMax: 50,
      },
      setup: {
        broadcast: true,
        limits: { channelsPerClientMax: 20, pendingMax: 100 },
        onNotice: (notice) => void notices.push(notice),
      },
    },
  );
  faye.server.on("connection", (socket) => {
    const port = socket.remotePort!;
    open.add(port);
    socket.once("close", () => open.delete(port));
  });
  alice = await new FayeTab(faye.url, "alice").join(room);
  bob = await new FayeTab(faye.url, "bob", undefined, "long-polling").join(room);
});

afterEach(async () => {
  endHostiles();
  const seenBy = (tab: FayeTab, ids: readonly string[]) =>
    eventually(() => expect(tab.ids(room)).toEqual(ids), { what: `${tab.id} sees ${ids}` });
  // Whoever was attacked goes on to hear of others, and others go on to come.
  const id = `newcomer-${newcomers++}`;
  await eventually(() => expect(keysOn(room)).toEqual(["alice", "bob"]), { what: "no trace is left" });
  const newcomer = await new FayeTab(faye.url, id).join(room);
  for (const tab of [alice, bob, newcomer]) await seenBy(tab, ["alice", "bob", id]);
  newcomer.close();
  for (const tab of [alice, bob]) await seenBy(tab, ["alice", "bob"]);
  expect(alice.events.filter(([on]) => on === "/quiet")).toEqual([]);
  expect(pollution()).toBeUndefined();
  expect(notices.filter(({ level }) => level === "error")).toEqual([]);
  await eventually(() => expect(faye.node.topics("").map(({ topic }) => topic)).toEqual([room]));
});

afterAll(async () => {
  alice.close();
  bob.close();
  await faye.stop();
  vi.restoreAllMocks();
});

const keysOn = (topic: string) =>
  faye.node
    .list(topic)
    .map(({ key }) => key)
    .sort();
const json = { "content-type": "application/json" };
/** Each attack waits several times. */
const eventually = <T>(check: () => T | Promise<T>, options: EventuallyOptions = {}) =>
  eventuallyEvery(check, { intervalMs: 5, ...options });
const many = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i));
const subscription = (channel: unknown, presence: unknown) =>
  `[{"channel":"/meta/subscribe","clientId":"$ME","subscription":${JSON.stringify(channel)},"ext":{"presence":${JSON.stringify(presence)}}}]`;
const handshake = (types: string, rest = "") =>
  `[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":${types}${rest}}]`;

/** What one client says, message by message: each once by POST, and once over a WebSocket. `$ME` is its id. */
const attacks: readonly (readonly [what: string, ...bodies: string[]])[] = [
  [
    "no JSON, or none that is a message",
    "",
    "[",
    "null",
    "7",
    '"text"',
    "[]",
    "[null]",
    "[7]",
    "[[]]",
    "[[[]]]",
  ],
  ["no channel", "{}", "[{}]", '[{"data":1}]', '[{"channel":null,"data":1}]', '[{"channel":"","data":1}]'],
  [
    "channels that are none",
    '[{"channel":["/room"],"data":1}]',
    '[{"channel":{"a":1},"data":1}]',
    '[{"channel":7}]',
  ],
  ["channels of the protocol", '[{"channel":"/meta","data":1}]', '[{"channel":"/meta/constructor"}]'],
  ["a list in place of a channel of the protocol", '[{"channel":["/meta/subscribe"],"clientId":"$ME"}]'],
  ["a channel of very many parts", `[{"channel":"${"/a".repeat(40_000)}","data":1}]`],
  [
    "names that are maps, lists and numbers",
    '[{"channel":"/meta/connect","clientId":{"toString":1},"connectionType":["websocket"]}]',
    '[{"channel":"/meta/connect","clientId":["$ME"],"connectionType":"long-polling","advice":{"timeout":0}}]',
    '[{"channel":"/meta/connect","clientId":"$ME","connectionType":{"a":1},"id":{"toString":1}}]',
    '[{"channel":"/meta/disconnect","clientId":{"id":"$ME"}}]',
  ],
  [
    "advice that is none",
    '[{"channel":"/meta/connect","clientId":"$ME","connectionType":"eventsource","advice":"x"}]',
    '[{"channel":"/meta/connect","clientId":"$ME","connectionType":"long-polling","advice":{"timeout":-1}}]',
    '[{"channel":"/meta/connect","clientId":"$ME","connectionType":"long-polling","advice":{"timeout":1e300}}]',
    '[{"channel":"/meta/connect","clientId":"$ME","connectionType":"long-polling","advice":{"timeout":{}}}]',
  ],
  ["a handshake with a list that is a billion long", handshake('{"length":1000000000}')],
  ["a handshake with lists that are none", handshake('{"filter":1}'), handshake("[[]]"), handshake('"all"')],
  ["a handshake that brings its own id", handshake('["websocket"]', ',"clientId":"alice","successful":true')],
  [
    "subscriptions that are none",
    subscription(null, { id: "x" }),
    subscription({}, { id: "x" }),
    subscription([[room]], { id: "x" }),
    subscription([7, room], { id: "x" }),
    subscription(["/presence/*bad"], { id: "x" }),
    subscription("/meta/*", { id: "x" }),
  ],
  [
    "ids of other clients",
    `[{"channel":"/meta/subscribe","clientId":"alice","subscription":"${room}","ext":{"presence":{"id":"eve"}}}]`,
  ],
  [
    "ext of every shape",
    ...["null", "7", '"x"', "[]", '{"presence":null}', '{"presence":[]}', '{"presence":"eve"}'].map(
      (ext) => `[{"channel":"/meta/subscribe","clientId":"$ME","subscription":"${room}","ext":${ext}}]`,
    ),
    subscription(room, { id: {} }),
    subscription(room, { id: ["eve"] }),
    subscription(room, { id: true }),
    subscription(room, { id: "\ud800" }),
    subscription(room, { id: "x".repeat(300) }),
    subscription(room, { id: "eve", data: "x".repeat(9_000) }),
  ],
  [
    "a prototype as presence",
    `[{"channel":"/meta/subscribe","clientId":"$ME","subscription":"${room}","ext":${POLLUTING_JSON}}]`,
    `[{"channel":"/meta/subscribe","clientId":"$ME","subscription":"${room}","ext":{"presence":{"id":"eve","data":${POLLUTING_JSON}}}}]`,
    `[{"channel":"/meta/subscribe","clientId":"$ME","subscription":"${room}","ext":{"__proto__":{"presence":{"id":"eve"}}}}]`,
  ],
  [
    "a prototype as a message",
    `[{"__proto__":{"channel":"/quiet","data":1}}]`,
    `[{"channel":"/quiet","data":${POLLUTING_JSON}}]`,
  ],
  [
    "a list longer than a client may be on",
    subscription(
      many(60, (i) => `/other/${i}`),
      { id: "eve" },
    ),
  ],
  [
    "depth, to somebody who polls",
    ...[100, 3_000, 6_000].map((levels) => `[{"channel":"${room}","data":${deepJson(levels)}}]`),
  ],
  [
    "depth in ext",
    `[{"channel":"/meta/subscribe","clientId":"$ME","subscription":"${room}","ext":${deepJson(5_000)}}]`,
  ],
  [
    "presence of its own making",
    `[{"channel":"${room}","data":{"subscribe":{"ghost":{"id":"ghost"}}}}]`,
    `[{"channel":"${room}","clientId":"$ME","data":{"unsubscribe":{"alice":null}}}]`,
    `[{"channel":"${room}","data":{"unsubscribe":[["alice",null]],"subscribe":[["ghost",1]]}}]`,
    `[{"channel":"${room}","data":{"subscribe":{"ghost":1}},"ext":{"presently":"0 0"}}]`,
    '[{"channel":"/presence/*","data":{"subscribe":{"ghost":1}}}]',
  ],
  ["more messages than a second may have", JSON.stringify(many(400, () => ({ channel: "/meta/foo" })))],
  ["more bytes than a request may have", `[{"channel":"/quiet","data":"${"x".repeat(200_000)}"}]`],
];

/** By POST; settles with the answers, whatever they are. */
async function post(bodies: readonly string[]): Promise<void> {
  const { clientId } = await WireClient.open(faye.url);
  for (const body of bodies) {
    const headers = { ...json, "content-length": Buffer.byteLength(body) };
    await new Promise<void>((answered) => {
      const outgoing = request(faye.url, { method: "POST", agent: false, headers }, (response) =>
        response.resume().on("close", answered),
      );
      // Whoever sends too much is cut off.
      outgoing.on("error", () => answered()).end(body.replaceAll("$ME", clientId));
    });
  }
  await leave(clientId);
}

/** Over a WebSocket; settles when what comes behind it all is answered, or it is cut off. */
async function say(bodies: readonly (string | Uint8Array)[]): Promise<RawClient> {
  const { clientId } = await WireClient.open(faye.url);
  const client = await RawClient.upgrade(faye.url);
  for (const body of bodies) client.say(typeof body === "string" ? body.replaceAll("$ME", clientId) : body);
  client.say('[{"channel":"/meta/foo","id":"last word"}]');
  await client.until(() => client.closed || client.text.includes("last word"), "an answer, or the end");
  await leave(clientId);
  return client;
}

/** A client that has gone without a word is there until twice the time-out: these have another end. */
async function leave(clientId: string): Promise<void> {
  const wire = new WireClient(faye.url);
  wire.clientId = clientId;
  await wire.say("/meta/disconnect");
}

test.each(attacks)("%s", async (_what, ...bodies: readonly string[]) => {
  await post(bodies);
  await say(bodies);
});

test.each(POISON)("%s is an id, a channel and a name like others", async (name) => {
  const wire = await WireClient.open(faye.url);
  const reply = await wire.subscribe(room, { id: name, data: { name } });
  expect(Object.keys(reply.ext.presence.subscribe).sort()).toEqual(["alice", "bob", name].sort());
  expect(keysOn(room)).toContain(name);
  expect((await wire.subscribe(`/presence/${name}`, { id: name })).successful).toBe(true);
  expect(keysOn(`/presence/${name}`)).toEqual([name]);
  await eventually(() => expect(alice.ids(room)).toContain(name));
  await leave(wire.clientId);
});

test("paths that are no URL are answered with 400", async () => {
  for (const path of ["//", "http://[", "/\\"]) {
    const plain = await RawClient.open(faye.url);
    plain.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await plain.until(() => plain.status === 400, "400");
    const upgrade = await RawClient.open(faye.url);
    upgrade.send(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`);
    await upgrade.until(() => upgrade.status === 400, "400");
  }
});

test("frames that are no frames end their own connection at the most", async () => {
  const part = frame("[", { fin: false });
  for (const bytes of [
    frame("[]", { masked: false }),
    frame("[]", { reserved: 7 }),
    frame("[]", { opcode: 5 }),
    frame("", { opcode: 8 }),
    frame("x".repeat(200), { opcode: 9 }),
    frame("", { claims: 4_000_000_000 }),
    Buffer.concat(many(1_000, () => part)),
    Buffer.concat([part, frame("]", { opcode: 0 })]),
    Buffer.from([0x81]),
  ]) {
    const client = await RawClient.upgrade(faye.url);
    client.send(bytes);
    client.destroy();
  }
  // A message that never ends, within what a frame may say of its length.
  const endless = await RawClient.upgrade(faye.url);
  endless.send(frame("[", { claims: 50_000_000 }));
  const more = setInterval(() => endless.send(Buffer.alloc(20_000)), 1);
  await endless.untilClosed();
  clearInterval(more);
});

test("who keeps sending what is no JSON is cut off before the log is full", async () => {
  const client = await RawClient.upgrade(faye.url);
  await eventually(() => {
    client.say("[null]");
    expect(client.closed).toBe(true);
  });
});

test("handshakes beyond what a server may have are refused, and room comes back", async () => {
  const wire = new WireClient(faye.url);
  const message = JSON.parse(handshake('["long-polling"]'))[0];
  const replies = (await Promise.all(many(4, () => wire.post(many(20, () => message))))).flat();
  const admitted = replies.filter(({ successful }) => successful);
  const refused = replies.filter(({ successful }) => !successful);
  expect(admitted.length).toBeGreaterThan(40);
  expect(refused.length).toBeGreaterThan(10);
  for (const { error } of refused) expect(error).toBe("503::Too many clients");
  for (const { clientId } of admitted) await leave(clientId);
});

test("subscriptions and requests for presence beyond the bounds are refused, and leave no trace", async () => {
  const wire = await WireClient.open(faye.url);
  const replies = await wire.post(
    many(40, (index) => ({
      channel: "/meta/subscribe",
      clientId: wire.clientId,
      subscription: `/presence/flood-${index}`,
      ext: { presence: { id: "eve" } },
    })),
  );
  expect(replies.filter(({ successful }) => successful)).toHaveLength(20);
  const plain = await wire.post(
    many(40, (index) => ({
      channel: "/meta/subscribe",
      clientId: wire.clientId,
      subscription: `/p/${index}`,
    })),
  );
  expect(plain.filter(({ successful }) => successful)).toHaveLength(30);
  expect(plain.at(-1).error).toBe("403::Too many subscriptions");
  await leave(wire.clientId);
});

test("who does not read is cut off, and what waited for it is let go", async () => {
  const wire = await WireClient.open(faye.url, "websocket");
  const slow = await RawClient.upgrade(faye.url);
  const connect = { channel: "/meta/connect", clientId: wire.clientId, connectionType: "websocket" };
  slow.say(JSON.stringify([connect]));
  await wire.subscribe("/flood");
  slow.stall();
  const { localPort } = slow.socket;
  const text = "x".repeat(60_000);
  // The system takes some megabytes before anything waits at the server.
  await eventually(
    async () => {
      for (let count = 0; count < 20; count++) await faye.bayeux.getClient().publish("/flood", text);
      expect(open.has(localPort!)).toBe(false);
    },
    { what: "the slow reader is cut off", intervalMs: 1 },
  );
  await leave(wire.clientId);
});

test("a request that never ends holds nothing but its own connection", async () => {
  const stuck = await Promise.all(many(20, () => stuckPost(faye.url, 90_000, '[{"channel":', json)));
  const head = await RawClient.open(faye.url);
  head.send("POST /bayeux HTTP/1.1\r\nhost: x\r\nx-slow: ");
  const silent = await RawClient.upgrade(faye.url);
  const tab = await new FayeTab(faye.url, "carol").join(room);
  await eventually(() => expect(bob.ids(room)).toContain("carol"));
  tab.close();
  for (const client of [...stuck, head, silent]) expect(client.closed).toBe(false);
});
