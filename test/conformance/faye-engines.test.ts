/** Engines: one of Faye that is shared by all servers, as faye-redis is, and one of presence in place of the cluster's. */
import { createRequire } from "node:module";
import type { PresenceEngine } from "@presently/faye";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { type FayeNode, FayeTab, startFayeNodes } from "./faye-client.ts";
import { memoryEngine } from "./faye-original.ts";
import { WireClient } from "./faye-wire.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const room = "/presence/room";
const nodes: FayeNode[] = [];
const tabs: FayeTab[] = [];

afterEach(async () => {
  for (const tab of tabs.splice(0)) tab.close();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

async function join(node: FayeNode, id: string, data?: unknown): Promise<FayeTab> {
  const tab = new FayeTab(node.url, id, data);
  tabs.push(tab);
  return tab.join(room);
}

const allSee = (ids: readonly string[], who: readonly FayeTab[] = tabs) =>
  eventually(() => {
    for (const tab of who) expect(tab.ids(room)).toEqual([...ids].sort());
  });

// biome-ignore lint/suspicious/noExplicitAny: Faye's engines have no types.
type Engine = any;

/**
 * One engine for several servers: Faye's own in memory, asked by all. What it tells goes to the server that asked, and
 * messages go to the one that has the client's connection, as with Redis in between; and answers come later.
 */
function sharedEngine() {
  const memory = createRequire(import.meta.url)("faye/src/engines/memory.js");
  const servers: Engine[] = [];
  let asking: Engine;
  const holderOf = (clientId: string) => servers.find((server) => server.hasConnection(clientId));
  const shared = memory.create(
    {
      timeout: 20,
      debug: () => undefined,
      trigger: (...event: unknown[]) => asking.trigger(...event),
      hasConnection: (clientId: string) => holderOf(clientId) !== undefined,
      deliver: (clientId: string, messages: unknown) => holderOf(clientId)?.deliver(clientId, messages),
    },
    {},
  );
  return {
    create(server: Engine): Engine {
      servers.push(server);
      const engine: Engine = { disconnect: () => shared.disconnect() };
      for (const name of [
        "createClient",
        "destroyClient",
        "clientExists",
        "ping",
        "subscribe",
        "unsubscribe",
        "publish",
        "emptyQueue",
      ])
        engine[name] = (...values: unknown[]) => {
          const run = () => {
            asking = server;
            shared[name](...values);
          };
          // Pings and queues are part of a connection, which waits for them.
          if (name === "ping" || name === "emptyQueue") run();
          else setImmediate(run);
        };
      return engine;
    },
  };
}

describe("with an engine of Faye's own that all servers share, and clustered", () => {
  async function start(names: readonly string[]): Promise<FayeNode[]> {
    const type = sharedEngine();
    const bayeux = { mount: "/bayeux", timeout: 20, engine: { type } };
    nodes.push(...(await startFayeNodes(names, { bayeux, setup: { clustered: true } })));
    return nodes;
  }

  test("each event is told once, to the clients of all servers", async () => {
    const [a, b, c] = (await start(["a", "b", "c"])) as [FayeNode, FayeNode, FayeNode];
    const first = await join(a, "first");
    await join(b, "second");
    await join(c, "third");
    await allSee(["first", "second", "third"]);
    tabs.splice(2, 1)[0]!.close();
    await allSee(["first", "second"]);
    expect(first.heard(room)).toEqual([
      { subscribe: { first: { id: "first" } } },
      { subscribe: { second: { id: "second" } } },
      { subscribe: { third: { id: "third" } } },
      { unsubscribe: { third: null } },
    ]);
  });

  test("a subscription may end at another server than the one that it began at", async () => {
    const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
    const watcher = await join(b, "watcher");
    const client = await WireClient.open(a.url);
    const elsewhere = new WireClient(b.url);
    elsewhere.clientId = client.clientId;
    expect(await client.subscribe(room, { id: "alice" })).toMatchObject({ successful: true });
    await allSee(["alice", "watcher"]);
    await elsewhere.unsubscribe(room);
    await allSee(["watcher"]);
    await elsewhere.subscribe(room, { id: "alice" });
    await allSee(["alice", "watcher"]);
    await client.say("/meta/disconnect");
    await allSee(["watcher"]);
    expect(watcher.heard(room).map((data) => Object.keys(data)[0])).toEqual([
      "subscribe",
      "subscribe",
      "unsubscribe",
      "subscribe",
      "unsubscribe",
    ]);
  });
});

describe("with an engine of presence by the contract of the original", () => {
  test("it keeps who is present, and all nodes are told", async () => {
    const engine = memoryEngine();
    nodes.push(...(await startFayeNodes(["a", "b"], { setup: { engine } })));
    const [a, b] = nodes as [FayeNode, FayeNode];
    const alice = await join(a, "alice", { n: 1 });
    const bob = await join(b, "bob");
    expect(bob.confirmations[0].subscribe).toEqual({
      alice: { id: "alice", data: { n: 1 } },
      bob: { id: "bob" },
    });
    await allSee(["alice", "bob"]);
    expect(a.node.list(room)).toEqual([]);
    expect(await a.presence.list(room)).toEqual(await b.presence.list(room));
    // The same client takes another id: the first one is given back here, too.
    const client = await WireClient.open(a.url);
    await client.subscribe(room, { id: "carol" });
    await client.subscribe(room, { id: "caroline" });
    await allSee(["alice", "bob", "caroline"]);
    await client.unsubscribe(room);
    await client.unsubscribe("/presence/other");
    await allSee(["alice", "bob"]);
    tabs.splice(1, 1)[0]!.close();
    await allSee(["alice"]);
    expect(alice.heard(room).filter((data) => "unsubscribe" in data)).toEqual([
      { unsubscribe: { carol: null } },
      { unsubscribe: { caroline: null } },
      { unsubscribe: { bob: null } },
    ]);
  });

  test("when it fails, the client gets the original's error, and the operator the reason", async () => {
    const notices: unknown[] = [];
    const onNotice = ({ type, error }: { type: string; error?: unknown }) => void notices.push([type, error]);
    const failing: PresenceEngine = { ...memoryEngine() };
    const down = new Error("the store is down");
    nodes.push(...(await startFayeNodes(["a"], { setup: { engine: failing, onNotice } })));
    const client = await WireClient.open(nodes[0]!.url);
    const refused = { successful: false, error: "An error occurred subscribing to presence channel" };
    const { addClient, getSubscribers, unsubscribe } = failing;
    failing.addClient = (_channel, _client, _id, _json, done) => done(down);
    expect(await client.subscribe(room, { id: "alice" })).toMatchObject(refused);
    failing.addClient = addClient;
    failing.getSubscribers = () => {
      throw down;
    };
    expect(await client.subscribe(room, { id: "alice" })).toMatchObject(refused);
    failing.getSubscribers = getSubscribers;
    expect(await client.subscribe(room, { id: "alice" })).toMatchObject({ successful: true });
    failing.unsubscribe = (_channel, _client, done) => done(down);
    await client.unsubscribe(room);
    failing.unsubscribe = unsubscribe;
    expect(notices).toEqual([
      ["not-stored", down],
      ["not-stored", down],
      ["engine-failed", down],
    ]);
  });
});
