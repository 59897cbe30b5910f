/** The faults that the mesh is put through, over real NATS servers: cut off, killed, paused, clustered, and behind leaf links. */
import { fileURLToPath } from "node:url";
import { nats } from "@presently/nats";
import { createNode, type PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { NatsServer } from "../helpers/nats.ts";
import { freePort } from "../helpers/processes.ts";
import { has } from "../helpers/programs.ts";
import { type ScriptProcess, startScript } from "../helpers/script-process.ts";
import type { NatsNodeOptions } from "./nats-node.ts";

const script = fileURLToPath(new URL("./nats-node.ts", import.meta.url));
const ROOM = "room";
const WAIT = { timeoutMs: 40_000 };
/** Down after 1.6 s without a sign; a fault that is waited out for lasts longer. */
const PATIENCE = { heartbeatIntervalMs: 200, downAfterMs: 1_600 };

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  // Nodes before the servers that they are connected with.
  for (const end of endings.splice(0).reverse()) await end();
});

async function server(config?: string, words?: readonly string[]): Promise<NatsServer> {
  const started = await NatsServer.start(config, words);
  endings.push(() => started.stop());
  return started;
}

async function proxyTo(targetPort: number): Promise<LinkProxy> {
  const proxy = await LinkProxy.listen({ targetPort });
  endings.push(() => proxy.close());
  return proxy;
}

/** A node with one person, and what its watcher makes of what it is told. */
interface Seat {
  readonly node: PresentlyNode;
  readonly shown: Map<string, string>;
}

async function seat(name: string, servers: string[], options: object = PATIENCE): Promise<Seat> {
  // A node stays with its servers: it does not go around a proxy to those that they tell it of.
  const transport = nats({ servers, greetIntervalMs: 400, returnGraceMs: 800, ignoreClusterUpdates: true });
  const node = await createNode({ name, logLevel: "silent", transport, ...options });
  endings.push(() => node.stop({ handoffMs: 0 }));
  const shown = new Map<string, string>();
  node.watch(ROOM, (change) => {
    if (change.type === "state") return;
    for (const { ref, key } of change.joins) {
      expect(shown.has(ref), `${name} is told twice that ${key} joins`).toBe(false);
      shown.set(ref, key);
    }
    for (const { presence } of change.leaves)
      expect(shown.delete(presence.ref), `${name} is told that ${presence.key} leaves, who never came`).toBe(
        true,
      );
  });
  node.session().track(ROOM, name);
  return { node, shown };
}

async function show(keys: readonly string[], seats: readonly Seat[]): Promise<void> {
  for (const { node, shown } of seats)
    await eventually(() => {
      expect(
        node
          .list(ROOM)
          .map(({ key }) => key)
          .sort(),
      ).toEqual(keys);
      expect([...shown.values()].sort()).toEqual(keys);
    }, WAIT);
}

/** All show everybody, have diverged nowhere, and reach each other. */
async function whole(keys: readonly string[], seats: readonly Seat[]): Promise<void> {
  await show(keys, seats);
  for (const { node } of seats) {
    expect([node.counters.divergences, node.counters.listenerErrors]).toEqual([0, 0]);
    await eventually(
      () =>
        expect(node.cluster().filter(({ agrees, status }) => agrees || status === "self")).toHaveLength(
          node.cluster().length,
        ),
      WAIT,
    );
  }
}

