/** Every link of the documentation within this repository leads somewhere, also to the heading that it names. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { headingsOf, linksIn } from "../helpers/markdown.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const documents = [...documentsUnder("")]
  .map((path) => ({ path, links: linksIn(readFileSync(join(root, path), "utf8")) }))
  .filter(({ links }) => links.length > 0);

describe.each(documents)("$path", ({ path, links }) => {
  test("leads nowhere that is not there", () => {
    const broken = links.filter((link) => !leadsSomewhere(join(root, path), link));
    expect(broken).toEqual([]);
  });
});

test("headings are found as the links spell them", () => {
  expect(headingsOf("# What it *does*, and `why`\n## What it does, and why")).toEqual([
    "what-it-does-and-why",
    "what-it-does-and-why-1",
  ]);
  expect(leadsSomewhere(join(root, "README.md"), "#no-such-heading")).toBe(false);
  expect(leadsSomewhere(join(root, "README.md"), "no-such-file.md")).toBe(false);
});

/** What people wrote: neither installed nor generated, nor hidden. Paths from the root. */
function* documentsUnder(folder: string): Iterable<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (/^(\..*|node_modules|dist|coverage|reference)$/.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* documentsUnder(path);
    else if (path.endsWith(".md")) yield path;
  }
}

function leadsSomewhere(from: string, link: string): boolean {
  const [file, heading] = link.split("#") as [string, string | undefined];
  const target = file === "" ? from : join(dirname(from), decodeURIComponent(file));
  if (!existsSync(target) || relative(root, target).startsWith("..")) return false;
  if (heading === undefined || statSync(target).isDirectory()) return true;
  return headingsOf(readFileSync(target, "utf8")).includes(heading);
}
