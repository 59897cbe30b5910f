/**
 * Plants bugs in the sources, one at a time, and says which promise the fixed histories of the simulator find broken, in
 * which history, and how short it could be made.
 *
 *     npx tsx test/planted/run.ts                 all of them: some minutes
 *     npx tsx test/planted/run.ts hearsay         those whose names have this in them, with their timelines
 *
 * Exit code 1: one was not found, or its history did not get short.
 */
import { fileURLToPath } from "node:url";
import type * as Testkit from "@presently/testkit";
import { createViteServer } from "vitest/node";
import { PLANTED_BUGS, type PlantedBug } from "./bugs.ts";
import { fits, planted } from "./plant.ts";

/** As in `test/property/testkit-convergence.test.ts`. */
const FIXED = { seed: 1, runs: 800 };
const STEPS_MAX = 12;

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs the fixed histories on the sources with this bug in them, or on the sources as they are. */
async function hunt(bug: PlantedBug | undefined): Promise<Testkit.FuzzReport> {
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
    const { fuzz } = (await server.ssrLoadModule(`${root}packages/testkit/src/index.ts`)) as typeof Testkit;
    return fuzz({ ...FIXED, shrinkRunsMax: 600 });
  } finally {
    await server.close();
  }
}

const wanted = process.argv.slice(2).join(" ");
const bugs = PLANTED_BUGS.filter(({ name }) => name.includes(wanted));
let missed = 0;
if (wanted === "") {
  const { failure, runs } = await hunt(undefined);
  if (failure !== undefined) {
    console.log(`the sources break a promise without a bug being planted:\n${failure.timeline}`);
    process.exit(2);
  }
  console.log(`nothing planted: ${runs} histories, nothing found\n`);
}
console.log("| planted bug | promise that breaks | found in history | steps, shrunk |\n|---|---|---|---|");
for (const bug of bugs) {
  if (!fits(bug)) {
    missed++;
    console.log(`| ${bug.name} | **has no place in the sources any more** | | |`);
    continue;
  }
  const { failure, runs } = await hunt(bug);
  if (failure === undefined || failure.scenario.steps.length > STEPS_MAX) missed++;
  const { error, scenario, timeline } = failure ?? {};
  const promise = (error as { invariant?: string } | undefined)?.invariant ?? `threw ${error}`;
  console.log(
    failure === undefined
      ? `| ${bug.name} | **not found** | | |`
      : `| ${bug.name} | ${promise} | ${runs} | ${scenario?.steps.length} |`,
  );
  if (wanted !== "") console.log(`\n${timeline ?? ""}\n`);
}
process.exitCode = missed === 0 ? 0 : 1;
