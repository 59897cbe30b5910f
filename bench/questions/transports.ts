/**
 * Mesh or NATS: what does a node cost, in bytes and in time of the processor, by how many they are? Real processes, idle and
 * while each makes changes. For larger clusters than a machine has room for: `transport-curves`.
 *
 *     npm run bench -- transports
 *     SIZES=3 ROUNDS=1 SECONDS=2 npm run bench -- transports      a look
 *
 * NATS needs a `nats-server` (Debian: `apt-get install nats-server`).
 */
import { setTimeout as delay } from "node:timers/promises";
import { lineChart } from "../chart.ts";
import { NatsServer } from "../peers/nats-server.ts";
import type { Taken } from "../processes/linked-node-orders.ts";
import { LinkedNodeProcess } from "../processes/linked-node-process.ts";
import { picture, progress, progressDone, report } from "../report.ts";
import { showNumber, showSpread, spreadOf } from "../rounds.ts";

const SIZES = (process.env.SIZES ?? "3,5,9").split(",").map(Number);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const FOR_MS = Number(process.env.SECONDS ?? 8) * 1_000;
/** Links are up, and what they told each other at first has been told. */
const SETTLING_MS = 2_000;
const LOADS = [
  { name: "idle", changesPerSecond: 0 },
  { name: "100 changes a second at each", changesPerSecond: 100 },
] as const;
const TRANSPORTS = ["mesh", "NATS"] as const;

interface Measured {
  readonly size: number;
  readonly transport: (typeof TRANSPORTS)[number];
  readonly load: (typeof LOADS)[number]["name"];
  readonly nodes: Taken[];
  readonly serverCpu: number[];
}

const measured: Measured[] = [];
for (const size of SIZES)
  for (const transport of TRANSPORTS) {
    const server = transport === "NATS" ? await NatsServer.start() : undefined;
    const nodes = await startAll(size, server);
    await delay(SETTLING_MS);
    for (const { name, changesPerSecond } of LOADS) {
      const of: Measured = { size, transport, load: name, nodes: [], serverCpu: [] };
      measured.push(of);
      for (let round = 1; round <= ROUNDS; round++) {
        progress(`${size} processes over ${transport}, ${name}, round ${round} of ${ROUNDS}`);
        const before = server?.cpuMs;
        const forMs = FOR_MS;
        of.nodes.push(
          ...(await Promise.all(nodes.map((node) => node.ask("measure", { forMs, changesPerSecond })))),
        );
        const after = server?.cpuMs;
        if (before !== undefined && after !== undefined)
          of.serverCpu.push((after - before) / (FOR_MS / 1_000));
      }
    }
    await Promise.all(nodes.map((node) => node.kill()));
    await server?.stop();
  }
progressDone();

report({
  caption:
    `What a node takes, of ${SIZES.join(", ")} processes on one machine, over the mesh and over NATS with one server: the median ` +
    `(least–most) of all nodes in ${ROUNDS} rounds of ${FOR_MS / 1_000} s.`,
  columns: ["", "kB/s in and out, a node", "ms of CPU a second, a node", "… the NATS server"],
  rows: measured.map(({ size, transport, load, nodes, serverCpu }) => [
    `${size} over ${transport}, ${load}`,
    showSpread(spreadOf(nodes.map(({ bytesPerSecond }) => bytesPerSecond / 1_000))),
    showSpread(spreadOf(nodes.map(({ cpuMsPerSecond }) => cpuMsPerSecond))),
    serverCpu.length === 0 ? "" : showNumber(spreadOf(serverCpu).median),
  ]),
  notes: [
    "A change is a join or a leave in one room that all nodes hold; each goes to all. Bytes are those of the node's sockets.",
    "A node gets the same changes over either. It sends each of its own once to NATS, and once to every peer of the mesh.",
  ],
});
for (const [file, title, unit, value] of [
  ["transports-bytes", "Bytes of a node, over the mesh and over NATS", "kB/s in and out, a node", bytesOf],
  [
    "transports-cpu",
    "Time of the processor that a node takes, over the mesh and over NATS",
    "ms of CPU a second, a node",
    cpuOf,
  ],
] as const)
  picture(
    file,
    title,
    lineChart({
      title,
      subtitle: `by the number of processes on one machine; ${LOADS[1].name}`,
      x: { label: "processes", from: 0 },
      y: { label: unit, from: 0 },
      series: TRANSPORTS.map((transport) => ({
        name: transport,
        points: measured
          .filter((of) => of.transport === transport && of.load === LOADS[1].name)
          .map(({ size, nodes }) => [size, spreadOf(nodes.map(value)).median]),
      })),
    }),
  );

function bytesOf({ bytesPerSecond }: Taken): number {
  return bytesPerSecond / 1_000;
}

function cpuOf({ cpuMsPerSecond }: Taken): number {
  return cpuMsPerSecond;
}

async function startAll(size: number, server: NatsServer | undefined): Promise<LinkedNodeProcess[]> {
  const nodes = Array.from({ length: size }, () => new LinkedNodeProcess());
  const urls: string[] = [];
  for (const [index, node] of nodes.entries()) {
    const place = server === undefined ? {} : { server: server.url };
    urls.push((await node.ask("start", { name: `n${index}`, peers: [...urls], ...place })).url);
  }
  await Promise.all(nodes.map((node) => node.ask("linked", { count: size - 1 })));
  return nodes;
}
