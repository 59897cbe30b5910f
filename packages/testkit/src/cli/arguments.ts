/** What `presently-fuzz` can be told. */
import { parseArgs } from "node:util";
import { ScenarioError } from "../errors.ts";
import { FAULTS, type Fault } from "../scenario.ts";

export const USAGE = `usage: presently-fuzz [options]

Runs whole clusters of the real code in virtual time, breaks them in every way that it knows, and checks every promise.

  --runs N         how many histories (default 200)
  --seed S         the same histories again (default: drawn at random, and told)
  --nodes N|A..B   how many nodes, or from how many to how many (default 2..5; 1 to 7)
  --faults LIST    what goes wrong, of ${FAULTS.join(",")} (default all; none: nothing does)
  --replay FILE    runs one history that was written down when it failed, and tells it in words
  --save FILE      where to write a failing history (default presently-history.json)
  --help           this text

Exit code: 0 if every promise was kept, 1 if one was broken, 2 for a mistake in the arguments.
`;

export interface FuzzArguments {
  readonly runs: number;
  readonly seed: number | undefined;
  readonly nodes: { readonly min: number; readonly max: number };
  readonly faults: readonly Fault[];
  readonly replay: string | undefined;
  readonly save: string;
  readonly help: boolean;
}

const NODES_MAX = 7;

/** @throws {ScenarioError} for arguments that cannot be used; says which, and what would do */
export function parseArguments(args: readonly string[]): FuzzArguments {
  const values = parsed(args);
  return {
    runs: integer("--runs", values.runs ?? "200", 1),
    seed: values.seed === undefined ? undefined : integer("--seed", values.seed, 0),
    nodes: nodes(values.nodes ?? "2..5"),
    faults: faults(values.faults),
    replay: values.replay,
    save: values.save ?? "presently-history.json",
    help: values.help ?? false,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: "string" } as const;
  const options = { runs: text, seed: text, nodes: text, faults: text, replay: text, save: text } as const;
  try {
    return parseArgs({ args: [...args], options: { ...options, help: { type: "boolean" } } }).values;
  } catch (error) {
    throw new ScenarioError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function integer(name: string, value: string, least: number): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < least || number > 0x7fff_ffff)
    throw new ScenarioError(`${name} must be an integer from ${least} to ${0x7fff_ffff}, not ${value}`);
  return number;
}

function nodes(value: string): { min: number; max: number } {
  const [min, max = min] = value.split("..").map(Number) as [number, number?];
  if (!Number.isInteger(min) || !Number.isInteger(max) || min < 1 || max! < min || max! > NODES_MAX)
    throw new ScenarioError(
      `--nodes must be a number or a range such as 2..5, of 1 to ${NODES_MAX}, not ${value}`,
    );
  return { min, max: max! };
}

function faults(value: string | undefined): readonly Fault[] {
  if (value === undefined) return FAULTS;
  if (value === "none") return [];
  const unknown = value.split(",").find((name) => !FAULTS.includes(name as Fault));
  if (unknown !== undefined)
    throw new ScenarioError(`--faults must be some of ${FAULTS.join(",")} or none, not ${unknown}`);
  return value.split(",") as Fault[];
}
