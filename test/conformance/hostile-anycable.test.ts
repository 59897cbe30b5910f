/**
 * Clients that do not keep to WebSocket and HTTP, and those that take what all need. While one attacks, the npm client
 * beside it is served, and sees who is here. What single commands can do is in `anycable-protocol.test.ts`.
 */
import type { Cable as Client } from "@anycable/core";
import { apiSecretFrom, type Cable, type CableNotice, serveEndpoint, signStream } from "@presently/anycable";
import { createNode, type PresentlyNode } from "presently";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import {
  deepJson,
  endHostiles,
  type FrameOptions,
  POISON,
  POLLUTING_JSON,
  pollution,
  RawClient,
  stuckPost,
  upgradeText,
} from "../helpers/hostile.ts";
import { send } from "../helpers/http.ts";
import { connectClient } from "./anycable-client.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const secret = "a secret that only these tests share";
const stream = "room/42";
const CONNECTIONS_MAX = 16;
const room = JSON.stringify({ channel: "$pubsub", stream_name: stream });
const bearer = { authorization: `Bearer ${apiSecretFrom(secret)}` };
const ext = { headers: { "sec-websocket-protocol": "actioncable-v1-ext-json" } };

let node: PresentlyNode;
let cable: Cable;
let url: string;
let client: Client;
const notices: CableNotice[] = [];
const disconnects: unknown[] = [];
const heard: unknown[] = [];
// biome-ignore lint/suspicious/noExplicitAny: a channel of whatever type the npm client makes.
let chat: any;

beforeAll(async () => {
  node = await createNode({ name: "a", http: { port: 0 } });
  cable = serveEndpoint(node, {
    secret,
    publicStreams: true,
    presenceTtlMs: 50,
    onNotice: (notice) => void notices.push(notice),
    limits: {
      connectionsMax: CONNECTIONS_MAX,
      bufferedBytesMax: 1_048_576,
      commandsPerSecondMax: 100,
      sessionsKeptBytesMax: 100_000,
    },
  });
  url = `${node.httpUrl}/cable`;
  client = connectClient(url.replace("http", "ws"));
  client.on("disconnect", (event) => void disconnects.push(event));
  chat = client.streamFromSigned(signStream(secret, stream));
  await chat.ensureSubscribed();
  chat.on("message", (message: unknown) => void heard.push(message));
  await chat.presence.join("alice", { name: "Alice" });
});

afterAll(async () => {
  client.disconnect();
  await node.stop();
});

afterEach(async () => {
  endHostiles();
  // The well-behaved client is served, sees who is here, and was never cut off; the process and its log are clean.
  await eventually(async () => {
    expect(cable.connections).toBe(1);
    expect(cable.presence(stream)).toEqual([{ id: "alice", info: { name: "Alice" } }]);
    expect(await chat.presence.info()).toEqual({ alice: { name: "Alice" } });
    expect(node.topics("").map(({ topic }) => topic)).toEqual([stream]);
  });
  const last = { number: heard.length };
  await cable.broadcast(stream, last);
  await eventually(() => expect(heard.at(-1)).toEqual(last));
  expect(disconnects).toEqual([]);
  expect(pollution()).toBeUndefined();
  expect(notices.filter(({ level }) => level === "error")).toEqual([]);
});

async function connected(query?: string): Promise<RawClient> {
  const raw = await RawClient.upgrade(url, query === undefined ? ext : { ...ext, query });
  expect(raw.status).toBe(101);
  await raw.until(() => raw.messages.some((message) => message.includes('"welcome"')), "welcome");
  return raw;
}

async function subscribed(identifier = room): Promise<RawClient> {
  const raw = await connected();
  say(raw, { command: "subscribe", identifier });
  await raw.until(() => raw.messages.some((text) => text.includes("confirm_subscription")), "confirmation");
  return raw;
}

function say(raw: RawClient, command: object): void {
  raw.say(JSON.stringify(command));
}

function sidOf(raw: RawClient): string {
  return JSON.parse(raw.messages[0]!).sid;
}

