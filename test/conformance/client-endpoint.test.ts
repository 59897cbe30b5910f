/** What the ready-made socket offers to `@presently/client`, as a bare npm client sees it. */
import { serveEndpoint } from "@presently/phoenix";
import type { Socket } from "phoenix";
import { createNode, type PresentlyNode } from "presently";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { connectClient, join, push } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

let node: PresentlyNode;
const clients: Socket[] = [];
beforeEach(async () => {
  node = await createNode({ name: "a", http: { port: 0 } });
  serveEndpoint(node);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await node.stop();
});

function client(name: string): Socket {
  const socket = connectClient(`${node.httpUrl!.replace("http", "ws")}/socket`, {
    params: { user_id: name },
  });
  clients.push(socket);
  return socket;
}

test("the answer to a join says under which key one is present", async () => {
  const { response } = await join(client("alice"), "room:1");
  expect(response).toEqual({ key: "alice" });
});

test("an update replaces what one says of oneself, and not since when one is there", async () => {
  const { channel } = await join(client("alice"), "room:1", { meta: { status: "active", desk: 4 } });
  const { online_at } = node.list("room:1")[0]!.meta;
  expect(await push(channel, "presently_update", { meta: { status: "away", online_at: "7" } })).toEqual([
    "ok",
    {},
  ]);
  expect(node.list("room:1").map(({ meta }) => meta)).toEqual([{ status: "away", online_at }]);
});

test("an update that cannot be is answered with the code of its error, and changes nothing", async () => {
  const { channel } = await join(client("alice"), "room:1", { meta: { a: 1 } });
  const before = node.list("room:1");
  expect(await push(channel, "presently_update", { meta: { text: "x".repeat(9_000) } })).toEqual([
    "error",
    { code: "LIMIT_REACHED", reason: expect.stringContaining("metaBytesMax") },
  ]);
  expect(node.list("room:1")).toEqual(before);
});

test("a message reaches the others with the key of its sender, whatever it says itself", async () => {
  const alice = await join(client("alice"), "room:1");
  const bob = await join(client("bob"), "room:1");
  const heard: unknown[] = [];
  alice.channel.on("presently_message", (message) => void heard.push(["alice", message]));
  bob.channel.on("presently_message", (message) => void heard.push(["bob", message]));
  const sent = { event: "cursor", payload: { x: 1 }, key: "somebody else" };
  expect(await push(alice.channel, "presently_message", sent)).toEqual(["ok", {}]);
  expect(await push(bob.channel, "presently_message", { event: "done" })).toEqual(["ok", {}]);
  await eventually(() =>
    expect(heard).toEqual([
      ["bob", { event: "cursor", payload: { x: 1 }, key: "alice" }],
      ["alice", { event: "done", payload: null, key: "bob" }],
    ]),
  );
  expect(await push(alice.channel, "presently_message", {})).toEqual([
    "error",
    { code: "INVALID_ARGUMENT", reason: expect.stringContaining("event") },
  ]);
});
