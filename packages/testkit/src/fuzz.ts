/** Searches for a history that breaks a promise; makes it small, and tells it. */
import fc from "fast-check";
import { type Application, applicationSteps } from "./application.ts";
import { type ScenarioOptions, scenarios } from "./arbitraries.ts";
import { Coverage } from "./coverage.ts";
import { minimize } from "./minimize.ts";
import { type RunOptions, runScenario } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { Timeline } from "./timeline.ts";

/** How many histories are tried, from which seed, and on which application. */
export interface FuzzOptions<App = unknown>
  extends Pick<ScenarioOptions, "nodes" | "faults" | "stepsMax">,
    Pick<RunOptions, "replica" | "network"> {
  /** How many histories. Default 200. */
  readonly runs?: number;
  /** All histories follow from it. Default: one drawn at random, which the report tells. */
  readonly seed?: number;
  /** What runs on every node. Default: sessions that track, update, untrack and close, checked against a reference. */
  readonly application?: Application<App>;
  /** How often a failing history may be run to make it smaller. Default 1,000. */
  readonly shrinkRunsMax?: number;
  /** Called after every history, and after every attempt to make one smaller. */
  readonly onProgress?: (progress: FuzzProgress) => void;
}

/** How far a search is, as histories; for a progress bar. */
export interface FuzzProgress {
  readonly done: number;
  readonly runs: number;
  /** Attempts so far to make a failing history smaller; 0 while none has failed. */
  readonly shrinkRuns: number;
}

/** What a search found, and how much it looked at. */
export interface FuzzReport {
  readonly seed: number;
  /** Histories that were run. */
  readonly runs: number;
  /** What they reached. */
  readonly coverage: Coverage;
  readonly virtualMs: number;
  readonly events: number;
  /** The longest time from the last fault's end until everybody agreed. */
  readonly convergedInMsMax: number;
  /** Undefined: every promise was kept. */
  readonly failure: FuzzFailure | undefined;
}

/** A broken promise: the smallest history that was found to break it, and what it broke. */
export interface FuzzFailure {
  /** As small as it could be made. */
  readonly scenario: Scenario;
  /** As it was found. */
  readonly original: Scenario;
  readonly error: unknown;
  /** The small one in words. */
  readonly timeline: string;
  readonly shrinkRuns: number;
}

/**
 * Runs histories until one fails or all have run. Cost: some ten milliseconds a history.
 *
 * @throws {ScenarioError} for options that cannot be used
 */
export function fuzz<App = unknown>(options: FuzzOptions<App> = {}): FuzzReport {
  const { runs = 200, seed = freshSeed(), onProgress } = options;
  const application = options.application as Application<unknown> | undefined;
  const run: RunOptions = { ...options, ...(application && { application }) };
  const coverage = new Coverage();
  let [done, virtualMs, events, convergedInMsMax] = [0, 0, 0, 0];
  let found: { scenario: Scenario; error: unknown } | undefined;
  const property = fc.property(arbitraryOf(options), (scenario) => {
    try {
      const report = runScenario(scenario, run);
      coverage.add(report.coverage);
      virtualMs += report.virtualMs;
      events += report.events;
      convergedInMsMax = Math.max(convergedInMsMax, report.convergedInMs);
    } catch (error) {
      found = { scenario, error };
      throw error;
    } finally {
      done++;
      onProgress?.({ done, runs, shrinkRuns: 0 });
    }
  });
  fc.check(property, { seed, numRuns: runs, endOnFailure: true });
  const failure =
    found && reduce(found, run, options, (shrinkRuns) => onProgress?.({ done, runs, shrinkRuns }));
  return { seed, runs: done, coverage, virtualMs, events, convergedInMsMax, failure };
}

function arbitraryOf<App>(options: FuzzOptions<App>): fc.Arbitrary<Scenario> {
  const { application, nodes, faults, stepsMax } = options;
  return scenarios({
    ...(nodes !== undefined && { nodes }),
    ...(faults !== undefined && { faults }),
    ...(stepsMax !== undefined && { stepsMax }),
    ...(application && { application: (count) => applicationSteps(application, count) }),
  });
}

function reduce(
  found: { scenario: Scenario; error: unknown },
  run: RunOptions,
  { shrinkRunsMax = 1_000 }: Pick<FuzzOptions, "shrinkRunsMax">,
  onAttempt: (attempts: number) => void,
): FuzzFailure {
  let attempts = 0;
  const { scenario, error } = minimize(
    found.scenario,
    found.error,
    (candidate) => {
      onAttempt(++attempts);
      return failureOf(candidate, run);
    },
    shrinkRunsMax,
  );
  const { timeline } = replay(scenario, run);
  return { scenario, original: found.scenario, error, timeline, shrinkRuns: attempts };
}

/** What a scenario fails with; undefined if it does not. */
export function failureOf(scenario: Scenario, options: RunOptions = {}): unknown {
  try {
    runScenario(scenario, options);
    return undefined;
  } catch (error) {
    return error ?? new Error("something undefined was thrown");
  }
}

/** Runs a scenario again, and tells it in words; `error` is undefined if it does not fail. */
export function replay(scenario: Scenario, options: RunOptions = {}): { error: unknown; timeline: string } {
  let timeline: Timeline | undefined;
  const error = failureOf(scenario, {
    ...options,
    observers: (cluster) => {
      timeline = new Timeline(cluster);
      return [timeline];
    },
    onStep: (index, step) => timeline?.step(index, step),
  });
  if (error !== undefined) timeline?.failed(error);
  return { error, timeline: `${timeline}` };
}

/** Everything that a person needs to see of a failure, and to see it again. `replayFile`: where the scenario was written. */
export function describeFailure(failure: FuzzFailure, seed: number, replayFile?: string): string {
  const { scenario, original, timeline, shrinkRuns } = failure;
  return [
    `a history of ${original.steps.length} steps broke a promise; ${scenario.steps.length} steps are enough (${shrinkRuns} runs to find out)`,
    "",
    timeline,
    "",
    `seed ${seed}, network seed ${scenario.seed}, ${scenario.nodes} nodes, logSizeMax ${scenario.logSizeMax}`,
    howToReplay(scenario, replayFile),
  ].join("\n");
}

function howToReplay(scenario: Scenario, file: string | undefined): string {
  const json = JSON.stringify(scenario);
  if (scenario.steps.some((step) => step.do === "app"))
    return `to see it again: replay(scenario, { application }) with this scenario:\n${json}`;
  if (file !== undefined) return `to see it again: npx presently fuzz --replay ${file}`;
  return `to see it again, write this line to a file and run \`npx presently fuzz --replay FILE\`:\n${json}`;
}

/** The one place where chance comes in; told in the report, so that everything can be run again. */
function freshSeed(): number {
  return Math.floor(Math.random() * 0x7fff_ffff);
}
