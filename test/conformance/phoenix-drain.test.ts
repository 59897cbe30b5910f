/** Nodes that send their clients to others, as a rolling restart does: nobody is missing, and nobody counts twice. */
import type { PhoenixSocketOptions } from "@presently/phoenix";
import type { Socket } from "phoenix";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { connectClient, countsOf, join, type PhoenixNode, startPhoenixNodes } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

const topic = "room:1";
const PEOPLE = 12;
const everybody = Array.from({ length: PEOPLE }, (_, index) => `person ${index}`);

const clients: Socket[] = [];
const running: PhoenixNode<string>[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(running.splice(0).map((node) => node.stop()));
});

async function start(lingerMs = 0): Promise<[PhoenixNode<string>, PhoenixNode<string>, PhoenixNode<string>]> {
  const options: PhoenixSocketOptions<string> = { connect: ({ user_id }) => String(user_id) };
  const nodes = await startPhoenixNodes<string>(
    ["a", "b", "c"],
    (socket) => void socket.channel("room:*", { presence: { key: ({ assigns }) => assigns, lingerMs } }),
    options,
  );
  running.push(...nodes);
  return nodes as [PhoenixNode<string>, PhoenixNode<string>, PhoenixNode<string>];
}

/** A way that leads to another node once a test says so: what a load balancer does. */
function balanced(first: PhoenixNode<string>) {
  const aim = { at: first };
  class Balanced extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url.replace(/^.*\/socket/, aim.at.url), protocols);
    }
  }
  return { aim, transport: Balanced as unknown as typeof WebSocket };
}

async function enter(node: PhoenixNode<string>, userId: string, transport = WebSocket) {
  const socket = connectClient(node.url, { params: { user_id: userId }, transport: transport as never });
  clients.push(socket);
  return await join(socket, topic);
}

/** What a client of another node sees: whoever was missing or counted twice, ever; and what the node tells of. */
async function watchFrom(node: PhoenixNode<string>) {
  const { presence } = await enter(node, "watcher");
  const wanted = Object.fromEntries([...everybody, "watcher"].map((key) => [key, 1]));
  await eventually(() => expect(countsOf(presence)).toEqual(wanted));
  const wrong = new Set<string>();
  presence.onSync(() => {
    const counts = countsOf(presence);
    for (const key of Object.keys(wanted)) if (counts[key] !== 1) wrong.add(`${key}: ${counts[key] ?? 0}`);
  });
  return { wrong, isRight: () => expect(countsOf(presence)).toEqual(wanted) };
}

const listed = (node: PhoenixNode<string>, by: string) =>
  node.node
    .list(topic)
    .flatMap(({ key, node: at }) => (at === by ? [key] : []))
    .sort();

test.each([
  [
    "its socket, and then stops",
    (node: PhoenixNode<string>) => node.socket.drain({ batchSize: 5, intervalMs: 10 }),
  ],
  [
    "everything, and then stops",
    (node: PhoenixNode<string>) => node.node.drain({ batchSize: 5, intervalMs: 10 }),
  ],
  ["nothing: it stops with a hand-off", () => undefined],
])("a node that drains %s is seen by nobody", async (_, drain) => {
  const [a, b, c] = await start();
  const { aim, transport } = balanced(a);
  for (const key of everybody) await enter(a, key, transport);
  const watcher = await watchFrom(b);
  aim.at = c;
  await drain(a);
  await a.stop(60_000);
  // Long before the end of the hand-off.
  await eventually(() => expect(listed(b, "c")).toEqual(everybody.toSorted()));
  await eventually(() => {
    watcher.isRight();
    expect(listed(b, "a")).toEqual([]);
  });
  expect([...watcher.wrong]).toEqual([]);
});

test("those whose connections broke before the drain may come back elsewhere as well", async () => {
  const [a, b, c] = await start(1_000_000);
  const { aim, transport } = balanced(a);
  for (const key of everybody) await enter(a, key, transport);
  const watcher = await watchFrom(b);
  for (const client of clients.filter((socket) => socket.endPointURL().includes(`:${a.port}/`)))
    client.disconnect();
  await eventually(() => expect(a.socket.connections).toBe(0));
  aim.at = c;
  await a.node.drain();
  for (const key of everybody) await enter(c, key);
  await eventually(() => expect(listed(b, "c")).toEqual(everybody.toSorted()));
  await eventually(() => expect(listed(b, "a")).toEqual([]));
  expect([...watcher.wrong]).toEqual([]);
});

test("who does not come back leaves when the time is over, though the node still runs", async () => {
  const [a, b] = await start();
  const stays = connectClient(a.url, { params: { user_id: "alice" }, reconnectAfterMs: () => 1_000_000 });
  clients.push(stays);
  await join(stays, topic);
  await enter(b, "watcher");
  await eventually(() => expect(listed(b, "a")).toEqual(["alice"]));
  await a.node.drain({ handoffMs: 50 });
  await eventually(() => expect(listed(b, "a")).toEqual([]));
  expect(a.node.stopping).toBe(false);
});
