/** Broadcasts by topic go only where somebody wants them: counted at a node where nobody does, over the mesh and over NATS. */
import { PresentlyPresence } from "@presently/colyseus";
import { nats } from "@presently/nats";
import { PhoenixSocket } from "@presently/phoenix";
import type { Socket } from "phoenix";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { NatsServer } from "../helpers/nats.ts";
import { has } from "../helpers/programs.ts";
import { CableNode, connectClient as connectCable } from "./anycable-client.ts";
import { FayeNode } from "./faye-client.ts";
import { connectClient, join, PhoenixNode } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const NAMES = ["a", "b", "c"] as const;
const secret = "a secret that only these tests share";
/** How many messages are published while those that reach a node where nobody wants them are counted. */
const COUNT = 50;

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** What links a node with those that were started before. */
type Link = (earlier: readonly PresentlyNode[]) => Pick<NodeOptions, "mesh" | "secret" | "transport">;

const overMesh: Link = (earlier) => ({
  secret,
  mesh: { port: 0, peers: earlier.map(({ meshUrl }) => meshUrl!) },
});

async function overNats(): Promise<Link> {
  const server = await NatsServer.start();
  endings.push(() => server.stop());
  return () => ({ transport: nats({ servers: [server.url] }) });
}

/** Three of them, linked, each of which knows what the others want. */
async function three<T>(
  link: Link,
  start: (options: NodeOptions) => Promise<T>,
  nodeOf: (started: T) => PresentlyNode,
  stop: (started: T) => Promise<unknown>,
): Promise<[T, T, T]> {
  const started: T[] = [];
  for (const name of NAMES) {
    const one = await start({ name, logLevel: "silent", ...link(started.map(nodeOf)) });
    endings.push(() => stop(one));
    started.push(one);
  }
  const nodes = started.map(nodeOf);
  await eventually(() => {
    for (const node of nodes) expect(node.cluster().filter(({ linked }) => linked)).toHaveLength(2);
  });
  await settled(nodes);
  return started as [T, T, T];
}

/** What a node is told comes behind what it was told before: by now it knows what the others want. */
async function settled(nodes: readonly PresentlyNode[]): Promise<void> {
  for (const from of nodes)
    for (const to of nodes) {
      const end = to.onRequest("settled", () => true);
      await from.request(to.replica, "settled", true, { timeoutMs: 20_000 });
      end();
    }
}

/** Counts what comes from other nodes on a channel. */
function counting(node: PresentlyNode, channel: string): () => number {
  let count = 0;
  node.onBroadcast(channel, (_, from) => {
    if (from !== node.replica) count++;
  });
  return () => count;
}

const startNodes = (link: Link) =>
  three(
    link,
    (options) => createNode(options),
    (node) => node,
    (node) => node.stop({ handoffMs: 0 }),
  );

function cases(link: () => Link | Promise<Link>): void {
  test("a broadcast by topic reaches those who subscribed, and nobody else; one without topics all", async () => {
    const [a, b, c] = await startNodes(await link());
    const [atB, atC] = [counting(b, "chat"), counting(c, "chat")];
    const red = b.subscribe("chat", "red");
    await red.whenEffective();
    expect(red.isEffective()).toBe(true);
    for (let n = 0; n < COUNT; n++) a.broadcast("chat", n, { topics: ["red", "blue"] });
    a.broadcast("chat", "for all");
    await eventually(() => expect([atB(), atC()]).toEqual([COUNT + 1, 1]));
    red.end();
    await settled([a, b, c]);
    a.broadcast("chat", "for nobody", { topics: ["red"] });
    a.broadcast("chat", "for all");
    await eventually(() => expect(atC()).toBe(2));
    await settled([a, b, c]);
    expect([atB(), atC()]).toEqual([COUNT + 2, 2]);
  });

  test("an answer always finds whoever asked once its subscription had settled", async () => {
    const [a, b, c] = await startNodes(await link());
    for (const node of [b, c])
      node.onBroadcast("ask", (payload) => {
        const reply = String(payload);
        node.broadcast("reply", [reply, node.name], { topics: [reply] });
      });
    const replies: unknown[] = [];
    a.onBroadcast("reply", (payload) => replies.push(payload));
    const elsewhere = counting(c, "reply");
    for (let n = 0; n < COUNT; n++) {
      const address = a.subscribe("reply", `to ${n}`);
      await address.whenEffective();
      a.broadcast("ask", `to ${n}`);
      await eventually(() => expect(replies).toHaveLength(2 * (n + 1)), { intervalMs: 1 });
      address.end();
    }
    expect(elsewhere()).toBe(0);
  });
}

