/** Scenarios as text, for files that replay a failure. */
import { ScenarioError } from "./errors.ts";
import type { Scenario, Step } from "./scenario.ts";

const STEPS = new Set<Step["do"]>([
  "track",
  "update",
  "untrack",
  "close",
  "batch",
  "kick",
  "cut",
  "mend",
  "mend-all",
  "partition",
  "stall",
  "slow",
  "pause",
  "resume",
  "crash",
  "start",
  "move",
  "stop",
  "evict",
  "lie",
  "echo",
  "throw",
  "app",
  "advance",
]);

/**
 * The scenario in a text that `JSON.stringify` made of one.
 *
 * @throws {ScenarioError} if it is none
 */
export function parseScenario(text: string): Scenario {
  const { seed, nodes, logSizeMax, steps } = parsed(text) as Partial<Scenario>;
  if (!isCount(seed, 0)) throw new ScenarioError("a scenario must have a seed, an integer of at least 0");
  if (!isCount(nodes, 1)) throw new ScenarioError("a scenario must say how many nodes there are: at least 1");
  if (!isCount(logSizeMax, 1)) throw new ScenarioError("a scenario must have a logSizeMax of at least 1");
  if (!Array.isArray(steps)) throw new ScenarioError("a scenario must have a list of steps");
  for (const [index, step] of steps.entries()) checkStep(step, index);
  return { seed, nodes, logSizeMax, steps };
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw new ScenarioError("a scenario must be JSON", { cause: error });
  }
  throw new ScenarioError("a scenario must be a JSON map");
}

function checkStep(step: unknown, index: number): void {
  const say = (problem: string) => new ScenarioError(`step ${index + 1} ${problem}`);
  if (typeof step !== "object" || step === null || !("do" in step))
    throw say("must be a map with a field named do");
  if (!STEPS.has(step.do as Step["do"])) throw say(`is of an unknown kind: ${JSON.stringify(step.do)}`);
  for (const field of [
    "node",
    "other",
    "session",
    "topic",
    "key",
    "ms",
    "nodes",
    "handoffMs",
    "bytesPerSecond",
    "lie",
    "past",
    "times",
  ]) {
    const value = (step as Record<string, unknown>)[field];
    if (value !== undefined && !isCount(value, 0))
      throw say(`must have an integer of at least 0 as ${field}`);
  }
}

function isCount(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}
