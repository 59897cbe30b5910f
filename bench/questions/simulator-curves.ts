/**
 * What does a cluster's size cost the cluster? How soon all nodes agree after a partition, and what each node sends while
 * nothing happens, for 3 to 200 nodes. Simulated, in virtual time: the figures follow from the code and the seeds alone, and
 * are the same on every machine however busy it is.
 *
 *     npm run bench -- simulator-curves
 *     SIZES=3,10 npm run bench -- simulator-curves
 */
import { decodeMessage } from "@presently/replica";
import { nodeNames, SimulatedCluster } from "@presently/testkit";
import { lineChart } from "../chart.ts";
import { picture, progress, progressDone, report } from "../report.ts";
import { showNumber, showSpread, spreadOf } from "../rounds.ts";

const SIZES = (process.env.SIZES ?? "3,5,9,20,50,100,200").split(",").map(Number);
/** Each size is simulated with so many seeds; above `LARGE` nodes one must do, for it takes minutes. */
const SEEDS = Number(process.env.SEEDS ?? 3);
const LARGE = 100;
const IDLE_MS = 10_000;
/** In a large cluster each beats to a few others at random: until all pairs have met, digests go about that nobody needs. */
const MEETING_MS_PER_NODE = 250;
const CUT_MS = 20_000;
const GIVEN_UP_MS = 60_000;
const T = "room:lobby";

interface Idle {
  readonly bytes: number;
  /** Of those, of heartbeats that carry a digest. */
  readonly digests: number;
  /** What one heartbeat without a digest takes. */
  readonly heartbeat: number;
}

function settled(size: number, seed: number): SimulatedCluster {
  const cluster = new SimulatedCluster(size, { seed });
  for (const { name, endpoint } of cluster.nodes.values()) endpoint.replica.session().track(T, name);
  cluster.time.advance(10_000 + size * MEETING_MS_PER_NODE);
  return cluster;
}

/** What each node sends in a second, in bytes. */
function idle(cluster: SimulatedCluster, size: number): Idle {
  let [bytes, digests, plain, plainCount] = [0, 0, 0, 0];
  let counting = true;
  cluster.observe({
    sent: (_, frame) => {
      if (!counting) return;
      bytes += frame.length;
      const message = decodeMessage(frame);
      if (message?.type !== "heartbeat") return;
      if (message.digest !== undefined) digests += frame.length;
      else {
        plain += frame.length;
        plainCount++;
      }
    },
  });
  cluster.time.advance(IDLE_MS);
  counting = false;
  const perSecond = (count: number) => count / size / (IDLE_MS / 1_000);
  return { bytes: perSecond(bytes), digests: perSecond(digests), heartbeat: plain / plainCount };
}

/** Half of the nodes are cut off from the others, while somebody joins on each side; milliseconds from the end of that until all agree. */
function convergence(cluster: SimulatedCluster, size: number): number {
  const names = nodeNames(size);
  const half = Math.ceil(size / 2);
  cluster.partition(names.slice(0, half), names.slice(half));
  cluster.time.advance(CUT_MS);
  for (const name of [names[0]!, names.at(-1)!])
    cluster.node(name).endpoint.replica.session().track(T, "late");
  cluster.time.advance(1_000);
  cluster.mendAll();
  const took = cluster.time.advanceUntil(
    () => [...cluster.nodes.values()].every(({ endpoint }) => endpoint.replica.count(T).entries === size + 2),
    GIVEN_UP_MS,
  );
  if (took === undefined) throw new Error(`${size} nodes do not agree within ${GIVEN_UP_MS} ms`);
  return took;
}

const results = SIZES.map((size) => {
  const idles: Idle[] = [];
  const agreed: number[] = [];
  const seeds = size > LARGE ? 1 : SEEDS;
  for (let seed = 1; seed <= seeds; seed++) {
    progress(`${size} nodes, seed ${seed} of ${seeds}`);
    const cluster = settled(size, seed);
    idles.push(idle(cluster, size));
    progress(`${size} nodes, seed ${seed} of ${seeds}: a partition`);
    agreed.push(convergence(cluster, size));
  }
  return {
    size,
    agreed: spreadOf(agreed),
    bytes: spreadOf(idles.map(({ bytes }) => bytes)),
    digests: spreadOf(idles.map(({ digests }) => digests)),
    heartbeat: spreadOf(idles.map(({ heartbeat }) => heartbeat)),
  };
});
progressDone();

report({
  caption: `Simulated, in virtual time, default options: the median (least–most) of ${SEEDS} seeds, above ${LARGE} nodes one.`,
  columns: [
    "nodes",
    "agree after a partition, ms",
    "idle, B per node and s",
    "… of that with a digest",
    "a heartbeat without, B",
  ],
  rows: results.map(({ size, agreed, bytes, digests, heartbeat }) => [
    showNumber(size),
    showSpread(agreed),
    showSpread(bytes),
    showNumber(digests.median),
    showNumber(heartbeat.median),
  ]),
  notes: [
    `The partition cuts the cluster in half for ${(CUT_MS + 1_000) / 1_000} s; everybody agrees once every node shows everybody.`,
    "Idle: one presence per node, which nobody changes; without what WebSocket and TCP add to a frame.",
  ],
});
const conditions = `simulated, default options, median of ${SEEDS} seeds`;
const x = { label: "nodes", log: true } as const;
picture(
  "simulator-convergence",
  "Time until all nodes agree after a partition, by the size of the cluster",
  lineChart({
    title: "How soon a cluster agrees after a partition",
    subtitle: conditions,
    x,
    y: { label: "milliseconds until every node shows everybody", from: 0 },
    series: [
      { name: "half | half, 21 s", points: results.map(({ size, agreed }) => [size, agreed.median]) },
      { name: "slowest seed", points: results.map(({ size, agreed }) => [size, agreed.most]) },
    ],
  }),
);
picture(
  "simulator-idle-bytes",
  "Bytes that an idle node sends in a second, by the size of the cluster",
  lineChart({
    title: "What it costs a node to be idle",
    subtitle: conditions,
    x,
    y: { label: "bytes sent per node and second", log: true },
    series: [{ name: "all messages", points: results.map(({ size, bytes }) => [size, bytes.median]) }],
  }),
);
