/**
 * Takes away from a failing scenario what it does not need to fail: first whole runs of steps, then single ones, then what
 * is left is made simpler. Source: Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002.
 */
import { InvariantError } from "./errors.ts";
import type { Scenario, Step } from "./scenario.ts";

/** Runs a scenario; answers what it failed with, or undefined. */
export type Attempt = (scenario: Scenario) => unknown;

/** The smallest scenario found that still fails in the same way, and what it fails with. */
export interface Minimized {
  readonly scenario: Scenario;
  readonly error: unknown;
  /** How often it was tried. */
  readonly attempts: number;
}

/** Whether two failures are the same one: of the same invariant, or of the same class. */
export function isSameFailure(one: unknown, other: unknown): boolean {
  if (one instanceof InvariantError || other instanceof InvariantError)
    return (
      one instanceof InvariantError && other instanceof InvariantError && one.invariant === other.invariant
    );
  return one instanceof Error && other instanceof Error ? one.name === other.name : one !== undefined;
}

class Minimizer {
  scenario: Scenario;
  error: unknown;
  attempts = 0;
  private readonly attempt: Attempt;
  private readonly attemptsMax: number;

  constructor(scenario: Scenario, error: unknown, attempt: Attempt, attemptsMax: number) {
    this.scenario = scenario;
    this.error = error;
    this.attempt = attempt;
    this.attemptsMax = attemptsMax;
  }

  get exhausted(): boolean {
    return this.attempts >= this.attemptsMax;
  }

  /** Keeps the candidate if it fails in the same way. */
  try(candidate: Scenario): boolean {
    if (this.exhausted) return false;
    this.attempts++;
    const error = this.attempt(candidate);
    if (error === undefined || !isSameFailure(error, this.error)) return false;
    this.scenario = candidate;
    this.error = error;
    return true;
  }

  trySteps(steps: readonly Step[]): boolean {
    return this.try({ ...this.scenario, steps });
  }

  removeSteps(): void {
    for (let size = Math.max(1, this.scenario.steps.length >> 1); size >= 1; size >>= 1) {
      for (let end = this.scenario.steps.length; end > 0; end -= size) {
        const { steps } = this.scenario;
        const at = Math.max(0, end - size);
        this.trySteps([...steps.slice(0, at), ...steps.slice(end)]);
      }
    }
  }

  /** Answers whether anything has become simpler. */
  simplifySteps(): boolean {
    let simpler = false;
    for (let index = 0; index < this.scenario.steps.length; index++) {
      const { steps } = this.scenario;
      for (const step of simplerThan(steps[index]!, steps[index + 1])) {
        const next = steps[index + 1];
        const merges = step.do === "advance" && next?.do === "advance" && step.ms > next.ms;
        if (this.trySteps([...steps.slice(0, index), step, ...steps.slice(index + (merges ? 2 : 1))])) {
          simpler = true;
          break;
        }
      }
    }
    return simpler;
  }

  dropNodes(): void {
    let { nodes } = this.scenario;
    while (nodes > 1) {
      nodes--;
      const steps = this.scenario.steps.map((step) => among(nodes, step));
      if (!this.try({ ...this.scenario, nodes, steps })) break;
    }
  }
}

/**
 * The smallest scenario that it finds that fails in the same way.
 *
 * @param attemptsMax how often it may run one. Cost: so many runs
 */
export function minimize(
  scenario: Scenario,
  error: unknown,
  attempt: Attempt,
  attemptsMax = 1_000,
): Minimized {
  const minimizer = new Minimizer(scenario, error, attempt, attemptsMax);
  for (let before = Number.POSITIVE_INFINITY; ; before = minimizer.scenario.steps.length) {
    minimizer.removeSteps();
    minimizer.dropNodes();
    const simpler = minimizer.simplifySteps();
    if (minimizer.exhausted || (!simpler && minimizer.scenario.steps.length >= before)) break;
  }
  if (minimizer.scenario.logSizeMax < 1_000) minimizer.try({ ...minimizer.scenario, logSizeMax: 1_000 });
  return { scenario: minimizer.scenario, error: minimizer.error, attempts: minimizer.attempts };
}

/** The same step among fewer nodes, as it would be taken there. */
function among(nodes: number, step: Step): Step {
  return {
    ...step,
    ...("node" in step && { node: step.node % nodes }),
    ...("other" in step && { other: step.other % nodes }),
  } as Step;
}

/** Simpler steps to put in the place of one, the simplest first. */
function* simplerThan(step: Step, next: Step | undefined): Iterable<Step> {
  if (step.do === "advance") {
    // Two in a row are one.
    if (next?.do === "advance") yield { do: "advance", ms: step.ms + next.ms };
    for (const ms of [1, 100, 1_000, 10_000]) if (ms < step.ms) yield { do: "advance", ms };
    return;
  }
  if (step.do === "app") return;
  for (const [field, value] of Object.entries(step)) {
    if (field === "do" || field === "bytesPerSecond") continue;
    if (value === true) yield { ...step, [field]: false } as Step;
    if (typeof value !== "number" || value === 0) continue;
    yield { ...step, [field]: 0 } as Step;
    if (value > 1) yield { ...step, [field]: value - 1 } as Step;
  }
}
