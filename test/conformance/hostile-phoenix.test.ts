/**
 * Clients that do not even keep to WebSocket and HTTP, and those that take what all need. While one attacks, the npm client
 * beside it is served, and sees who is here. What single messages can do is in `phoenix-hostile.test.ts`.
 */
import { type PhoenixNotice, serveEndpoint } from "@presently/phoenix";
import { LongPoll, type Socket } from "phoenix";
import { createNode, type PresentlyNode } from "presently";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import {
  deepJson,
  endHostiles,
  type FrameOptions,
  handmadeToken,
  POISON,
  POLLUTING_JSON,
  pollution,
  RawClient,
  stuckPost,
  upgradeText,
} from "../helpers/hostile.ts";
import { send, type TestResponse } from "../helpers/http.ts";
import { connectClient, join, listOf, listOfNode, push } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const topic = "room:1";
const CONNECTIONS_MAX = 24;
const SESSIONS_MAX = 6;
const BODY_BYTES_MAX = 20_000;

let node: PresentlyNode;
let socket: ReturnType<typeof serveEndpoint>;
let url: string;
let pollUrl: string;
const notices: PhoenixNotice[] = [];
const clients: Socket[] = [];
const closes: unknown[] = [];
/** Tokens of sessions that tests have begun. */
const sessions: string[] = [];
let alice: Awaited<ReturnType<typeof join>>;
let bob: Awaited<ReturnType<typeof join>>;

beforeAll(async () => {
  node = await createNode({
    name: "a",
    http: { port: 0 },
    entriesPerNodeMax: 20,
    watchersMax: 25,
  });
  const limits = {
    connectionsMax: CONNECTIONS_MAX,
    longPollSessionsMax: SESSIONS_MAX,
    longPollBodyBytesMax: BODY_BYTES_MAX,
    frameBytesMax: 65_536,
    bufferedBytesMax: 1_048_576,
    messagesPerSecondMax: 150,
  };
  socket = serveEndpoint(node, { limits, onNotice: (notice) => void notices.push(notice) });
  const socketUrl = `${node.httpUrl!.replace("http", "ws")}/socket`;
  url = `${node.httpUrl}/socket/websocket?vsn=2.0.0&user_id=mallory`;
  pollUrl = `${node.httpUrl}/socket/longpoll?vsn=2.0.0&user_id=mallory`;
  const overWebSocket = connectClient(socketUrl, { params: { user_id: "alice" } });
  const byPolling = connectClient(socketUrl, { params: { user_id: "bob" }, transport: LongPoll });
  clients.push(overWebSocket, byPolling);
  for (const client of clients) client.onClose((event) => void closes.push(event));
  alice = await join(overWebSocket, topic);
  bob = await join(byPolling, topic);
  await unharmed();
});

afterAll(async () => {
  for (const client of clients) client.disconnect();
  await node.stop();
});

afterEach(async () => {
  endHostiles();
  // What is no message ends a session, so that nobody needs to wait for its time to be over.
  for (const token of sessions.splice(0))
    await poll(`&token=${token}`, { method: "POST", body: "[", headers: ndjson });
  await unharmed();
});

/** The well-behaved clients are served, see who is here, and were never cut off; the process and its log are clean. */
async function unharmed(): Promise<void> {
  await eventually(() => {
    expect(Object.keys(listOfNode(node, topic))).toEqual(["alice", "bob"]);
    expect(listOf(alice.presence)).toEqual(listOfNode(node, topic));
    expect(listOf(bob.presence)).toEqual(listOfNode(node, topic));
  });
  for (const { channel } of [alice, bob]) expect(await push(channel, "hello")).toEqual(["ok", {}]);
  expect(closes).toEqual([]);
  expect(pollution()).toBeUndefined();
  expect(notices.filter(({ level }) => level === "error")).toEqual([]);
  // And nothing is left of whoever attacked.
  await eventually(() => {
    expect(socket.connections).toBe(2);
    expect(node.topics("").map(({ topic }) => topic)).toEqual([topic]);
  });
}

const ndjson = { "content-type": "application/x-ndjson" };
const joinOf = (name: string, ref = "1") => `["${ref}","${ref}",${JSON.stringify(name)},"phx_join",{}]`;

async function poll(more = "", options: Parameters<typeof send>[2] = {}): Promise<TestResponse> {
  const { origin, pathname, search } = new URL(pollUrl);
  return send(origin, `${pathname}${search}${more}`, options);
}