describe.runIf(has("nats-server"))("over NATS", () => {
  test("a server that is gone for longer than every time-out leaves each alone, and its next life brings all back", async () => {
    const only = await server();
    const { url } = only;
    const seats = [await seat("a", [url]), await seat("b", [url]), await seat("c", [url])];
    await whole(["a", "b", "c"], seats);
    const refs = seats[0]!.node.list(ROOM).map(({ ref }) => ref);
    expect(refs).toHaveLength(3);
    await only.kill();
    for (const { node, shown } of seats) await show([node.name], [{ node, shown }]);
    seats[1]!.node.session().track(ROOM, "meanwhile");
    await only.restart();
    await whole(["a", "b", "c", "meanwhile"], seats);
    const back = seats[0]!.node.list(ROOM).filter(({ key }) => key !== "meanwhile");
    expect(back.map(({ ref }) => ref).sort()).toEqual(refs.sort());
  });

  test("one that is cut off from the server for longer than every time-out is missed by the others alone, and returns", async () => {
    const { url, port } = await server();
    const proxy = await proxyTo(port);
    const far = await seat("far", [`nats://127.0.0.1:${proxy.port}`]);
    const near = [await seat("a", [url]), await seat("b", [url])];
    await whole(["a", "b", "far"], [far, ...near]);
    for (const fault of ["cut", "stall"] as const) {
      proxy[fault]();
      await show(["a", "b"], near);
      await show(["far"], [far]);
      const [gone, come] = [far.node.session(), near[0]!.node.session()];
      gone.track(ROOM, `far ${fault}`);
      come.track(ROOM, `near ${fault}`);
      proxy.restore();
      await whole(["a", "b", "far", `far ${fault}`, `near ${fault}`], [far, ...near]);
      gone.close();
      come.close();
      await whole(["a", "b", "far"], [far, ...near]);
    }
  });

  test("a node that stands still for longer than the time-out is down, and goes on as who it was", async () => {
    const { url } = await server();
    const seats = [await seat("a", [url]), await seat("b", [url])];
    const options: NatsNodeOptions = { name: "d", server: url, key: "dora", ...PATIENCE };
    const still: ScriptProcess = await startScript(script, options);
    endings.push(() => still.end());
    await show(["a", "b", "dora"], seats);
    const ref = seats[0]!.node.get(ROOM, "dora")[0]!.ref;
    still.signal("SIGSTOP");
    await show(["a", "b"], seats);
    seats[0]!.node.session().track(ROOM, "later");
    still.signal("SIGCONT");
    await show(["a", "b", "dora", "later"], seats);
    expect(seats[1]!.node.get(ROOM, "dora")[0]!.ref).toBe(ref);
  });

  test("nobody is missed when one of two servers that are a cluster dies: its nodes go on at the other", async () => {
    const routes = await freePort();
    const own = ["--cluster_name", "both"];
    const one = await server("", ["--cluster", `nats://127.0.0.1:${routes}`, ...own]);
    const words = ["--cluster", "nats://127.0.0.1:-1", "--routes", `nats://127.0.0.1:${routes}`, ...own];
    const other = await server("", words);
    // With the patience of a user: going over takes a part of it.
    const options = { heartbeatIntervalMs: 1_000, downAfterMs: 15_000 };
    const seats = [
      await seat("a", [one.url, other.url], options),
      await seat("b", [other.url, one.url], options),
      await seat("c", [one.url, other.url], options),
    ];
    await whole(["a", "b", "c"], seats);
    const told: string[] = [];
    for (const { node } of seats)
      node.watch(ROOM, (change) => {
        if (change.type === "diff") told.push(...change.leaves.map(({ presence }) => presence.key));
      });
    await one.kill();
    seats[0]!.node.session().track(ROOM, "after");
    await whole(["a", "after", "b", "c"], seats);
    await eventually(() => {
      for (const { node } of seats) expect(node.links().map(({ replica }) => replica)).toHaveLength(2);
    }, WAIT);
    expect(told).toEqual([]);
  });

  test("a leaf link that is cut parts its two sides, which go on by themselves and are one again when it is mended", async () => {
    const leafPort = await freePort();
    const hub = await server(`leafnodes { listen: "127.0.0.1:${leafPort}" }`);
    const proxy = await proxyTo(leafPort);
    const remote = `remotes: [ { url: "nats-leaf://127.0.0.1:${proxy.port}" } ]`;
    const leaf = await server(`leafnodes { reconnect: 1, ${remote} }`);
    const centre = [await seat("a", [hub.url]), await seat("b", [hub.url])];
    const edge = [await seat("x", [leaf.url]), await seat("y", [leaf.url])];
    const all = [...centre, ...edge];
    await whole(["a", "b", "x", "y"], all);
    proxy.cut();
    await show(["a", "b"], centre);
    await show(["x", "y"], edge);
    edge[0]!.node.session().track(ROOM, "edge");
    await show(["edge", "x", "y"], edge);
    centre[0]!.node.session().track(ROOM, "centre");
    proxy.restore();
    await whole(["a", "b", "centre", "edge", "x", "y"], all);
  });
});