describe("over the mesh", () => cases(() => overMesh));
describe.runIf(has("nats-server"))("over NATS", () => cases(overNats));

describe("a node where nobody is on the topic gets nothing of it", () => {
  test("of Phoenix, and a client that has joined gets what is broadcast anywhere from then on", async () => {
    const clients: Socket[] = [];
    endings.push(() => clients.map((client) => client.disconnect()));
    const [a, b, c] = await three(
      overMesh,
      (options) => PhoenixNode.start(options),
      ({ node }) => node,
      (started) => started.stop(),
    );
    for (const { socket } of [a, b, c]) socket.channel("room:*", {});
    const idle = counting(c.node, "phoenix");
    const other = connectClient(c.url);
    const client = connectClient(b.url);
    clients.push(other, client);
    await join(other, "room:2");
    for (let round = 0; round < 10; round++) {
      const { channel } = await join(client, "room:1");
      const heard: unknown[] = [];
      channel.on("news", (payload) => void heard.push(payload));
      for (let n = 0; n < COUNT; n++) a.socket.broadcast("room:1", "news", { n });
      await eventually(() => expect(heard).toHaveLength(COUNT), { intervalMs: 2 });
      await new Promise((left) => channel.leave().receive("ok", left));
    }
    expect(idle()).toBe(0);
    expect(a.socket).toBeInstanceOf(PhoenixSocket);
  });

  test("of AnyCable, unless it is kept, which every node does", async () => {
    const [a, b, c] = await three(
      overMesh,
      (options) => CableNode.start(options, { publicStreams: true }),
      ({ node }) => node,
      (started) => started.stop(),
    );
    const idle = counting(c.node, "anycable:stream");
    const client = connectCable(b.url);
    endings.push(() => client.disconnect());
    for (let round = 0; round < 10; round++) {
      const heard: unknown[] = [];
      const channel = client.streamFrom(`room/${round}`);
      channel.on("message", (message) => heard.push(message));
      await channel.ensureSubscribed();
      for (let n = 0; n < COUNT; n++) await a.cable.broadcast(`room/${round}`, { n }, { transient: true });
      await eventually(() => expect(heard).toHaveLength(COUNT), { intervalMs: 2 });
    }
    expect(idle()).toBe(0);
    // Whoever numbers a stream's messages sends them: one of the three, for each stream.
    for (let n = 0; n < COUNT; n++) await a.cable.broadcast(`kept/${n}`, { n });
    await eventually(() => expect(idle()).toBeGreaterThan(0));
  });

  test("of Faye, also where it is wanted by a pattern", async () => {
    const [a, b, c] = await three(
      overMesh,
      (options) => FayeNode.start(options, { setup: { broadcast: true } }),
      ({ node }) => node,
      (started) => started.stop(),
    );
    const idle = counting(c.node, "faye:publish");
    const heard: unknown[] = [];
    for (const channel of ["/chat/room/1", "/chat/room/*", "/chat/**"])
      await b.bayeux.getClient().subscribe(channel, (data) => heard.push(data));
    await c.bayeux.getClient().subscribe("/chat/hall/*", (data) => heard.push(data));
    for (let n = 0; n < COUNT; n++) await a.bayeux.getClient().publish("/chat/room/1", n);
    await eventually(() => expect(heard).toHaveLength(3 * COUNT));
    expect(idle()).toBe(0);
    await a.bayeux.getClient().publish("/chat/hall/1", "for both");
    await eventually(() => expect(heard).toHaveLength(3 * COUNT + 2));
  });

  test("of Colyseus, in parts or whole", async () => {
    const [a, b, c] = await startNodes(overMesh);
    const [atA, atB, atC] = [a, b, c].map((node) => new PresentlyPresence(node)) as [
      PresentlyPresence,
      PresentlyPresence,
      PresentlyPresence,
    ];
    for (const presence of [atA, atB, atC]) endings.push(() => presence.shutdown());
    const heard: unknown[] = [];
    await atC.subscribe("lobby", () => undefined);
    const idle = counting(c, "presently/colyseus/colyseus");
    await atB.subscribe("$room", (message: unknown) => heard.push(message));
    for (let n = 0; n < COUNT; n++) await atA.publish("$room", n % 10 === 0 ? "x".repeat(100_000) : n);
    await eventually(() => expect(heard).toHaveLength(COUNT));
    expect(idle()).toBe(0);
  });
});
