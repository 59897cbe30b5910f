/** A Vite plugin that plants one bug: the sources that are loaded are not those on the disk. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";
import type { PlantedBug } from "./bugs.ts";

/** Changes one place of a source as it is loaded. Only for a bug that `fits`. */
export function planted(bug: PlantedBug): Plugin {
  return {
    name: "planted-bug",
    enforce: "pre",
    transform: (code, path) =>
      path.split("?")[0]!.endsWith(`/packages/${bug.file}`)
        ? code.replace(placeOf(bug), () => bug.put)
        : undefined,
  };
}

/** Whether what the bug changes stands in its source, and only once. */
export function fits(bug: PlantedBug): boolean {
  const path = fileURLToPath(new URL(`../../packages/${bug.file}`, import.meta.url));
  return [...readFileSync(path, "utf8").matchAll(placeOf(bug))].length === 1;
}

/** Lines may be broken anywhere, and comments stand between them. */
function placeOf({ find }: PlantedBug): RegExp {
  const words = find.split(" ").map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(words.join("(?:\\s+(?://[^\\n]*\\n\\s*)*)"), "g");
}
