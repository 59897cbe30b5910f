/**
 * Whatever is done to a cluster, and whatever goes wrong: every replica equals the reference at any time, watchers are told
 * the truth, verdicts hold their bounds, and a healed cluster agrees on what live sessions hold.
 *
 * A fixed seed, so that everybody runs the same histories, and a fresh one, so that nobody runs the same ones for ever.
 * `SEED` and `RUNS` in the environment take the place of the fresh seed and of both budgets.
 */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CONVERGES_WITHIN_MS,
  describeFailure,
  type FuzzOptions,
  type FuzzReport,
  fuzz,
  runScenario,
  scenarios,
} from "@presently/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";

const FIXED_SEED = 1;
/** Some 20 s of work on an idle core; a busy machine may take its time, and so may making a failure small. */
const TIMEOUT_MS = 600_000;
const runsOr = (usual: number) => Number(process.env.RUNS ?? usual);

/** Fails with the timeline of the shrunk history, and with the command that replays it. */
function search(options: FuzzOptions): FuzzReport {
  const report = fuzz(options);
  if (report.failure !== undefined) {
    const file = join(tmpdir(), `presently-history-${report.seed}.json`);
    writeFileSync(file, JSON.stringify(report.failure.scenario));
    expect.fail(describeFailure(report.failure, report.seed, file));
  }
  expect(report.convergedInMsMax).toBeLessThanOrEqual(CONVERGES_WITHIN_MS);
  return report;
}

test("every promise holds in the fixed histories, and they reach every situation that there is", {
  timeout: TIMEOUT_MS,
}, () => {
  const { coverage } = search({ runs: runsOr(800), seed: FIXED_SEED });
  expect(coverage.missing, "situations that no history reached").toEqual([]);
});

test("every promise holds in fresh histories", { timeout: TIMEOUT_MS }, () => {
  const fresh = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };
  const { seed, runs } = search({ runs: runsOr(150), ...fresh });
  console.info(`fresh histories: ${runs} of seed ${seed}; again: SEED=${seed} RUNS=${runs}`);
});

test("the same scenario is the same history, byte for byte", () => {
  fc.assert(
    fc.property(scenarios({ stepsMax: 40 }), (scenario) => {
      const [once, again] = [runScenario(scenario, { trace: true }), runScenario(scenario, { trace: true })];
      expect(again).toEqual(once);
      expect(runScenario(JSON.parse(JSON.stringify(scenario)), { trace: true }).traceHash).toBe(
        once.traceHash,
      );
    }),
    { numRuns: 15 },
  );
});
