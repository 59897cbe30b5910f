/** The table of what users of Phoenix expect names tests that there are. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const table = readFileSync(`${root}packages/phoenix/docs/acceptance.md`, "utf8");
const rows = [...table.matchAll(/^\| ([A-J]\d+) \| .* \| `([^`]+)`: (.*) \|$/gm)].map(
  ([, row, file, tests]) => ({ row: row!, file: file!, tests: tests!.split("; ") }),
);

test("every row has a test", () => {
  expect(rows.length).toBe(table.split("\n").filter((line) => /^\| [A-J]\d/.test(line)).length);
  expect(rows.length).toBeGreaterThan(50);
});

test.each(rows)("the tests of $row are there", ({ file, tests }) => {
  const path = file.startsWith("src/") ? `packages/phoenix/${file}` : `test/${file}`;
  const source = readFileSync(root + path, "utf8");
  for (const name of tests) expect(source, `${path} has no test "${name}"`).toContain(name);
});
