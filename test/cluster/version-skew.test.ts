import { type Clock, Endpoint, type ReplicaId, replicaId } from "@presently/replica";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FuturePeer } from "../fixtures/future-peer.ts";
import { eventually } from "../helpers/eventually.ts";
import { keysOn, send, topicPath } from "../helpers/http.ts";
import { type RunningNode, startNode } from "../helpers/processes.ts";

const T = "room:lobby";
const SECRET = "sesame";

const systemClock: Clock = {
  now: () => performance.now(),
  schedule(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

let n1: RunningNode;
let n2: RunningNode;
let future: FuturePeer;
let endpoint: Endpoint;

/** A process that the future peer dials, or that dials it. */
function start(name: string, ...peers: readonly string[]): Promise<RunningNode> {
  const words = ["--name", name, "--cluster", "test", "--mesh", "127.0.0.1:0", "--http", "127.0.0.1:0"];
  const others = [
    ...peers.flatMap((peer) => ["--peer", peer]),
    "--heartbeat-ms",
    "200",
    "--ready-grace-ms",
    "0",
  ];
  return startNode([...words, ...others], { environment: { PRESENTLY_SECRET: SECRET } });
}

beforeAll(async () => {
  endpoint = new Endpoint({
    // A short log: what its peers missed while a link was down, they get as full state.
    replica: { name: "f", incarnation: 1, random: Math.random, heartbeatIntervalMs: 200, logSizeMax: 4 },
    clock: systemClock,
    transport: (listener, replica) => {
      future = new FuturePeer({ cluster: "test", replica, secret: SECRET, listener });
      return future;
    },
  });
  endpoint.start();
  n1 = await start("n1");
  n2 = await start("n2", await future.listening(), `ws://127.0.0.1:${n1.meshPort}`);
  await future.dial(`ws://127.0.0.1:${n1.meshPort}`);
});

afterAll(async () => {
  endpoint.close();
  await future.close();
  await n1?.kill();
  await n2?.kill();
});

const clusterAt = async (node: RunningNode) => (await send(node.url, "/api/cluster")).body;

/** The future peer, as a node of today sees it. */
async function futureAt(node: RunningNode): Promise<{ status: string; linked: boolean; agrees: boolean }> {
  const { replicas } = await clusterAt(node);
  return replicas.find((report: { replica: ReplicaId }) => report.replica === replicaId("f", 1));
}

const allAgree = () =>
  eventually(
    async () => {
      expect(future.linked.map((id) => id.split("@")[0])).toEqual(["n1", "n2"]);
      for (const node of [n1, n2])
        expect(await futureAt(node)).toMatchObject({ status: "up", linked: true, agrees: true });
    },
    { what: "today's nodes agree with the future one" },
  );

const shown = (keys: readonly string[]) =>
  eventually(async () => {
    const expected = [...keys].sort();
    expect(
      endpoint.replica
        .list(T)
        .map(({ key }) => key)
        .sort(),
    ).toEqual(expected);
    for (const node of [n1, n2]) expect(await keysOn(node.url, T)).toEqual(expected);
  });

test("a node that speaks a newer minor version meshes with today's processes, and all stay right", async () => {
  await allAgree();
  const session = endpoint.replica.session();
  const present = new Set<string>();
  const put = (node: RunningNode, key: string, step: number) =>
    send(node.url, topicPath(T, key), { method: "PUT", body: { meta: { step } } });

  /** People who come, change and go on all three; the nodes of today are asked over HTTP. */
  const churn = async (round: string, steps: number) => {
    for (let step = 0; step < steps; step += 1) {
      const key = `${round}-${step % 12}`;
      const owner = step % 3;
      if (step % 5 === 4 && present.has(`${owner} ${key}`)) {
        if (owner === 0) session.untrack(T, key);
        else await send([n1, n2][owner - 1]!.url, topicPath(T, key), { method: "DELETE" });
        present.delete(`${owner} ${key}`);
      } else {
        if (owner === 0) session.track(T, key, { step });
        else await put([n1, n2][owner - 1]!, key, step);
        present.add(`${owner} ${key}`);
      }
    }
  };
  const keys = () => [...new Set([...present].map((holder) => holder.split(" ")[1]!))];

  await churn("first", 60);
  await shown(keys());
  future.tellAddress("n2", `ws://127.0.0.1:${n2.meshPort}`);

  // What changes while no link is up comes over as full state, in messages that say more than is known.
  future.cut();
  await eventually(() => expect(future.linked).toEqual([]));
  await churn("apart", 60);
  future.mend();
  await shown(keys());
  await allAgree();

  // Any node removes what another one holds: the remove of a foreign entry crosses the versions, too.
  const target = `${topicPath(T, keys()[0]!)}?everywhere=true`;
  expect((await send(n1.url, target, { method: "DELETE" })).status).toBe(204);
  await shown(keys().slice(1));

  await allAgree();
  expect(future.unknownFramesSent).toBeGreaterThan(0);
  // Deltas, heartbeats, pulls, their answers, and a full state among these.
  for (const type of [16, 17, 18, 19, "full"] as const) expect(future.typesSent).toContain(type);
  expect(endpoint.replica.counters).toMatchObject({ divergences: 0 });
  expect(endpoint.replica.counters.pullsServed).toBeGreaterThan(0);
  expect(future.refusals).toEqual([]);
  for (const node of [n1, n2]) {
    expect((await clusterAt(node)).refused).toEqual({});
    expect(node.output).not.toMatch(/MALFORMED|MISTIMED|BAD_FRAME|VERSION|diverg/);
  }
});
