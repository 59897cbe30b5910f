/** The page of limits has every option of every package that is a number: whoever adds one, and no row, is told here. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { optionTable } from "./option-table.ts";

const packages = new URL("../../", import.meta.url);
const page = new URL("../docs/limits.md", import.meta.url);

/** An option that is a number, as its docstring has it. */
interface NumericOption {
  readonly folder: string;
  readonly name: string;
  /** The interface that it belongs to. */
  readonly owner: string;
  /** In one line. */
  readonly text: string;
}

interface Row {
  readonly folder: string;
  readonly option: string;
  readonly of: string;
  readonly unit: string;
  readonly byDefault: string;
  readonly what: string;
}

/** Packages whose options are those of a node, and stand in its table under other paths. */
const ofNode: Readonly<Record<string, string>> = { replica: "", mesh: "mesh." };
/** Of the tools for tests, and of files whose numbers bound nothing or stand in the table of a node. */
const leftOut = [
  "testkit",
  "presently/node-options.ts",
  "presently/node.ts",
  "presently/option-table.ts",
  "presently/demo",
  "keyspace/strings.ts",
  "keyspace/engine.ts",
];
/** What is a number and bounds nothing: names, ports, versions, ways to count. */
const noLimits = [
  "incarnation",
  "port",
  "major",
  "minor",
  "processes",
  "idsPerEvent",
  "scpGcWorkerId",
  "untilMs",
  "least",
];

function numericOptions(folder: string): NumericOption[] {
  const sources = new URL(`${folder}/src/`, packages);
  return readdirSync(sources, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .filter((path) => !leftOut.some((out) => `${folder}/${path}`.startsWith(out)))
    .sort()
    .flatMap((file) => {
      const source = readFileSync(new URL(file, sources), "utf8");
      return [...declaredIn(source, file), ...inheritedIn(source)].map((option) => ({ ...option, folder }));
    })
    .filter(({ name, text }) => !noLimits.includes(name) && /default/i.test(text));
}

type Declared = Omit<NumericOption, "folder">;

function declaredIn(source: string, file: string): Declared[] {
  const declared = /\/\*\*((?:(?!\*\/)[\s\S])*?)\*\/\s*\n\s*readonly (\w+)\??: number;/g;
  return [...source.matchAll(declared)].map(({ index, 1: comment, 2: name }) => {
    const owners = source.slice(0, index).match(/(?<=\binterface )\w+/g);
    const text = comment!
      .replaceAll(/\n\s*\*/g, "\n")
      .replaceAll(/\s+/g, " ")
      .trim();
    return { name: name!, owner: owners?.at(-1) ?? file, text };
  });
}

/** The bounds of a gate, where a drop-in takes them among its own. */
function inheritedIn(source: string): Declared[] {
  const owner = /interface (\w+) extends Partial<GateLimits>/.exec(source)?.[1];
  if (owner === undefined) return [];
  const file = "presently/src/drop-in/gate.ts";
  const gate = declaredIn(readFileSync(new URL(file, packages), "utf8"), file);
  return gate.filter((option) => option.owner === "GateLimits").map((option) => ({ ...option, owner }));
}

/** Options of a node; replica and mesh have theirs in it. */
const nodeRows: readonly Row[] = optionTable
  .filter(({ kind, path }) => kind === "integer" && !path.endsWith(".port"))
  .map(({ path, unit = "", default: value, defaultText, help }) => ({
    folder: "presently",
    option: path,
    of: "NodeOptions",
    unit,
    byDefault: value === undefined ? defaultText! : withCommas(String(value)),
    what: help,
  }));

const folders = readdirSync(packages).filter((folder) => !leftOut.includes(folder));
const otherRows: readonly Row[] = folders
  .filter((folder) => ofNode[folder] === undefined)
  .flatMap((folder) => numericOptions(folder).map(rowOf));

function rowOf({ folder, owner, name, text }: NumericOption): Row {
  const [, value = "", unit = ""] =
    /\b[Dd]efaults? (?:is )?(`\w+`|one hour|[\d.,]*\d(?: and [\d,]+)?)(?: (ms|KiB|MiB|GiB|seconds|s)\b)?/.exec(
      text,
    ) ?? [];
  const byDefault = value === "" ? (/(\d+), the default/.exec(text)?.[1] ?? "") : value;
  const isSize = /^[KMG]iB$/.test(unit);
  return {
    folder,
    option: owner === "LimitOptions" ? `limits.${name}` : name,
    of: owner,
    unit: isSize ? "bytes" : unit || unitOf(name),
    byDefault: isSize ? `${byDefault} ${unit}` : byDefault,
    what: text,
  };
}

/** What a number counts, by its name: `commandsPerSecondMax` counts commands a second. */
function unitOf(name: string): string {
  if (name.endsWith("Ms")) return "ms";
  if (/bytes/i.test(name)) return "bytes";
  const words = name.split("Per")[0]!.split(/(?=[A-Z])/);
  const counted = words.findLast((word) => /[^s]s$/.test(word))?.toLowerCase() ?? "number";
  return name.includes("PerSecond") ? `${counted} a second` : counted;
}

function withCommas(digits: string): string {
  return digits.replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

const head = ({ folder, option, of, unit, byDefault }: Row) =>
  `| ${folder} | \`${option}\` | \`${of}\` | ${unit} | ${byDefault.replaceAll("|", "\\|")} |`;
const line = (row: Row) => `${head(row)} ${row.what.replaceAll("|", "\\|")} |`;

describe("the page of limits", () => {
  const rows = [...nodeRows, ...otherRows];

  test("has every option of every package, with its default", () => {
    const text = readFileSync(page, "utf8");
    if (process.env.UPDATE_README) {
      const table = [
        "| package | option | of | unit | default | what it bounds, and what happens beyond |",
        "|---|---|---|---|---|---|",
      ];
      const marked = /<!-- limits -->[\s\S]*?<!-- end of limits -->/;
      const content = [...table, ...rows.map(line)].join("\n");
      writeFileSync(
        page,
        text.replace(marked, () => `<!-- limits -->\n${content}\n<!-- end of limits -->`),
      );
      return;
    }
    // Run with UPDATE_README=1 after a change of an option.
    expect(rows.map(head).filter((start) => !text.includes(start))).toEqual([]);
    expect(rows.length).toBeGreaterThan(100);
  });

  test("has no option that is none any more", () => {
    const known = new Set(rows.map(({ folder, option, of }) => `| ${folder} | \`${option}\` | \`${of}\``));
    const region = /<!-- limits -->([\s\S]*?)<!-- end of limits -->/.exec(readFileSync(page, "utf8"))![1]!;
    const shown = region.match(/^\| [a-z]+ \| `[^`]+` \| `[^`]+`/gm) ?? [];
    expect(shown.filter((start) => !known.has(start))).toEqual([]);
  });

  test.each(Object.entries(ofNode))("has what %s takes among the options of a node", (folder, prefix) => {
    const paths = nodeRows.map(({ option }) => option);
    const missing = numericOptions(folder).filter(({ name }) => !paths.includes(`${prefix}${name}`));
    const elsewhere = ["lingerMs"];
    expect(missing.map(({ name }) => name).filter((name) => !elsewhere.includes(name))).toEqual([]);
  });

  test("has a default in every row", () => {
    for (const { byDefault, folder, option } of otherRows)
      expect(byDefault, `${folder} ${option} says no default`).not.toBe("");
  });
});
