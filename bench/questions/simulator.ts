/**
 * How much cluster does one core simulate? Virtual seconds of a whole cluster per wall second, for growing clusters: idle but
 * for heartbeats, and busy, with every node tracking and untracking 10 times a second. And what the cluster itself does with
 * its size: how soon everybody agrees after a partition, and what it costs to be idle.
 *
 * More sizes and longer: `SIZES=3,10,200 VIRTUAL_S=60 npm run bench -- simulator`.
 */
import { nodeNames, SimulatedCluster } from "@presently/testkit";

const SIZES = (process.env.SIZES ?? "3,5,9,50,100").split(",").map(Number);
const VIRTUAL_MS = Number(process.env.VIRTUAL_S ?? 10) * 1_000;
const T = "room:lobby";

interface Speed {
  readonly secondsPerSecond: number;
  readonly eventsPerSecond: number;
}

function settled(size: number): SimulatedCluster {
  const cluster = new SimulatedCluster(size, { seed: 1 });
  for (const { name, endpoint } of cluster.nodes.values()) endpoint.replica.session().track(T, name);
  cluster.time.advance(5_000);
  return cluster;
}

function speedOf({ time }: SimulatedCluster, run: () => void): Speed {
  const [virtual, events, wall] = [time.now, time.events, performance.now()];
  run();
  const seconds = (performance.now() - wall) / 1_000;
  return {
    secondsPerSecond: (time.now - virtual) / 1_000 / seconds,
    eventsPerSecond: (time.events - events) / seconds,
  };
}

/** Every node tracks and untracks, 10 times a second. */
function busy(cluster: SimulatedCluster): void {
  const sessions = [...cluster.nodes.values()].map(({ endpoint }) => endpoint.replica.session());
  for (let elapsedMs = 0; elapsedMs < VIRTUAL_MS; elapsedMs += 200) {
    for (const [index, session] of sessions.entries()) session.track(T, `busy ${index}`);
    cluster.time.advance(100);
    for (const [index, session] of sessions.entries()) session.untrack(T, `busy ${index}`);
    cluster.time.advance(100);
  }
}

function bytesOf({ bytes }: SimulatedCluster): number {
  let sum = 0;
  for (const count of bytes.values()) sum += count;
  return sum;
}

/** Half of the nodes are cut off for 20 s, while one more joins on each side; milliseconds from the end of it until all agree. */
function convergence(cluster: SimulatedCluster, size: number): number | undefined {
  const names = nodeNames(size);
  const half = Math.ceil(size / 2);
  cluster.partition(names.slice(0, half), names.slice(half));
  cluster.time.advance(20_000);
  for (const name of [names[0]!, names.at(-1)!])
    cluster.node(name).endpoint.replica.session().track(T, "late");
  cluster.time.advance(1_000);
  cluster.mendAll();
  const all = size + 2;
  return cluster.time.advanceUntil(
    () => [...cluster.nodes.values()].every(({ endpoint }) => endpoint.replica.count(T).entries === all),
    60_000,
  );
}

const shown = (number: number) => Math.round(number).toLocaleString("en").padStart(9);

console.log(`simulated clusters, one thread, ${VIRTUAL_MS / 1_000} s of virtual time each`);
console.log(
  "nodes | idle: cluster-s/s  events/s | busy: cluster-s/s  events/s | idle B/node/s | agree after a partition",
);
for (const size of SIZES) {
  const cluster = settled(size);
  const before = bytesOf(cluster);
  const idle = speedOf(cluster, () => cluster.time.advance(VIRTUAL_MS));
  const idleBytes = (bytesOf(cluster) - before) / size / (VIRTUAL_MS / 1_000);
  const working = speedOf(cluster, () => busy(cluster));
  const agreed = convergence(settled(size), size);
  console.log(
    `${String(size).padStart(5)} | ${shown(idle.secondsPerSecond)} ${shown(idle.eventsPerSecond)} | ` +
      `${shown(working.secondsPerSecond)} ${shown(working.eventsPerSecond)} | ${shown(idleBytes)} | ` +
      `${agreed === undefined ? "not within 60 s" : `${shown(agreed)} ms`}`,
  );
}