async function closeCodeOf(raw: RawClient): Promise<number | undefined> {
  await raw.until(() => raw.closeCode !== undefined, "the WebSocket is closed");
  return raw.closeCode;
}

describe("what is no WebSocket is closed with the code that says so", () => {
  const text = '{"command":"ping"}';
  const cases: readonly (readonly [what: string, code: number, bytes: string | Uint8Array, FrameOptions])[] =
    [
      ["not masked", 1002, text, { masked: false }],
      ["reserved bits", 1002, text, { reserved: 4 }],
      ["an opcode that is none", 1002, text, { opcode: 11 }],
      ["a ping in pieces", 1002, text, { opcode: 9, fin: false }],
      ["the end of what has not begun", 1002, text, { opcode: 0 }],
      ["text that is not UTF-8", 1007, Uint8Array.of(0x5b, 0xc3, 0x28, 0x5d), {}],
      ["a message that is too large", 1009, "x".repeat(65_537), {}],
      ["a message that claims to be large", 1009, text, { claims: 0x7fff_ffff }],
      ["a close code that is none", 1002, Uint8Array.of(0, 5), { opcode: 8 }],
    ];
  test.each(cases)("%s", async (_what, code, bytes, options) => {
    const raw = await subscribed();
    raw.say(bytes, options);
    expect(await closeCodeOf(raw)).toBe(code);
  });

  test("a message in thousands of pieces", async () => {
    const raw = await subscribed();
    raw.say("[", { fin: false });
    for (let piece = 0; piece < 3_000; piece++) raw.say(" ", { opcode: 0, fin: false });
    expect(await closeCodeOf(raw)).toBe(1008);
  });
});

test("what is no command changes nothing, however deep it is, and whatever its names", async () => {
  const raw = await subscribed();
  const nonsense = [
    "",
    deepJson(1_000),
    POLLUTING_JSON,
    `{"command":"join","identifier":${JSON.stringify(room)},"presence":{"id":"mallory","info":${POLLUTING_JSON}}}`,
    `{"command":"join","identifier":${JSON.stringify(room)},"presence":${POLLUTING_JSON}}`,
    `{"command":"history","identifier":${JSON.stringify(room)},"history":{"streams":${POLLUTING_JSON}}}`,
    `{"command":"message","identifier":${JSON.stringify(room)},"data":${JSON.stringify(POLLUTING_JSON)}}`,
    `{"command":"subscribe","identifier":${JSON.stringify(POLLUTING_JSON)}}`,
    JSON.stringify({
      command: "subscribe",
      identifier: JSON.stringify({ channel: "$pubsub", stream_name: {} }),
    }),
    JSON.stringify({ command: "subscribe", identifier: deepJson(1_000) }),
  ];
  for (const text of nonsense) raw.say(text);
  raw.say('{"command":"ping"}');
  await raw.until(() => raw.messages.some((message) => message.includes('"pong"')), "pong");
  const told = raw.messages.map((text) => JSON.parse(text).type).filter((type) => type !== "ping");
  expect(told.filter((type) => type !== "reject_subscription")).toEqual([
    "welcome",
    "confirm_subscription",
    "pong",
  ]);
});

test("names that are more than names are streams, ids and identifiers like any other, and go with their client", async () => {
  for (const name of POISON) {
    const identifier = JSON.stringify({ channel: "$pubsub", stream_name: name, [name]: { polluted: 1 } });
    const raw = await subscribed(identifier);
    say(raw, { command: "join", identifier, presence: { id: name, info: { [`x${name}`]: 1 } } });
    await raw.until(() => raw.messages.some((text) => text.includes('"join"')), name);
    expect(cable.presence(name)).toEqual([{ id: name, info: { [`x${name}`]: 1 } }]);
    say(raw, { command: "whisper", identifier, data: { [name]: 1 } });
    for (const channel of [name, `${name}Channel`])
      say(raw, { command: "subscribe", identifier: JSON.stringify({ channel }) });
    await raw.until(() => raw.messages.filter((text) => text.includes("reject")).length === 2, name);
    expect((await connected(`sid=${name}&${name}=1`)).messages[0]).not.toContain("restored");
  }
});

