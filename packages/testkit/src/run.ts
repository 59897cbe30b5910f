/** Runs one scenario from its start to a quiet end, and checks everything on the way. */

import type { SimulatedCluster } from "./cluster.ts";
import { Coverage } from "./coverage.ts";
import { InvariantError } from "./errors.ts";
import type { ClusterObserver } from "./observer.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Scenario, Step } from "./scenario.ts";
import { Trace } from "./trace.ts";
import { World, type WorldOptions } from "./world.ts";

/** After the last fault was healed, everybody agrees within this time, whatever happened. */
export const CONVERGES_WITHIN_MS = 20_000;

/** Of a scenario: small buffers, so that a few changes are enough to congest a slow link. */
export const SCENARIO_NETWORK = { windowBytes: 500, maxBufferedBytes: 1_000, lateShare: 0.05 };

/** What a scenario that kept every promise came to. */
export interface RunReport {
  /** Situations that the history reached. */
  readonly coverage: Coverage;
  /** From the last fault's end until every node showed what live sessions hold, at 100 ms a look. */
  readonly convergedInMs: number;
  /** Virtual time that passed. */
  readonly virtualMs: number;
  /** Events of the simulation that ran. */
  readonly events: number;
  /** Fingerprint of the history; undefined unless asked for. */
  readonly traceHash: string | undefined;
}

/** The cluster that a scenario runs on, and who looks on. */
export interface RunOptions extends Pick<WorldOptions, "replica" | "network" | "application"> {
  /** Takes a fingerprint of the history. Default false. */
  readonly trace?: boolean;
  /** Look on from before the first node starts. */
  readonly observers?: (cluster: SimulatedCluster) => readonly ClusterObserver[];
  /** Called before each step. */
  readonly onStep?: (index: number, step: Step) => void;
}

/**
 * Runs a scenario, heals everything, waits, and checks; the same scenario gives the same report on every machine.
 *
 * @throws {InvariantError} when something that must hold does not, or whatever the code under test threw
 */
export function runScenario(scenario: Scenario, options: RunOptions = {}): RunReport {
  const coverage = new Coverage();
  const world = new World(scenario, {
    network: { ...SCENARIO_NETWORK, ...options.network },
    ...(options.replica && { replica: options.replica }),
    ...(options.application && { application: options.application }),
    ...(options.observers && { observers: options.observers }),
    coverage,
  });
  const trace = options.trace ? new Trace(world.cluster.time) : undefined;
  if (trace !== undefined) world.cluster.observe(trace);
  scenario.steps.forEach((step, index) => {
    options.onStep?.(index, step);
    world.step(step);
  });
  const convergedInMs = settle(world);
  const { time } = world.cluster;
  return { coverage, convergedInMs, virtualMs: time.now, events: time.events, traceHash: trace?.hash };
}

/**
 * Heals everything, and lets time pass until nothing more can happen.
 *
 * @returns how long it took until everybody agreed
 * @throws {InvariantError} unless everybody agrees in time, on what live sessions hold, and it stays like that
 */
export function settle(world: World): number {
  const { cluster } = world;
  cluster.mendAll();
  const tookMs = cluster.time.advanceUntil(() => disagreement(world) === undefined, CONVERGES_WITHIN_MS, 100);
  if (tookMs === undefined)
    throw new InvariantError("convergence", `after ${CONVERGES_WITHIN_MS} ms, ${disagreement(world)}`);
  world.checkAll();
  const settings = world.survivors()[0]?.endpoint.replica.settings;
  cluster.time.advance(settings === undefined ? 0 : settings.evictAfterMs + 2 * settings.downAfterMs);
  world.checkAll();
  const later = disagreement(world);
  if (later !== undefined)
    throw new InvariantError("convergence", `long after everybody had agreed, ${later}`);
  for (const process of world.survivors()) checkAtRest(world, process);
  world.checkHealed();
  return tookMs;
}

/** Who shows something else than live sessions hold, in words; undefined if nobody does. */
function disagreement(world: World): string | undefined {
  const survivors = world.survivors();
  const names = new Set(survivors.map(({ name }) => name));
  if (names.size < survivors.length) return "two processes of one name are in the cluster";
  const topics = new Set(
    survivors.flatMap(({ endpoint }) => endpoint.replica.topics().map(({ topic }) => topic)),
  );
  for (const topic of topics) {
    const truth = world.truth(topic);
    for (const { id, endpoint } of survivors) {
      const shown = endpoint.replica
        .list(topic)
        .map(({ key, ref, meta, node }) => `${key} ${ref} ${JSON.stringify(meta)} ${node}`)
        .sort();
      if (shown.join("\n") === truth.join("\n")) continue;
      const missing = truth.filter((line) => !shown.includes(line));
      const ghosts = shown.filter((line) => !truth.includes(line));
      return `${id} ${describe("misses", missing)}${missing.length * ghosts.length > 0 ? " and " : ""}${describe("still shows", ghosts)} on ${topic}`;
    }
  }
  return undefined;
}

function describe(what: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${what} [${lines.join(", ")}]`;
}

/** Nothing waits any more, and every pair of nodes knows that it agrees. */
function checkAtRest(world: World, { id, endpoint }: SimulatedProcess): void {
  const { state, synced } = endpoint.replica;
  const others = endpoint.cluster().slice(1);
  const expected = world.survivors().length - 1;
  if (others.length !== expected)
    throw new InvariantError(
      "rest",
      `${id} knows [${others.map(({ replica }) => replica).join(", ")}], not ${expected} others`,
    );
  for (const { replica, status, agrees, linked } of others) {
    if (status !== "up" || agrees !== true || !linked)
      throw new InvariantError(
        "rest",
        `${id} holds ${replica} for ${status}, linked: ${linked}, agreeing: ${agrees}`,
      );
  }
  if (!synced) throw new InvariantError("rest", `${id} does not say that it is in step`);
  for (const origin of state.originIds()) {
    if (state.pendingOf(origin).size + state.aheadOf(origin) > 0)
      throw new InvariantError("buffers", `${id} keeps what it knows ahead of ${origin} for ever`);
  }
}
