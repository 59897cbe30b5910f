/**
 * Plants bugs in the sources, one at a time, and says which promise breaks, in which of the known histories or of the
 * fixed ones of the simulator, and how short that could be made.
 *
 *     npx tsx test/planted/run.ts                 all of them: some minutes
 *     npx tsx test/planted/run.ts hearsay         those whose names have this in them, with their timelines
 *
 * Exit code 1: one was not found, or its history did not get short.
 */
import { fileURLToPath } from "node:url";
import type * as Testkit from "@presently/testkit";
import { createViteServer } from "vitest/node";
import { KNOWN_SCENARIOS } from "../helpers/known-scenarios.ts";
import { PLANTED_BUGS, type PlantedBug } from "./bugs.ts";
import { fits, planted } from "./plant.ts";

/** As in `test/property/testkit-convergence.test.ts`. */
const FIXED = { seed: 1, runs: 800 };
const SHRINK_RUNS_MAX = 600;
const STEPS_MAX = 17;

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Catch {
  readonly error: unknown;
  readonly history: string;
  readonly steps: number;
  readonly timeline: string;
}

/** Runs the known and the fixed histories on the sources with this bug in them, or on the sources as they are. */
async function hunt(bug: PlantedBug | undefined): Promise<Catch | undefined> {
  const server = await createViteServer({
    root,
    configFile: false,
    logLevel: "error",
    appType: "custom",
    server: { middlewareMode: true, watch: null, ws: false },
    optimizeDeps: { noDiscovery: true, include: [] },
    resolve: {
      alias: Object.fromEntries(
        ["crdt", "replica", "testkit"].map((name) => [
          `@presently/${name}`,
          `${root}packages/${name}/src/index.ts`,
        ]),
      ),
    },
    plugins: bug === undefined ? [] : [planted(bug)],
  });
  try {
    const { fuzz, replay } = (await server.ssrLoadModule(
      `${root}packages/testkit/src/index.ts`,
    )) as typeof Testkit;
    const { failure, runs } = fuzz({ ...FIXED, shrinkRunsMax: SHRINK_RUNS_MAX });
    if (failure !== undefined) {
      const { error, scenario, timeline } = failure;
      return { error, history: `${runs}`, steps: scenario.steps.length, timeline };
    }
    for (const [name, scenario] of KNOWN_SCENARIOS) {
      const { error, timeline } = replay(scenario);
      if (error !== undefined) return { error, history: `"${name}"`, steps: scenario.steps.length, timeline };
    }
    return undefined;
  } finally {
    await server.close();
  }
}

const wanted = process.argv.slice(2).join(" ");
const bugs = PLANTED_BUGS.filter(({ name }) => name.includes(wanted));
let missed = 0;
if (wanted === "") {
  const found = await hunt(undefined);
  if (found !== undefined) {
    console.log(`the sources break a promise without a bug being planted:\n${found.timeline}`);
    process.exit(2);
  }
  console.log("nothing planted: nothing found\n");
}
console.log("| planted bug | promise that breaks | found in history | steps, shrunk |\n|---|---|---|---|");
for (const bug of bugs) {
  const found = fits(bug) ? await hunt(bug) : undefined;
  if (found === undefined || found.steps > STEPS_MAX) missed++;
  if (found === undefined) {
    const why = fits(bug) ? "not found" : "has no place in the sources any more";
    console.log(`| ${bug.name} | **${why}** | | |`);
    continue;
  }
  const promise = (found.error as { invariant?: string }).invariant ?? `threw ${found.error}`;
  console.log(`| ${bug.name} | \`${promise}\` | ${found.history} | ${found.steps} |`);
  if (wanted !== "") console.log(`\n${found.timeline}\n`);
}
process.exitCode = missed === 0 ? 0 : 1;
