/** Whatever one client sends, nothing changes for the others: not who is here, not what they hear, not the process. */
import { type PhoenixNotice, serveEndpoint } from "@presently/phoenix";
import type { Socket } from "phoenix";
import { createNode, type PresentlyNode } from "presently";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { connectClient, join, listOf, listOfNode, push } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

const topic = "room:1";
let node: PresentlyNode;
let url: string;
let notices: PhoenixNotice[];
const clients: Socket[] = [];

beforeEach(async () => {
  notices = [];
  node = await createNode({ name: "a", http: { port: 0 } });
  serveEndpoint(node, { onNotice: (notice) => void notices.push(notice) });
  url = `${node.httpUrl!.replace("http", "ws")}/socket`;
});
afterEach(async () => {
  for (const socket of clients.splice(0)) socket.disconnect();
  await node.stop();
});

const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
const joined = '["1","1","room:1","phx_join",{}]';

/** What one connection sends, message by message. */
const attacks: readonly (readonly [what: string, ...messages: (string | Uint8Array)[]])[] = [
  ["no JSON", "[", "", "null", "7", '"text"', "{}", "[]", "[1,2,3,4]"],
  ["a lone half of a character", '["1","1","\\ud800","phx_join",{}]'],
  ["topics that are none", '["1","1",null,"phx_join",{}]', '["1","1",{},"phx_join",{}]'],
  ["topics of the protocol", '["1","1","phoenix","phx_join",{}]', '["1","1","","phx_join",{}]'],
  ["a long topic", `["1","1","${"t".repeat(5_000)}","phx_join",{}]`],
  ["refs that are none", '[{},[],"room:1","phx_join",{}]', '["1",true,"room:1","phx_join",{}]'],
  ["a long ref", `["${"r".repeat(9_000)}","1","room:1","phx_join",{}]`],
  [
    "names of an object's own, as topics",
    '["1","1","__proto__","phx_join",{}]',
    '["1","2","constructor","x",{}]',
  ],
  [
    "names of an object's own, as events",
    joined,
    '["1","2","room:1","__proto__",{}]',
    '["1","3","room:1","toString",{}]',
  ],
  [
    "a prototype in the parameters",
    '["1","1","room:1","phx_join",{"__proto__":{"polluted":1},"meta":{"__proto__":{"polluted":1}}}]',
  ],
  [
    "a prototype inside the meta",
    '["1","1","room:1","phx_join",{"meta":{"a":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}}]',
  ],
  ["a meta that is too large", `["1","1","room:1","phx_join",{"meta":{"text":"${"x".repeat(20_000)}"}}]`],
  [
    "presence of its own making",
    joined,
    '["1","2","room:1","presence_diff",{"joins":{"ghost":{"metas":[{"phx_ref":"x"}]}},"leaves":{}}]',
    '["1","3","room:1","presence_state",{}]',
  ],
  [
    "the server's own events",
    joined,
    '["1","2","room:1","phx_close",{}]',
    '["1","3","room:1","phx_error",{}]',
    '["1","4","room:1","phx_reply",{"status":"ok"}]',
  ],
  ["messages before it has joined", '["1","2","room:1","hello",{}]', '["3","2","room:1","phx_leave",{}]'],
  ["other people's join refs", joined, '["3","2","room:1","phx_leave",{}]', '["3","9","room:1","hello",{}]'],
  ["to disconnect others", joined, '["1","2","room:1","disconnect",{}]'],
  ["depth", `["1","1","room:1","phx_join",${deep(10_000)}]`],
  ["size", `["1","1","room:1","phx_join",{"text":"${"x".repeat(70_000)}"}]`],
  [
    "bytes that are no message",
    Uint8Array.of(),
    Uint8Array.of(0),
    Uint8Array.of(0, 255, 255, 255, 255, 1),
    Uint8Array.of(9, 1, 1),
  ],
  ["bytes for nobody", Uint8Array.from(Buffer.from([0, 1, 1, 6, 3, ...Buffer.from("11room:1bin")]))],
  [
    "a flood of joins",
    ...Array.from({ length: 300 }, (_, index) => `["${index}","${index}","room:1","phx_join",{}]`),
  ],
  [
    "a flood of topics",
    ...Array.from({ length: 300 }, (_, index) => `["1","1","room:x${index}","phx_join",{}]`),
  ],
  ["a flood of messages", joined, ...Array<string>(3_000).fill('[null,"1","phoenix","heartbeat",{}]')],
];

async function attack(messages: readonly (string | Uint8Array)[]): Promise<void> {
  for (const name of ["mallory", "__proto__"]) {
    const socket = new WebSocket(`${url}/websocket?vsn=2.0.0&user_id=${name}`);
    await new Promise((open) => socket.on("open", open));
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => undefined);
    for (const message of messages) if (socket.readyState === WebSocket.OPEN) socket.send(message);
    // Answered behind all that came before, if the connection is still there.
    const answered = new Promise<void>((resolve) => {
      socket.on("message", (data) => String(data).includes('"last word"') && resolve());
    });
    if (socket.readyState === WebSocket.OPEN) socket.send('[null,"last word","phoenix","heartbeat",{}]');
    await Promise.race([closed, answered]);
    socket.terminate();
    await closed;
  }
}

test.each(attacks)("%s", async (_what, ...messages: readonly (string | Uint8Array)[]) => {
  const socket = connectClient(url, { params: { user_id: "alice" } });
  clients.push(socket);
  const { channel, presence } = await join(socket, topic);
  await eventually(() => expect(Object.keys(listOf(presence))).toEqual(["alice"]));
  const before = listOfNode(node, topic);
  let closed = 0;
  socket.onClose(() => void closed++);
  const ghosts: string[] = [];
  presence.onJoin((key) => {
    if (key !== undefined && key !== "mallory" && key !== "__proto__") ghosts.push(key);
  });

  await attack(messages);

  await eventually(() => {
    expect(listOfNode(node, topic)).toEqual(before);
    expect(listOf(presence)).toEqual(before);
  });
  expect(ghosts).toEqual([]);
  expect(closed).toBe(0);
  expect(await push(channel, "hello")).toEqual(["ok", {}]);
  expect(Reflect.get({}, "polluted")).toBeUndefined();
  // A client that breaks the rules is no fault of the server's.
  expect(notices.filter(({ level }) => level === "error")).toEqual([]);
  await eventually(() => expect(node.topics("").map(({ topic }) => topic)).toEqual([topic]));
});
