import { readFileSync, writeFileSync } from "node:fs";
import { REPLICA_DEFAULTS } from "@presently/replica";
import { describe, expect, test } from "vitest";
import { commandTable } from "./cli/command-table.ts";
import { type OptionSpec, optionTable } from "./option-table.ts";

const readme = new URL("../README.md", import.meta.url);

describe("the table of options", () => {
  test("stands in the README as it is", () => {
    const text = readFileSync(readme, "utf8");
    const marked = /<!-- options -->[\s\S]*?<!-- end of options -->/;
    const table = `<!-- options -->\n${optionsAsMarkdown()}\n<!-- end of options -->`;
    // Run with UPDATE_README=1 after a change of the table.
    if (process.env.UPDATE_README)
      writeFileSync(
        readme,
        text.replace(marked, () => table),
      );
    else expect(marked.exec(text)?.[0]).toBe(table);
  });

  test("has every flag that the page on deployment shows", () => {
    const text = readFileSync(new URL("../docs/deployment.md", import.meta.url), "utf8");
    const shown = new Set(text.match(/(?<![\w-])--[a-z][a-z-]+/g));
    // Of the command, but no options of a node; and of other commands: docker, kubectl, presently token, esbuild.
    const others = ["--file", "--tag", "--rm", "--publish", "--kustomize", "--id", "--scope"].concat([
      "--bundle",
      "--platform",
      "--format",
      "--outfile",
      "--banner",
      "--packages",
    ]);
    const flags = [...optionTable, ...commandTable].map(({ flag }) => flag).concat(others);
    expect([...shown].filter((flag) => !flags.includes(flag))).toEqual([]);
    expect(shown.size).toBeGreaterThan(12);
  });

  test("has every option of the replica", () => {
    const paths = optionTable.map(({ path }) => path);
    expect(Object.keys(REPLICA_DEFAULTS).filter((option) => !paths.includes(option))).toEqual([]);
  });

  test.each([
    ["", new URL("node-options.ts", import.meta.url)],
    ["mesh.", new URL("../../mesh/src/options.ts", import.meta.url)],
  ])("has the defaults that docstrings tell (%s%s)", (section, source) => {
    const told = [...defaultsToldIn(readFileSync(source, "utf8"), section)];
    expect(told.length).toBeGreaterThan(8);
    const defaults = new Map(optionTable.map(({ path, default: value }) => [path, value]));
    const wrong = told.filter(
      ([path, value]) => typeof defaults.get(path) === "number" && defaults.get(path) !== value,
    );
    expect(wrong).toEqual([]);
  });

  test("has each path once, and each flag for one setting", () => {
    const paths = optionTable.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    const flags = optionTable.flatMap(({ flag, path }) => (flag && !path.endsWith(".port") ? [flag] : []));
    expect(new Set(flags).size).toBe(flags.length);
  });
});

/** `[path, number]` for each field whose docstring says "default 100", or "defaults 100 and 500" for it and the next one. */
function* defaultsToldIn(source: string, section: string): Iterable<[string, number]> {
  const documented =
    /interface (?<owner>\w+)|\/\*\*(?<doc>(?:[^*]|\*(?!\/))*)\*\/\s*(?<fields>(?:readonly \w+\??: [^;]*;\s*)+)/g;
  const sections: Readonly<Record<string, string>> = { MeshOptions: "mesh.", HttpOptions: "http." };
  let prefix = section;
  for (const { groups = {} } of source.matchAll(documented)) {
    const { owner, doc = "", fields = "" } = groups;
    if (owner !== undefined) prefix = sections[owner] ?? section;
    const numbers = /defaults? (?<first>[\d,]*\d)(?!,?\d|\.\d| [KM]iB)(?: and (?<second>[\d,]*\d))?/i.exec(
      doc,
    )?.groups;
    if (numbers === undefined) continue;
    const names = [...fields.matchAll(/readonly (\w+)/g)].map(([, name]) => prefix + name!);
    const values = [numbers.first, numbers.second].flatMap((text) =>
      text === undefined ? [] : [Number(text.replaceAll(",", ""))],
    );
    for (const [index, value] of values.entries())
      if (names[index] !== undefined) yield [names[index], value];
  }
}

function optionsAsMarkdown(): string {
  const heading = ["| option | flag | unit | default | what it is |", "|---|---|---|---|---|"];
  return [...heading, ...optionTable.map(row)].join("\n");
}

function row({ path, flag, kind, unit, defaultText, default: value, help }: OptionSpec): string {
  const units = { integer: unit ?? "port", switch: "true or false", texts: "list", text: "text" };
  const flagCell = flag === undefined ? "" : ` \`${flag}\``;
  return `| \`${path}\` |${flagCell} | ${units[kind]} | ${defaultText ?? value} | ${help} |`;
}
