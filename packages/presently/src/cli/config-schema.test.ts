import { readFileSync, writeFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type CommandOptionSpec, commandTable } from "./command-table.ts";
import { parseConfigFile } from "./config-file.ts";
import { configSchema } from "./config-schema.ts";
import { createProgram } from "./main.ts";

const packageFile = (path: string) => new URL(`../../${path}`, import.meta.url);
const documentation = readFileSync(packageFile("docs/configuration.md"), "utf8");
const examples = [...documentation.matchAll(/```(?:yaml|json)\n([\s\S]*?)```/g)].map(([, text]) => text!);

describe("the schema of the configuration file", () => {
  const validate = new Ajv({ strict: true, allErrors: true }).compile(configSchema());

  test("is published as it is", () => {
    const text = `${JSON.stringify(configSchema(), undefined, 2)}\n`;
    const published = packageFile("config.schema.json");
    // Run with UPDATE_README=1 after a change of the tables.
    if (process.env.UPDATE_README) writeFileSync(published, text);
    else expect(readFileSync(published, "utf8")).toBe(text);
  });

  test("accepts every example of the documentation, and so does the command", () => {
    expect(examples.length).toBeGreaterThan(2);
    for (const example of examples) {
      expect(validate(parse(example)), JSON.stringify(validate.errors)).toBe(true);
      expect(parseConfigFile(example, "/").problems).toEqual([]);
    }
  });

  test.each([
    [{ nmae: "a" }],
    [{ name: "" }],
    [{ secret: "s3cret" }],
    [{ mesh: { port: "7001" } }],
    [{ mesh: { tls: { key: "-----BEGIN PRIVATE KEY-----" } } }],
    [{ http: true }],
    [{ phoenix: "/socket" }],
    [{ webhook: { topics: "room:*" } }],
    [{ logLevel: "loud" }],
  ])("refuses %j", (fields) => {
    expect(validate(fields)).toBe(false);
  });
});

test("every flag of presently start stands for a field of the file", () => {
  const start = createProgram().commands.find((command) => command.name() === "start")!;
  const described = new Set(JSON.stringify(configSchema()).match(/"(\w+)":\{/g));
  expect(described.size).toBeGreaterThan(50);
  const inTables = new Set([...commandTable.map(({ flag }) => flag)]);
  const extra = start.options.map(({ long }) => long).filter((long) => !inTables.has(long ?? ""));
  const readme = readFileSync(packageFile("README.md"), "utf8");
  const others = ["--config", "--no-http"];
  expect(extra.filter((long) => !others.includes(long!) && !readme.includes(`\`${long}\``))).toEqual([]);
});

test("the fields of the command stand in the documentation as they are", () => {
  const row = ({ path, flag, kind, default: byDefault, defaultText, help, unit }: CommandOptionSpec) => {
    const kinds = { switch: "true or false", texts: "list", text: "text", integer: unit ?? "number" };
    return `| \`${path}\` | \`${flag}\` | ${kinds[kind]} | ${defaultText ?? byDefault} | ${help.replace(/ \(default: .*\)$/, "")} |`;
  };
  const heading = ["| field | flag | kind | default | what it is |", "|---|---|---|---|---|"];
  const table = ["<!-- fields -->", ...heading, ...commandTable.map(row), "<!-- end of fields -->"].join(
    "\n",
  );
  const marked = /<!-- fields -->[\s\S]*?<!-- end of fields -->/;
  // Run with UPDATE_README=1 after a change of the tables.
  if (process.env.UPDATE_README)
    writeFileSync(
      packageFile("docs/configuration.md"),
      documentation.replace(marked, () => table),
    );
  else expect(marked.exec(documentation)?.[0]).toBe(table);
});
