/** What `presently fuzz` can be told. */
import { ScenarioError } from "../errors.ts";
import { FAULTS, type Fault, HOSTILE_FAULTS } from "../scenario.ts";

/** The flags as they were typed; those that are left out have defaults. */
export interface FuzzFlags {
  /** How many histories. Default 200. */
  readonly runs?: string;
  /** The same histories again. Default: drawn at random, and told. */
  readonly seed?: string;
  /** How many nodes, `3`, or from how many to how many, `2..5`; 1 to 7. Default 2..5. */
  readonly nodes?: string;
  /** What goes wrong: some of `FAULTS` and `HOSTILE_FAULTS`, with commas between, or `none`. Default `FAULTS`. */
  readonly faults?: string;
  /** A file with one history that was written down when it failed: runs it, and tells it in words. */
  readonly replay?: string;
  /** Where to write a failing history. Default `presently-history.json`. */
  readonly save?: string;
}

export interface FuzzSettings {
  readonly runs: number;
  readonly seed: number | undefined;
  readonly nodes: { readonly min: number; readonly max: number };
  readonly faults: readonly Fault[];
  readonly replay: string | undefined;
  readonly save: string;
}

const NODES_MAX = 7;
const INTEGER_MAX = 0x7fff_ffff;

/** @throws {ScenarioError} for flags that cannot be used; says which, and what would do */
export function readFlags(flags: FuzzFlags): FuzzSettings {
  return {
    runs: integer("--runs", flags.runs ?? "200", 1),
    seed: flags.seed === undefined ? undefined : integer("--seed", flags.seed, 0),
    nodes: nodes(flags.nodes ?? "2..5"),
    faults: faults(flags.faults),
    replay: flags.replay,
    save: flags.save ?? "presently-history.json",
  };
}

function integer(name: string, value: string, least: number): number {
  const number = value.trim() === "" ? Number.NaN : Number(value);
  if (!Number.isSafeInteger(number) || number < least || number > INTEGER_MAX)
    throw new ScenarioError(`${name} must be an integer from ${least} to ${INTEGER_MAX}, not ${value}`);
  return number;
}

function nodes(value: string): { min: number; max: number } {
  const [min = "", max = min, ...more] = value.split("..");
  const range = { min: Number(min), max: Number(max) };
  const isUsable =
    more.length === 0 &&
    Number.isInteger(range.min) &&
    Number.isInteger(range.max) &&
    range.min >= 1 &&
    range.max >= range.min &&
    range.max <= NODES_MAX;
  if (isUsable) return range;
  throw new ScenarioError(
    `--nodes must be a number or a range such as 2..5, of 1 to ${NODES_MAX}, not ${value}`,
  );
}

function faults(value: string | undefined): readonly Fault[] {
  if (value === undefined) return FAULTS;
  if (value === "none") return [];
  const names = value.split(",").map((name) => name.trim());
  const all = [...FAULTS, ...HOSTILE_FAULTS];
  const unknown = names.find((name) => !all.includes(name as Fault));
  if (unknown !== undefined)
    throw new ScenarioError(`--faults must be some of ${all.join(",")} or none, not ${unknown}`);
  return names as Fault[];
}
