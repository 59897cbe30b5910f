/** `presently fuzz`: searches for a history that breaks a promise, or runs one again that did. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Coverage } from "../coverage.ts";
import { ScenarioError } from "../errors.ts";
import {
  describeFailure,
  type FuzzOptions,
  type FuzzProgress,
  type FuzzReport,
  fuzz,
  replay,
} from "../fuzz.ts";
import { parseScenario } from "../scenario-file.ts";
import { type FuzzFlags, type FuzzSettings, readFlags } from "./flags.ts";

/** Where the words go; a terminal shows progress. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** Where the command writes, and what no flag says of its clusters. */
export interface FuzzCommandOptions {
  /** Default standard output. */
  readonly output?: Output;
  /** For the progress bar. Default standard error. */
  readonly errors?: Output;
  /** Of every cluster, besides what the flags say. */
  readonly cluster?: Pick<FuzzOptions, "replica" | "network">;
}

const BAR_WIDTH = 30;

/**
 * Runs the command; answers its exit code: 0 all promises kept, 1 one broken.
 *
 * @throws {ScenarioError} for flags, or a file, that cannot be used: exit code 2
 */
export function fuzzCommand(flags: FuzzFlags, options: FuzzCommandOptions = {}): number {
  const { output = process.stdout, errors = process.stderr, cluster = {} } = options;
  const settings = readFlags(flags);
  return settings.replay === undefined
    ? search(settings, cluster, output, errors)
    : again(settings.replay, cluster, output);
}

function search(
  { seed, runs, nodes, faults, save }: FuzzSettings,
  cluster: NonNullable<FuzzCommandOptions["cluster"]>,
  output: Output,
  errors: Output,
): number {
  const report = fuzz({
    ...cluster,
    runs,
    nodes,
    faults,
    ...(seed !== undefined && { seed }),
    ...(errors.isTTY && { onProgress: (progress: FuzzProgress) => errors.write(bar(progress)) }),
  });
  if (errors.isTTY) errors.write("\r\u001b[K");
  output.write(summary(report));
  if (report.failure === undefined) return 0;
  writeFileSync(save, `${JSON.stringify(report.failure.scenario)}\n`);
  output.write(`\n${describeFailure(report.failure, report.seed, save)}\n`);
  return 1;
}

function again(file: string, cluster: NonNullable<FuzzCommandOptions["cluster"]>, output: Output): number {
  const { error, timeline } = replay(parseScenario(textOf(file)), cluster);
  output.write(`${timeline}\n`);
  output.write(error === undefined ? "every promise was kept\n" : "a promise was broken\n");
  return error === undefined ? 0 : 1;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ScenarioError(`${file} cannot be read`, { cause: error });
  }
}

function bar({ done, runs, shrinkRuns }: FuzzProgress): string {
  const filled = Math.round((done / runs) * BAR_WIDTH);
  const what =
    shrinkRuns > 0 ? `one failed; making it smaller: ${shrinkRuns} runs` : `${done} of ${runs} histories`;
  return `\r\u001b[K[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}] ${what}`;
}

function summary({ seed, runs, coverage, virtualMs, events, convergedInMsMax }: FuzzReport): string {
  return [
    `${runs} histories of seed ${seed}: ${(virtualMs / 3_600_000).toFixed(1)} hours of virtual time, ${events} events`,
    `slowest to agree after the last fault was healed: ${Math.round(convergedInMsMax)} ms`,
    "",
    ...reached(coverage),
    "",
  ].join("\n");
}

function reached({ counts, missing }: Coverage): string[] {
  const lines = ["reached:"];
  for (const [situation, count] of counts)
    if (count > 0) lines.push(`${String(count).padStart(8)}  ${situation}`);
  if (missing.length > 0) lines.push(`never reached: ${missing.join("; ")}`);
  return lines;
}
