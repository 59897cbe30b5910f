/**
 * How much cluster does one core simulate? Virtual seconds of a whole cluster per wall second, and events of the simulation
 * per wall second, for growing clusters: idle but for heartbeats, and busy, with every node tracking and untracking 10 times
 * a second.
 *
 *     npm run bench -- simulator
 *     SIZES=3,10,200 VIRTUAL_S=60 npm run bench -- simulator
 */
import { SimulatedCluster } from "@presently/testkit";
import { progress, progressDone, report } from "../report.ts";
import { showNumber, showSpread, spreadOf } from "../rounds.ts";

const SIZES = (process.env.SIZES ?? "3,5,9,50,100").split(",").map(Number);
const VIRTUAL_MS = Number(process.env.VIRTUAL_S ?? 10) * 1_000;
const ROUNDS = Number(process.env.ROUNDS ?? 3);
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

const rows: string[][] = [];
for (const size of SIZES) {
  const [idle, working]: [Speed[], Speed[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    progress(`${size} nodes, round ${round + 1} of ${ROUNDS}`);
    const cluster = settled(size);
    idle.push(speedOf(cluster, () => cluster.time.advance(VIRTUAL_MS)));
    working.push(speedOf(cluster, () => busy(cluster)));
  }
  const show = (speeds: readonly Speed[], what: keyof Speed) =>
    showSpread(spreadOf(speeds.map((speed) => speed[what])));
  rows.push([
    showNumber(size),
    show(idle, "secondsPerSecond"),
    show(idle, "eventsPerSecond"),
    show(working, "secondsPerSecond"),
    show(working, "eventsPerSecond"),
  ]);
}
progressDone();
report({
  caption: `Simulated clusters, one thread, ${VIRTUAL_MS / 1_000} s of virtual time each: the median (least–most) of ${ROUNDS} rounds.`,
  columns: ["nodes", "idle: cluster-s per s", "events per s", "busy: cluster-s per s", "events per s"],
  rows,
  notes: ["Busy: every node tracks and untracks, 10 times a second, and every other node hears of it."],
});
