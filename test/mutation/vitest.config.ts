/**
 * What decides whether a mutant lives: the tests of one of the two pure packages, and nothing that is slow. Which one, the
 * environment says (`MUTATED`): Stryker's own configuration has no room for it.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const root = fileURLToPath(new URL("../../", import.meta.url));
const TESTS: Readonly<Record<string, readonly string[]>> = {
  crdt: ["packages/crdt/src/**/*.test.ts"],
  replica: [
    "packages/replica/src/{content,gossip,hand-off,heal,incarnation,join-deltas,membership,pull,session,sync}*.test.ts",
  ],
};

/** A mutant that lives has to get through every test, once for each: a share of the runs must do. */
const RUNS_DIVISOR = 50;
const RUNS_MIN = 15;

const fewerRuns = {
  name: "fewer-runs",
  enforce: "pre" as const,
  transform(code: string, path: string): string | undefined {
    if (!path.endsWith(".test.ts")) return undefined;
    return code.replaceAll(
      /\bnumRuns: ([\d_]+)/g,
      (_, runs: string) =>
        `numRuns: ${Math.max(RUNS_MIN, Math.floor(Number(runs.replaceAll("_", "")) / RUNS_DIVISOR))}`,
    );
  },
};

/** The first test that fails settles a mutant: those that take milliseconds go first, not those that took longest last time. */
class QuickestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isProperty = ({ moduleId }: TestSpecification) => Number(moduleId.includes(".property."));
    return files.toSorted((one, other) => isProperty(one) - isProperty(other));
  }
}

export default defineConfig({
  root,
  plugins: [fewerRuns],
  resolve: {
    alias: Object.fromEntries(
      ["crdt", "replica", "testkit"].map((name) => [
        `@presently/${name}`,
        `${root}packages/${name}/src/index.ts`,
      ]),
    ),
  },
  test: {
    include: [...(TESTS[process.env.MUTATED ?? "crdt"] ?? [])],
    setupFiles: [`${root}test/mutation/setup.ts`],
    testTimeout: 60_000,
    // One worker for all files: most of the time a mutant takes is that of starting workers.
    isolate: false,
    maxWorkers: 1,
    sequence: { sequencer: QuickestFirst },
  },
});