test("signed names are those that the secret signed, whole and unchanged", async () => {
  const signed = signStream(secret, "secret room");
  const [payload, signature] = signed.split("--") as [string, string];
  const other = Buffer.from('"other room"').toString("base64");
  const raw = await connected();
  const forged = [
    signStream("another secret", "secret room"),
    `${other}--${signature}`,
    `${payload}--${"0".repeat(64)}`,
    `${payload}--${signature.toUpperCase()}`,
    `${payload}--${signature.slice(0, -2)}`,
    `${payload}--`,
    `--${signature}`,
    `${signed}--${signature}`,
    ` ${signed}`,
    `${payload}`,
    "--",
    "__proto__--__proto__",
  ];
  for (const name of [...forged, 7, {}, [signed], true])
    say(raw, {
      command: "subscribe",
      identifier: JSON.stringify({ channel: "$pubsub", signed_stream_name: name, stream_name: "x" }),
    });
  await raw.until(
    () => raw.messages.filter((text) => text.includes("reject_subscription")).length === forged.length + 4,
    "every one is rejected",
  );
  expect(raw.messages.some((text) => text.includes("confirm_subscription"))).toBe(false);
});

test("who sends half a request, or half a body, and then nothing, is cut off", async () => {
  // Of its own: where requests end so early, a machine that stands still would end those of the others.
  const hasty = await createNode({ name: "b", http: { port: 0, requestTimeoutMs: 500 } });
  try {
    const served = serveEndpoint(hasty, {
      secret,
      publicStreams: true,
      onNotice: (notice) => void notices.push(notice),
    });
    const carol = connectClient(`${hasty.httpUrl!.replace("http", "ws")}/cable`);
    const lobby = carol.streamFrom("lobby");
    await lobby.ensureSubscribed();
    await lobby.presence.join("carol", {});
    carol.on("disconnect", (event) => void disconnects.push(event));
    const loris = await RawClient.open(hasty.httpUrl!);
    loris.send(upgradeText(url, ext).slice(0, -2));
    const api = `${hasty.httpUrl}/api/publish`;
    const stuck = await stuckPost(api, 10_000, '{"stream":"', bearer);
    const gone = await stuckPost(api, 10_000, '{"stream":"', bearer);
    gone.destroy();
    const stranger = await stuckPost(api, 10_000, '{"stream":"', { authorization: "Bearer x" });
    for (const raw of [stranger, loris, stuck]) await raw.untilClosed();
    expect(stranger.status).toBe(401);
    expect(served.presence("lobby").map(({ id }) => id)).toEqual(["carol"]);
    expect(await lobby.presence.info()).toEqual({ carol: {} });
    expect(disconnects).toEqual([]);
    carol.disconnect();
    await eventually(() => expect(served.connections).toBe(0));
    disconnects.length = 0;
  } finally {
    await hasty.stop();
  }
});

test("the REST API takes no body that is too large, too deep, or none", async () => {
  const publish = async (body: string) =>
    (await send(node.httpUrl!, "/api/publish", { method: "POST", body, headers: bearer })).status;
  expect(await publish("x".repeat(1_048_577))).toBe(413);
  for (const body of ["", "[", deepJson(1_000), '{"stream":{},"data":"1"}', '{"stream":"x"}', POLLUTING_JSON])
    expect([body.slice(0, 20), await publish(body)]).toEqual([body.slice(0, 20), 422]);
});

test("who does not read is disconnected, and those who read hear everything", async () => {
  const sleeper = await subscribed();
  sleeper.stall();
  const padding = "x".repeat(50_000);
  let sent = 0;
  const before = heard.length;
  await eventually(
    async () => {
      for (let number = 0; number < 20; number++) await cable.broadcast(stream, { number: sent++, padding });
      await eventually(() => expect(heard.length).toBe(before + sent), { intervalMs: 1 });
      expect(cable.connections).toBe(1);
    },
    { intervalMs: 1 },
  );
});

