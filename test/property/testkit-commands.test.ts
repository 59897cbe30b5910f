/** Model-based: what a cluster shows comes to what a model says that knows neither replicas, nor messages, nor time. */
import { type ClusterCommand, clusterCommands, runCommands, type StepCommand } from "@presently/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";

const NODES = 3;
/** So long that faults, changes and pauses come together. */
const LONG = { maxCommands: 40, size: "max" } as const;

test("whatever is done, a node shows of itself what its sessions track, and a mended cluster all of it", () => {
  const kinds = new Set<string>();
  fc.assert(
    fc.property(
      fc.noShrink(fc.nat()),
      fc.commands(clusterCommands({ nodes: NODES }), LONG),
      (seed, commands) => {
        runCommands(commands, { seed, nodes: NODES });
        for (const command of commands) kinds.add((command as unknown as { cmd: StepCommand }).cmd.step.do);
      },
    ),
    { numRuns: 100, seed: 1 },
  );
  expect([...kinds].sort()).toEqual(
    [
      ...["track", "update", "untrack", "close", "batch", "kick", "advance"],
      ...["cut", "mend", "mend-all", "partition", "stall", "slow", "pause", "resume", "crash", "start"],
      ...["stop", "evict"],
    ].sort(),
  );
});

/** Looks at the other nodes as well: as if a change were everywhere at once. */
const impatient: ClusterCommand = {
  check: () => true,
  run: (model, world) => model.checkAll(world),
  toString: () => "look everywhere",
};

test("a promise that is not kept is shrunk to the commands that break it, and told", () => {
  const commands = fc.commands(
    [...clusterCommands({ nodes: NODES, faults: ["cuts", "crashes"] }), fc.constant(impatient)],
    LONG,
  );
  const { counterexample, errorInstance } = fc.check(
    fc.property(commands, (history) => runCommands(history, { nodes: NODES })),
    { seed: 1, numRuns: 100 },
  );
  const shrunk = String(counterexample);
  expect(shrunk).toMatch(/^session \d of [abc] (tracks|updates)[^,]*,look everywhere/);
  expect(String(errorInstance)).toMatch(
    /model: [abc]@1000 does not show [\s\S]* 1\. session [\s\S]* 2\. look everywhere\n[\s\S]*=> model: /,
  );
});
