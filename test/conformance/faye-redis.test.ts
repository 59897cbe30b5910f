/** Faye clustered by itself, with faye-redis over a real Redis: presence, access and bounds hold with an engine that answers later. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import faye from "faye";
import fayeRedis from "faye-redis";
import type { Access } from "presently";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { play, seedsOf } from "../helpers/client-view/play.ts";
import { eventually } from "../helpers/eventually.ts";
import { has, pathOf } from "../helpers/programs.ts";
import { FayeNode, FayeTab, startFayeNodes } from "./faye-client.ts";
import { FayeWorld } from "./faye-view.ts";
import { WireClient } from "./faye-wire.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const room = "/presence/room";
let directory: string;
let redis: ChildProcess | undefined;
let engine: { type: unknown; socket: string };

describe.runIf(has("redis-server"))("over Redis", () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "faye-redis-"));
    const socket = join(directory, "socket");
    engine = { type: fayeRedis, socket };
    const options = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"];
    redis = spawn(pathOf("redis-server"), options, { stdio: "ignore" });
    await eventually(async () => {
      const probe = connect(socket);
      await once(probe, "connect");
      probe.destroy();
    });
  });

  afterAll(async () => {
    redis?.kill();
    if (redis !== undefined) await once(redis, "exit");
    await rm(directory, { recursive: true, force: true });
  });

  test.each(seedsOf([1, 2, 3]))("every client's own list is its node's in history %i", async (seed) => {
    const options = {
      bayeux: { engine: { ...engine, namespace: `history-${seed}` } },
      setup: { clustered: true },
    };
    const world = await FayeWorld.start("websocket", options);
    try {
      await play(world, seed, { clients: 6, topics: ["/presence/one", "/presence/two"], ticks: 60 });
    } finally {
      await world.stop();
    }
  });

  test("a client may come to another server while its own is there, and shakes hands again once that is gone", async () => {
    const setup = { clustered: true };
    const nodes = await startFayeNodes(["a", "b"], { bayeux: { engine }, setup });
    const [a, b] = nodes as [FayeNode, FayeNode];
    const wire = await WireClient.open(a.url);
    expect((await wire.subscribe(room, { id: "alice" })).successful).toBe(true);
    const question = { connectionType: "long-polling", advice: { timeout: 2_000 } };
    const away = new WireClient(b.url);
    away.clientId = wire.clientId;
    const bob = await new FayeTab(b.url, "bob").join(room);
    await eventually(async () => {
      const [reply, ...events] = await away.post([
        { channel: "/meta/connect", clientId: away.clientId, id: away.nextId(), ...question },
      ]);
      expect(reply.successful).toBe(true);
      expect(events.map(({ channel, data }) => ({ channel, data }))).toContainEqual({
        channel: room,
        data: { subscribe: { bob: { id: "bob" } } },
      });
    });
    await a.stop();
    const reply = await away.say("/meta/connect", question);
    expect(reply).toMatchObject({
      error: `401:${wire.clientId}:Unknown client`,
      advice: { reconnect: "handshake" },
    });
    bob.close();
    await b.stop();
  });

  test("each event is told once, to the clients of all servers", async () => {
    const setup = { clustered: true };
    const nodes = await startFayeNodes(["a", "b"], { bayeux: { engine }, setup });
    const [a, b] = nodes as [FayeNode, FayeNode];
    const alice = await new FayeTab(a.url, "alice", { n: 1 }).join(room);
    const bob = await new FayeTab(b.url, "bob").join(room);
    const carol = await new FayeTab(b.url, "carol").join(room);
    for (const tab of [alice, bob, carol])
      await eventually(() => expect(tab.ids(room)).toEqual(["alice", "bob", "carol"]));
    await carol.client.disconnect();
    for (const tab of [alice, bob]) await eventually(() => expect(tab.ids(room)).toEqual(["alice", "bob"]));
    bob.client.unsubscribe(room);
    await eventually(() => expect(alice.ids(room)).toEqual(["alice"]));
    const heard: unknown[] = [];
    await alice.client.subscribe("/chat", (data) => void heard.push(data));
    await b.bayeux.getClient().publish("/chat", "hello");
    await eventually(() => expect(heard).toEqual(["hello"]));
    expect(alice.heard(room)).toEqual([
      { subscribe: { alice: { id: "alice", data: { n: 1 } } } },
      { subscribe: { bob: { id: "bob" } } },
      { subscribe: { carol: { id: "carol" } } },
      { unsubscribe: { carol: null } },
      { unsubscribe: { bob: null } },
    ]);
    alice.close();
    bob.close();
    await Promise.all(nodes.map((node) => node.stop()));
  });

  test("access lets in, refuses and ends clients, and room comes back", async () => {
    const expiresAtMs = Date.now() + 2_000;
    const access: Access = {
      authenticate: ({ token }) =>
        token === undefined
          ? undefined
          : { id: token, claims: {}, ...(token === "short" && { expiresAtMs }) },
      authorize: (_identity, action) => !("topic" in action && action.topic === "/secret"),
    };
    const node = await FayeNode.start(
      { name: "c", access },
      {
        bayeux: { engine: { ...engine, namespace: "c" } },
        protect: { clientsMax: 3 },
        setup: { clustered: true },
      },
    );
    const gone = new Set<string>();
    node.bayeux.on("disconnect", (clientId) => void gone.add(clientId));
    let handshakes = 0;
    const client = new faye.Client(node.url, { retry: 0.1 });
    client.addExtension({
      outgoing(message, callback) {
        if (message.channel === "/meta/handshake")
          message.ext = { authToken: handshakes++ === 0 ? "short" : "long" };
        if (message.channel === "/meta/subscribe") message.ext = { presence: { id: "alice" } };
        callback(message);
      },
    });
    await client.subscribe(room, () => undefined);
    await eventually(() => {
      expect(handshakes).toBeGreaterThan(1);
      expect(node.node.list(room).map(({ key }) => key)).toEqual(["alice"]);
    });
    const wire = new WireClient(node.url);
    const shakeHands = (ext: unknown) =>
      wire.say("/meta/handshake", { version: "1.0", supportedConnectionTypes: ["long-polling"], ext });
    expect((await shakeHands({})).error).toBe("403::Handshake denied");
    for (let count = 0; count < 6; count++) {
      const { clientId } = await shakeHands({ token: "guest" });
      wire.clientId = clientId;
      expect((await wire.subscribe("/secret")).error).toBe("403:/secret:Forbidden channel");
      expect((await wire.say("/meta/disconnect")).successful).toBe(true);
      await eventually(() => expect(gone).toContain(clientId));
      wire.clientId = "";
    }
    client.disconnect();
    await node.stop();
  });
});
