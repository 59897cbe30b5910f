/** Fuzzing as its users see it: what it finds, how small it gets, and that it can be seen again. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Application,
  describeFailure,
  type FuzzCommandOptions,
  type FuzzFlags,
  fuzz,
  fuzzCommand,
  minimize,
  operation,
  parseScenario,
  replay,
  runScenario,
  type Scenario,
  ScenarioError,
} from "@presently/testkit";
import fc from "fast-check";
import { afterAll, describe, expect, test, vi } from "vitest";

// Histories take what they take on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), "presently-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Naive {
  keys: Set<string>;
  enter(key: string): void;
  leave(key: string): void;
}

/** Remembers who is there by key, and forgets that one key may be present twice. */
const naive: Application<Naive> = {
  topics: ["lobby"],
  start({ replica }) {
    const session = replica.session();
    const keys = new Set<string>();
    replica.watch("lobby", (change) => {
      if (change.type === "state") return;
      for (const { key } of change.joins) keys.add(key);
      for (const { presence } of change.leaves) keys.delete(presence.key);
    });
    return {
      keys,
      enter: (key) => void session.track("lobby", key),
      leave: (key) => void session.untrack("lobby", key),
    };
  },
  operations: {
    enter: operation(fc.constantFrom("ann", "bob"), (app: Naive, key) => app.enter(key)),
    leave: operation(fc.constantFrom("ann", "bob"), (app: Naive, key) => app.leave(key)),
  },
  always({ keys }, { name, replica }) {
    const listed = new Set(replica.list("lobby").map(({ key }) => key));
    if (listed.size !== keys.size)
      throw new Error(`${name} lists ${listed.size} keys and remembers ${keys.size}`);
  },
};

describe("an application with a mistake", () => {
  const report = fuzz({ application: naive, seed: 3, runs: 200, nodes: 3 });

  test("is caught, and the history is made small and told", () => {
    const { failure } = report;
    expect(failure?.error).toMatchObject({ message: expect.stringMatching(/lists 1 keys and remembers 0/) });
    expect(failure!.scenario.steps.length).toBeLessThanOrEqual(4);
    const words = describeFailure(failure!, report.seed);
    expect(words).toMatch(/\d\. [abc]: enter "ann"[\s\S]*sees on lobby: \+ann[\s\S]*=> /);
  });

  test("fails again in the same way when it is replayed, in the same words", () => {
    const { failure } = report;
    const { error, timeline } = replay(JSON.parse(JSON.stringify(failure!.scenario)), {
      application: naive as Application<unknown>,
    });
    expect(`${error}`).toBe(`${failure!.error}`);
    expect(timeline).toBe(failure!.timeline);
  });

  test("is not caught once it is mended", () => {
    const mended: Application<Naive> = {
      ...naive,
      always: () => undefined,
      healed: (apps) => expect(apps.size).toBe(3),
    };
    const { failure, runs } = fuzz({
      application: mended,
      seed: 3,
      runs: 20,
      nodes: 3,
      faults: ["cuts", "pauses"],
    });
    expect([failure, runs]).toEqual([undefined, 20]);
  });
});

test("a failing scenario is minimized to the steps that matter", () => {
  const noise = Array.from({ length: 30 }, (_, index) => ({ do: "advance", ms: 7 + index }) as const);
  const crash = { do: "crash", node: 1, vanish: true } as const;
  const stop = { do: "stop", node: 2, handoffMs: 3_000 } as const;
  const scenario: Scenario = {
    seed: 1,
    nodes: 5,
    logSizeMax: 8,
    steps: [...noise, crash, ...noise, stop, ...noise],
  };
  const fails = ({ steps }: Scenario) =>
    steps.some((step) => step.do === "crash") && steps.some((step) => step.do === "stop")
      ? new Error("both")
      : undefined;
  const minimized = minimize(scenario, new Error("both"), fails);
  expect(minimized.scenario.steps).toEqual([
    { do: "crash", node: 0, vanish: false },
    { do: "stop", node: 0, handoffMs: 0 },
  ]);
  expect(minimized.scenario.nodes).toBe(1);
});

