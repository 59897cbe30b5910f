/**
 * Slow networks: round trips of 0.5 to 5 s, one frame in a hundred late by as much again, and full states that take more
 * than one step of everything that is done in steps. By hand: SEED=7 RUNS=50 npx vitest run test/property/slow-networks
 */
import { type ClusterOptions, SimulatedCluster } from "@presently/testkit";
import { expect, test } from "vitest";

const [SEED, RUNS] = [Number(process.env.SEED ?? 1), Number(process.env.RUNS ?? 1)];
const SEEDS = Array.from({ length: RUNS }, (_, run) => SEED + run);
const T = "room:lobby";
/** More than `dotsPerTurn` and `entriesPerReport`, and than the log. */
const MANY = 50_500;

function slowCluster(names: readonly string[], seed: number, roundTripMs: number): SimulatedCluster {
  const oneWayMs = roundTripMs / 2;
  const options: ClusterOptions = {
    seed,
    network: {
      latencyMinMs: oneWayMs * 0.9,
      latencyMaxMs: oneWayMs * 1.1,
      lateShare: 0.01,
      lateMaxMs: oneWayMs + roundTripMs,
      // What a link of the mesh allows itself at this round trip.
      silentAfterMs: Math.max(5_000, 3 * roundTripMs),
      maxBufferedBytes: 4 * 1024 * 1024,
    },
    // As the guide says: a heartbeat that was late must not count as silence.
    replica: { downAfterMs: 5_000 + 2 * roundTripMs },
  };
  return new SimulatedCluster(names, options);
}

function fill(cluster: SimulatedCluster, name: string, count: number): void {
  const { replica } = cluster.node(name).endpoint;
  const session = replica.session();
  for (let index = 0; index < count; index++) session.track(T, `${name}${index}`);
}

/** Advances until all nodes hold so many and their digests agree; throws if that takes longer than allowed. */
function settle(cluster: SimulatedCluster, count: number, withinMs: number): void {
  const isSettled = () =>
    [...cluster.nodes.values()].every(({ endpoint: { replica } }) => {
      const reports = replica.cluster(0).slice(1);
      return replica.synced && replica.count(T).entries === count && reports.every(({ agrees }) => agrees);
    });
  for (let passedMs = 0; passedMs < withinMs && !isSettled(); passedMs += 500) cluster.time.advance(500);
  const counts = [...cluster.nodes.values()].map(({ endpoint }) => endpoint.replica.count(T).entries);
  expect(counts).toEqual(counts.map(() => count));
  expect(isSettled()).toBe(true);
}

function expectNoDivergence(cluster: SimulatedCluster): void {
  for (const { endpoint } of cluster.nodes.values()) expect(endpoint.replica.counters.divergences).toBe(0);
}

test.each([500, 1_500, 5_000])(
  "a newcomer, and two halves after a cut, agree at a round trip of %i ms, and nobody live is missing",
  (roundTripMs) => {
    for (const seed of SEEDS) {
      const cluster = slowCluster(["a", "b"], seed, roundTripMs);
      cluster.time.advance(4 * roundTripMs);
      fill(cluster, "a", MANY);
      settle(cluster, MANY, 60_000 + 20 * roundTripMs);
      cluster.start("c");
      settle(cluster, MANY, 60_000 + 30 * roundTripMs);
      cluster.cut("a", "c");
      cluster.cut("b", "c");
      fill(cluster, "c", 100);
      fill(cluster, "b", 100);
      cluster.time.advance(30_000);
      cluster.mend("a", "c");
      cluster.mend("b", "c");
      settle(cluster, MANY + 200, 60_000 + 30 * roundTripMs);
      expectNoDivergence(cluster);
      // Nobody who lives was hidden on the way.
      cluster.time.advance(60_000);
      settle(cluster, MANY + 200, 1_000);
      expectNoDivergence(cluster);
    }
  },
);