/** A session of a long-polling client; gives its token. */
async function begin(): Promise<string> {
  const { body } = await poll();
  expect(body).toEqual({ status: 410, token: expect.any(String), messages: [] });
  sessions.push(body.token);
  return body.token;
}

async function joined(): Promise<RawClient> {
  const client = await RawClient.upgrade(url);
  expect(client.status).toBe(101);
  client.say(joinOf(topic));
  await client.until(() => client.messages.length > 2, "the join is answered");
  return client;
}

async function closeCodeOf(client: RawClient): Promise<number | undefined> {
  await client.until(() => client.closeCode !== undefined, "the WebSocket is closed");
  return client.closeCode;
}

describe("what is no WebSocket is closed with the code that says so", () => {
  const text = '[null,"1","phoenix","heartbeat",{}]';
  const cases: readonly (readonly [what: string, code: number, bytes: string | Uint8Array, FrameOptions])[] =
    [
      ["not masked", 1002, text, { masked: false }],
      ["reserved bits", 1002, text, { reserved: 4 }],
      ["an opcode that is none", 1002, text, { opcode: 11 }],
      ["a ping in pieces", 1002, text, { opcode: 9, fin: false }],
      ["a ping that is too long", 1002, "x".repeat(200), { opcode: 9 }],
      ["the end of what has not begun", 1002, text, { opcode: 0 }],
      ["text that is not UTF-8", 1007, Uint8Array.of(0x5b, 0xc3, 0x28, 0x5d), {}],
      ["half a character", 1007, Uint8Array.of(0x5b, 0xed, 0xa0, 0x80, 0x5d), {}],
      ["a message that is too large", 1009, "x".repeat(65_537), {}],
      ["a message that claims to be large", 1009, text, { claims: 0x7fff_ffff }],
      ["a close code that is none", 1002, Uint8Array.of(0, 5), { opcode: 8 }],
      ["deep text", 1007, deepJson(1_000), {}],
      ["an empty message", 1007, "", {}],
    ];
  test.each(cases)("%s", async (_what, code, bytes, options) => {
    const client = await joined();
    client.say(bytes, options);
    expect(await closeCodeOf(client)).toBe(code);
  });
});

test("a message in thousands of pieces is not pieced together", async () => {
  const client = await joined();
  client.say("[", { fin: false });
  for (let piece = 0; piece < 3_000; piece++) client.say(" ", { opcode: 0, fin: false });
  expect(await closeCodeOf(client)).toBe(1008);
});

test("a binary push that is cut off anywhere costs its client the connection, and nobody else anything", async () => {
  const fields = ["1", "2", topic, "bin"];
  const lengths = fields.map((field) => Buffer.byteLength(field));
  const whole = Buffer.concat([Buffer.from([0, ...lengths]), Buffer.from(fields.join("")), Buffer.of(1, 2)]);
  const headBytes = whole.length - 2;
  for (let length = 0; length < headBytes; length += 3) {
    const client = await joined();
    client.say(whole.subarray(0, length), { opcode: 2 });
    expect([length, await closeCodeOf(client)]).toEqual([length, 1007]);
  }
  // And a whole one that nobody can read as text does not reach those who take text only.
  const client = await joined();
  client.say(whole, { opcode: 2 });
  await client.until(() => client.messages.some((message) => message.includes('"ok"')), "it is answered");
});

describe("names that are more than names", () => {
  test("are topics, keys, events and parameters like any other, and go with their client", async () => {
    for (const name of POISON) {
      const client = await RawClient.upgrade(url, {
        query: `vsn=2.0.0&user_id=${name}&${name}[${name}]=1&${name}[]=2&constructor[prototype][polluted]=1&__proto__[polluted]=1`,
      });
      expect(client.status).toBe(101);
      client.say(`["1","1",${JSON.stringify(name)},"phx_join",${POLLUTING_JSON}]`);
      await client.until(() => client.messages.some((message) => message.includes("presence_diff")), name);
      expect(Object.keys(listOfNode(node, name))).toEqual([name]);
      client.say(`["1","2",${JSON.stringify(name)},${JSON.stringify(name)},${POLLUTING_JSON}]`);
      await client.until(() => client.messages.some((message) => /"1","2".*"ok"/.test(message)), name);
      client.say(`["1","3","other","phx_join",{"meta":${POLLUTING_JSON}}]`);
      await client.until(() => client.messages.some((message) => /"1","3".*"error"/.test(message)), name);
      client.destroy();
    }
  });

  test("are no session of a long-polling client", async () => {
    for (const name of POISON) {
      const answer = await poll(`&token=${name}`, { method: "POST", body: joinOf(topic), headers: ndjson });
      expect(answer.body).toEqual({ status: 410 });
    }
  });
});