describe("the command", () => {
  const run = (flags: FuzzFlags, cluster: FuzzCommandOptions["cluster"] = {}) => {
    const [out, err]: [string[], string[]] = [[], []];
    const sink = (lines: string[], isTTY = false) => ({ write: (text: string) => lines.push(text), isTTY });
    const code = fuzzCommand(flags, { output: sink(out), errors: sink(err, true), cluster });
    return { code, out: out.join(""), err: err.join("") };
  };

  test("tells what was reached, shows progress, and answers 0 if every promise was kept", () => {
    const { code, out, err } = run({ runs: "10", seed: "1", nodes: "2..3", faults: "cuts,crashes" });
    expect(code).toBe(0);
    expect(out).toMatch(/^10 histories of seed 1: .*\n[\s\S]*reached:\n +\d+ {2}an update/);
    expect(err).toContain("10 of 10 histories");
  });

  test("replays a history that was written down", () => {
    const file = join(folder, "history.json");
    const scenario: Scenario = {
      seed: 5,
      nodes: 2,
      logSizeMax: 8,
      steps: [
        { do: "track", node: 0, session: 0, topic: 0, key: 0, meta: 1 },
        { do: "advance", ms: 100 },
      ],
    };
    writeFileSync(file, JSON.stringify(scenario));
    const { code, out } = run({ replay: file });
    expect(code).toBe(0);
    expect(out).toContain("session 0 of a tracks ann on room:1");
    expect(out).toContain("b@1000 sees on room:1: +ann");
    expect(parseScenario(readFileSync(file, "utf8"))).toEqual(scenario);
  });

  test("answers 1 for a broken promise, and what it writes down breaks it again, in the same words", () => {
    // Whoever was cut off is dialled again only when nobody waits for it any more.
    const network = { network: { dialMinMs: 60_000, dialMaxMs: 60_000 } };
    const save = join(folder, "broken.json");
    const { code, out } = run({ runs: "50", seed: "1", nodes: "3", faults: "cuts", save }, network);
    expect(code).toBe(1);
    expect(out).toContain(`to see it again: npx presently fuzz --replay ${save}\n`);
    const [timeline] = /^ +0\.0000 s +a@1000 starts\n[\s\S]* => .*$/m.exec(out)!;
    expect(timeline).toMatch(/ \d\. .*cut .*\n[\s\S]* => convergence: /);
    const again = run({ replay: save }, network);
    expect(again).toEqual({ code: 1, out: `${timeline}\na promise was broken\n`, err: "" });
    expect(run({ replay: save })).toMatchObject({ code: 0 });
  });

  test.each<[FuzzFlags, string]>([
    [{ runs: "0" }, "--runs must be an integer from 1"],
    [{ seed: "" }, "--seed must be an integer from 0"],
    [{ nodes: "9" }, "--nodes must be"],
    [{ nodes: "3..2" }, "--nodes must be"],
    [{ nodes: "2..3..4" }, "--nodes must be"],
    [{ faults: "cuts,fire" }, "not fire"],
    [{ replay: join(folder, "absent") }, "cannot be read"],
  ])("refuses %j, and says why", (flags, why) => {
    expect(() => run(flags)).toThrow(ScenarioError);
    expect(() => run(flags)).toThrow(why);
  });
});

test.each([
  "",
  "[]",
  "{}",
  '{"seed":1,"nodes":2,"logSizeMax":8,"steps":[{"do":"fly"}]}',
  '{"seed":1,"nodes":2,"logSizeMax":8,"steps":[{"do":"crash","node":-1}]}',
])("%s is no scenario", (text) => {
  expect(() => parseScenario(text)).toThrow(ScenarioError);
});

test("a scenario of one node comes to rest", () => {
  const { convergedInMs } = runScenario({ seed: 1, nodes: 1, logSizeMax: 8, steps: [] });
  expect(convergedInMs).toBe(0);
});
