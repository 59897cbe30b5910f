import { afterEach, expect, test } from "vitest";
import { NameServer } from "../fixtures/name-server.ts";
import { eventually } from "../helpers/eventually.ts";
import { keysOn, send, topicPath } from "../helpers/http.ts";
import { type RunningNode, startNode } from "../helpers/processes.ts";

const T = "room:lobby";
const NAME = "_mesh._tcp.presently.test";
const running = new Set<RunningNode>();
const servers: NameServer[] = [];

afterEach(async () => {
  for (const node of running) await node.kill();
  running.clear();
  for (const server of servers.splice(0)) server.close();
});

/** A process that knows its peers by one name only. */
async function start(name: string, peer: string, server?: NameServer): Promise<RunningNode> {
  const words = ["--name", name, "--peer", peer, "--no-peer-gossip", "--ready-grace-ms", "0"];
  const place = ["--mesh", "127.0.0.1:0", "--http", "127.0.0.1:0", "--dns-interval-ms", "200"];
  const preload = new URL("../fixtures/ask-test-name-server.mjs", import.meta.url).href;
  const environment =
    server === undefined ? {} : { NODE_OPTIONS: `--import ${preload}`, TEST_NAME_SERVER: server.address };
  const node = await startNode([...words, ...place], { environment });
  running.add(node);
  return node;
}

const track = (node: RunningNode, key: string) =>
  send(node.url, topicPath(T, key), { method: "PUT", body: { meta: {} } });

async function linkedWith(node: RunningNode): Promise<string[]> {
  const { body } = await send(node.url, "/api/cluster");
  const linked = body.replicas.filter((report: { linked: boolean; status: string }) => report.linked);
  return linked.map((report: { node: string }) => report.node).sort();
}

test("processes find each other by SRV records, follow them, and outlive their name server", async () => {
  const server = await NameServer.open();
  servers.push(server);
  const serve = (...nodes: readonly RunningNode[]) =>
    server.records.set(
      NAME,
      nodes.map(({ meshPort }) => ({ host: "localhost", port: meshPort })),
    );
  const a = await start("a", `srv+ws://${NAME}`, server);
  const b = await start("b", `srv+ws://${NAME}`, server);
  await eventually(() => expect(a.output).toContain("cannot look up"));
  serve(a, b);
  await track(a, "alice");
  await eventually(async () => expect(await keysOn(b.url, T)).toEqual(["alice"]));
  const c = await start("c", `srv+ws://${NAME}`, server);
  serve(a, b, c);
  await eventually(async () => expect(await linkedWith(c)).toEqual(["a", "b"]));

  // A pod that is rescheduled: the same name, another address.
  await b.kill();
  running.delete(b);
  const again = await start("b", `srv+ws://${NAME}`, server);
  expect(again.meshPort).not.toBe(b.meshPort);
  serve(a, again, c);
  await eventually(async () => expect(await linkedWith(again)).toEqual(["a", "c"]));

  // The name is gone; the nodes stay together.
  server.records.clear();
  const askedBefore = server.asked;
  await eventually(() => expect(server.asked).toBeGreaterThan(askedBefore + 6));
  expect(await linkedWith(a)).toEqual(["b", "c"]);
  await track(c, "carol");
  await eventually(async () => expect(await keysOn(again.url, T)).toEqual(["alice", "carol"]));
});

test("a process finds its peer by the addresses of a name", async () => {
  const a = await start("a", "dns+ws://localhost:9");
  const b = await start("b", `dns+ws://localhost:${a.meshPort}`);
  await track(a, "alice");
  await eventually(async () => expect(await keysOn(b.url, T)).toEqual(["alice"]));
});