test("a flood of commands, or of bytes that are none, closes their connection", async () => {
  const text = { command: "presence", identifier: room };
  for (const [payload, options] of [
    [JSON.stringify(text), {}],
    [Uint8Array.of(1, 2, 3), { opcode: 2 }],
  ] as const) {
    const raw = await subscribed();
    await eventually(
      () => {
        for (let number = 0; number < 100; number++) raw.say(payload, options);
        expect(raw.closeCode).toBe(1008);
      },
      { intervalMs: 5 },
    );
  }
});

test("a flood of connections is refused beyond the bound, and there is room again when it is over", async () => {
  const flood = await Promise.all(
    Array.from({ length: 2 * CONNECTIONS_MAX }, () => RawClient.upgrade(url, ext)),
  );
  const statuses = flood.map(({ status }) => status);
  expect(statuses.filter((status) => status === 101).length).toBe(CONNECTIONS_MAX - 1);
  expect(statuses.filter((status) => status === 503).length).toBe(CONNECTIONS_MAX + 1);
  expect(await chat.presence.info()).toEqual({ alice: { name: "Alice" } });
  for (const raw of flood) raw.destroy();
  await eventually(async () => {
    const raw = await RawClient.upgrade(url, ext);
    expect(raw.status).toBe(101);
    raw.destroy();
  });
});

test("subscriptions beyond the bound, and identifiers that are too long, are rejected", async () => {
  const raw = await connected();
  const identifierOf = (number: number) =>
    JSON.stringify({ channel: "$pubsub", stream_name: `flood/${number}` });
  for (let number = 0; number < 120; number++)
    say(raw, { command: "subscribe", identifier: identifierOf(number) });
  const count = (type: string) => raw.messages.filter((text) => text.includes(type)).length;
  await raw.until(() => count("confirm_subscription") + count("reject_subscription") === 120, "answers");
  expect(count("reject_subscription")).toBe(20);
  const long = JSON.stringify({ channel: "$pubsub", stream_name: "x", padding: "x".repeat(5_000) });
  const other = await connected();
  say(other, { command: "subscribe", identifier: long });
  await other.until(() => other.messages.some((text) => text.includes("reject_subscription")), "rejection");
});

test("sessions that are kept have a bound in bytes together: the oldest makes room", async () => {
  const sids: string[] = [];
  for (let number = 0; number < 6; number++) {
    const raw = await connected();
    // About 40,000 bytes each.
    for (let part = 0; part < 10; part++)
      say(raw, {
        command: "subscribe",
        identifier: JSON.stringify({
          channel: "$pubsub",
          stream_name: `s${part}`,
          padding: "x".repeat(2_000),
        }),
      });
    await raw.until(
      () => raw.messages.filter((text) => text.includes("confirm_subscription")).length === 10,
      "confirmations",
    );
    sids.push(sidOf(raw));
    raw.destroy();
    await eventually(() => expect(cable.connections).toBe(1));
  }
  const restored: boolean[] = [];
  for (const sid of sids) {
    const raw = await connected(`sid=${sid}`);
    restored.push(raw.messages[0]!.includes('"restored":true'));
    raw.destroy();
    await eventually(() => expect(cable.connections).toBe(1));
  }
  expect(restored[0]).toBe(false);
  expect(restored.filter(Boolean).length).toBeLessThan(4);
});

test("another session's name is taken whole only, and once", async () => {
  const victim = await subscribed();
  const sid = sidOf(victim);
  for (const guess of [
    sid.slice(0, -1),
    sid.toLowerCase(),
    `${sid}x`,
    sid.split(".")[0]!,
    `.${sid.split(".")[1]}`,
  ])
    expect((await connected(`sid=${encodeURIComponent(guess)}`)).messages[0]).not.toContain("restored");
  expect(victim.closed).toBe(false);
});