test("who sends half a request, or half a body over and over, and then nothing, is cut off", async () => {
  // Of its own: where requests end so early, a machine that stands still would end those of the others.
  const hasty = await createNode({ name: "b", http: { port: 0, requestTimeoutMs: 500 } });
  try {
    serveEndpoint(hasty);
    const base = `${hasty.httpUrl}/socket`;
    const carol = connectClient(base.replace("http", "ws"), { params: { user_id: "carol" } });
    const { channel, presence } = await join(carol, topic);
    const closed: unknown[] = [];
    carol.onClose((event) => void closed.push(event));
    const loris = await RawClient.open(base);
    loris.send(upgradeText(url).slice(0, 60));
    const slower = await RawClient.open(base);
    slower.send(upgradeText(url).slice(0, -2));
    const token = await eventually(async () => {
      const { body } = await send(hasty.httpUrl!, "/socket/longpoll?vsn=2.0.0&user_id=mallory");
      expect(body.status).toBe(410);
      return body.token;
    });
    const target = `${base}/longpoll?vsn=2.0.0&token=${token}`;
    const lorises = await Promise.all(
      Array.from({ length: 5 }, () => stuckPost(target, 10_000, "[".repeat(9_000), ndjson)),
    );
    for (const client of [loris, slower, ...lorises]) await client.untilClosed();
    expect(await push(channel, "hello")).toEqual(["ok", {}]);
    expect(Object.keys(listOf(presence))).toEqual(["carol"]);
    expect(closed).toEqual([]);
    carol.disconnect();
  } finally {
    await hasty.stop();
  }
});

test("bodies under way in one session are bounded together, however many requests they come in", async () => {
  const token = await begin();
  const half = "[".repeat(BODY_BYTES_MAX / 2 + 1);
  await Promise.all([1, 2].map(() => stuckPost(`${pollUrl}&token=${token}`, BODY_BYTES_MAX, half, ndjson)));
  await eventually(async () => {
    const body = '[null,"1","phoenix","heartbeat",{}]';
    const answer = await poll(`&token=${token}`, { method: "POST", body, headers: ndjson });
    expect(answer.body).toEqual({ status: 410 });
  });
  expect(notices.at(-1)).toMatchObject({ type: "connection-dropped", code: 1009 });
});

test("a body that is too large, or not UTF-8, ends its session", async () => {
  for (const body of ["x".repeat(BODY_BYTES_MAX + 1), undefined]) {
    const token = await begin();
    if (body !== undefined) {
      const { body: answer } = await poll(`&token=${token}`, { method: "POST", body, headers: ndjson });
      expect(answer).toEqual({ status: 410 });
    } else {
      const bytes = Buffer.concat([
        Buffer.from('["1","1","'),
        Buffer.of(0xc3, 0x28),
        Buffer.from('","phx_join",{}]'),
      ]);
      const client = await RawClient.open(pollUrl);
      const { pathname, search, host } = new URL(pollUrl);
      client.send(
        `POST ${pathname}${search}&token=${token} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ncontent-length: ${bytes.length}\r\n\r\n`,
      );
      client.send(bytes);
      await client.untilClosed();
      expect(client.text).toContain('{"status":410}');
    }
    expect((await poll(`&token=${token}`, { method: "POST", body: "[]", headers: ndjson })).body).toEqual({
      status: 410,
    });
  }
});

test("who does not read is closed, and those who read hear everything", async () => {
  const sleeper = await joined();
  sleeper.stall();
  const heard: number[] = [];
  const ref = bob.channel.on("big", ({ number }) => void heard.push(number));
  const padding = "x".repeat(60_000);
  let number = 0;
  await eventually(
    async () => {
      for (let sent = 0; sent < 10; sent++) alice.channel.push("big", { number: number++, padding });
      await eventually(() => expect(heard.length).toBe(number), { intervalMs: 1 });
      expect(notices.at(-1)).toMatchObject({ type: "connection-dropped", code: 1013 });
    },
    { intervalMs: 1 },
  );
  expect(heard).toEqual(heard.map((_, index) => index));
  bob.channel.off("big", ref);
});

