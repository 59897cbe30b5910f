/**
 * Where the usual histories do not go: full states above every step size, frames later than every time-out, and what others
 * do: peers that lie, brokers that deliver what is old, listeners that throw. Each with a fixed seed; `SEED` and `RUNS` in the
 * environment take its place.
 */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  describeFailure,
  FAULTS,
  type FuzzOptions,
  fuzz,
  HOSTILE_FAULTS,
  SimulatedCluster,
} from "@presently/testkit";
import { expect, test } from "vitest";

const TIMEOUT = { timeout: 600_000 };

/** Every step is one of a few entries or numbers. */
const SMALL = {
  frameBytesTarget: 60,
  sweepEntriesMax: 1,
  syncsMax: 1,
  steps: { framesPerTurn: 1, dotsPerTurn: 1, rangesPerFrame: 2, entriesPerReport: 2 },
};

function search(options: FuzzOptions): Map<string, number> {
  const runs = Number(process.env.RUNS ?? options.runs);
  const seed = Number(process.env.SEED ?? 1);
  const report = fuzz({ ...options, runs, seed });
  if (report.failure !== undefined) {
    const file = join(tmpdir(), `presently-history-${report.seed}.json`);
    writeFileSync(file, JSON.stringify(report.failure.scenario));
    expect.fail(describeFailure(report.failure, report.seed, file));
  }
  return report.coverage.counts;
}

test("every promise holds where each step of a full state is a small one", TIMEOUT, () => {
  const counts = search({ runs: 150, replica: SMALL });
  for (const situation of [
    "a full sync in several frames",
    "an entry ahead of the vector",
    "a pull",
  ] as const)
    expect(counts.get(situation)).toBeGreaterThan(0);
});

test("every promise holds where frames come later than a pull waits", TIMEOUT, () => {
  const counts = search({
    runs: 80,
    nodes: { min: 2, max: 4 },
    replica: { ...SMALL, pullTimeoutMs: 150 },
    network: { latencyMinMs: 60, latencyMaxMs: 200, lateShare: 0.1, lateMaxMs: 600 },
  });
  expect(counts.get("a pull given up")).toBeGreaterThan(0);
  expect(counts.get("a full sync")).toBeGreaterThan(0);
});

test(
  "every promise holds where links stand still for longer than every time-out, and then deliver everything",
  TIMEOUT,
  () => {
    const counts = search({
      runs: 100,
      faults: ["stalls", "slow", "pauses", "stops"],
      replica: { ...SMALL, pullTimeoutMs: 300, heartbeatIntervalMs: 500, downAfterMs: 2_000 },
      network: { silentAfterMs: 60_000, handshakeTimeoutMs: 2_500, maxBufferedBytes: 10_000 },
    });
    for (const situation of ["a stall", "a node down", "a node back from down", "a pull given up"] as const)
      expect(counts.get(situation)).toBeGreaterThan(0);
  },
);

test("every promise holds whatever peers say, brokers repeat, and listeners throw", TIMEOUT, () => {
  const counts = search({ runs: 200, faults: [...FAULTS, ...HOSTILE_FAULTS], replica: SMALL });
  for (const situation of ["a clock set back", "a name taken over"] as const)
    expect(counts.get(situation)).toBeGreaterThan(0);
});

/** What was sent over a link is not overtaken by the next link. */
const SAME = { latencyMinMs: 5, latencyMaxMs: 5, lateShare: 0 };

test("lies about a node's name reach it as no more than another incarnation, and its people are never gone for the others", () => {
  const cluster = new SimulatedCluster(3, { seed: 1, topics: ["room"], network: SAME });
  const victim = cluster.node("b");
  victim.endpoint.replica.session().track("room", "bob");
  cluster.time.advance(20_000);
  for (let times = 0; times < 600; times++) {
    // As `a` would pass it on.
    victim.endpoint.newerLifeSeen(victim.endpoint.replica.incarnation + 1);
    cluster.time.advance(1_000);
  }
  const renames = victim.notices.filter(({ type }) => type === "reincarnated").length;
  expect(victim.superseded).toBe(false);
  expect(renames).toBeGreaterThan(3);
  expect(renames).toBeLessThan(17);
  cluster.time.advance(10_000);
  for (const { endpoint, watched } of cluster.nodes.values()) {
    expect(endpoint.replica.list("room").map(({ key }) => key)).toEqual(["bob"]);
    if (endpoint !== victim.endpoint)
      expect(watched.get("room")!.events.filter((event) => event.startsWith("-"))).toEqual([]);
  }
});