test("a flood of connections is refused beyond the bound, and there is room again when it is over", async () => {
  const flood = await Promise.all(Array.from({ length: 2 * CONNECTIONS_MAX }, () => RawClient.upgrade(url)));
  const statuses = flood.map(({ status }) => status);
  expect(statuses.filter((status) => status === 101).length).toBe(CONNECTIONS_MAX - clients.length);
  expect(statuses.filter((status) => status === 503).length).toBe(CONNECTIONS_MAX + clients.length);
  for (const { channel } of [alice, bob]) expect(await push(channel, "hello")).toEqual(["ok", {}]);
  for (const client of flood) client.destroy();
  await eventually(async () => {
    const client = await RawClient.upgrade(url);
    expect(client.status).toBe(101);
    client.destroy();
  });
});

test("a flood of polls without a session takes no more than the bound of sessions, and nobody else's", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => poll()));
  const begun = answers.filter(({ body }) => body.status === 410);
  expect(begun.length).toBeLessThan(SESSIONS_MAX);
  expect(answers.filter(({ body }) => body.status === 500).length).toBe(20 - begun.length);
  for (const { channel } of [alice, bob]) expect(await push(channel, "hello")).toEqual(["ok", {}]);
  for (const { body } of begun) sessions.push(body.token);
});

test("polls count as messages: a flood of them ends their session", async () => {
  // Of its own: so few messages a second that no machine is too slow to be a flood.
  const strict = await createNode({ name: "b", http: { port: 0 } });
  try {
    const drops: unknown[] = [];
    serveEndpoint(strict, {
      limits: { messagesPerSecondMax: 1 },
      onNotice: ({ code }) => void drops.push(code),
    });
    const path = "/socket/longpoll?vsn=2.0.0&user_id=mallory";
    const { body } = await send(strict.httpUrl!, path);
    // Whoever polls again gives up the poll before: so every one is answered, but for the last.
    const flood = () => send(strict.httpUrl!, `${path}&token=${body.token}`).catch(() => undefined);
    await eventually(
      async () => {
        const polls = Array.from({ length: 10 }, flood);
        await Promise.race(polls);
        expect(drops).toEqual([1008]);
      },
      { intervalMs: 1 },
    );
  } finally {
    await strict.stop();
  }
});

test("presences beyond the bound of the node are refused to whoever asks for them, and told as such", async () => {
  const client = await RawClient.upgrade(url);
  for (let number = 0; number < 60; number++) client.say(joinOf(`room:x${number}`, String(number)));
  await client.until(
    () => client.messages.filter((text) => text.includes("phx_reply")).length === 60,
    "replies",
  );
  const refused = client.messages.filter((text) => /phx_reply.*"error"/.test(text));
  expect(refused.length).toBe(60 - 18);
  for (const text of refused) expect(text).toMatch(/entriesPerNodeMax|watchersMax/);
});

test("a session's token cannot be guessed from another one, and a token of a client is none of a session", async () => {
  const token = await begin();
  expect(token).toMatch(/^[\w-]{32}$/);
  for (const guess of [token.slice(0, -1), `${token}A`, token.toLowerCase(), `%20${token}`, `${token}%00`]) {
    if (guess === token) continue;
    const answer = await poll(`&token=${guess}`, { method: "POST", body: joinOf(topic), headers: ndjson });
    expect(answer.body).toEqual({ status: 410 });
  }
  const jwt = handmadeToken({ user_id: "alice" }, undefined);
  expect((await poll(`&token=${jwt}`, { method: "POST", body: "[]", headers: ndjson })).body.status).toBe(
    410,
  );
  // Where both stand in the query, the last is the session's: the client puts it behind its own parameters.
  const body = '[null,"1","phoenix","heartbeat",{}]';
  const answer = await poll(`&token=${jwt}&token=${token}`, { method: "POST", body, headers: ndjson });
  expect(answer.body.status).toBe(200);
});

test("joins of one topic under one ref, over and over, leave one presence, and none behind", async () => {
  const client = await RawClient.upgrade(url);
  for (let round = 0; round < 40; round++) client.say(joinOf(topic, "7"));
  await client.until(
    () => client.messages.filter((text) => text.includes("phx_reply")).length === 40,
    "replies",
  );
  expect(node.list(topic).filter(({ key }) => key === "mallory").length).toBe(1);
  client.say('["7","8","room:1","phx_leave",{}]');
  await eventually(() => expect(node.list(topic).filter(({ key }) => key === "mallory")).toEqual([]));
});
