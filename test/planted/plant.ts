/** A Vite plugin that plants one bug: the sources that are loaded are not those on the disk. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";
import type { PlantedBug } from "./bugs.ts";

/** Changes the sources as they are loaded. Only for a bug that `fits`. */
export function planted(bug: PlantedBug): Plugin {
  return {
    name: "planted-bug",
    enforce: "pre",
    transform: (code, path) =>
      changesOf(bug)
        .filter(({ file }) => path.split("?")[0]!.endsWith(`/packages/${file}`))
        .reduce((before, change) => before.replace(placeOf(change), () => change.put), code),
  };
}

/** Whether what the bug changes stands in its source, and only once. */
export function fits(bug: PlantedBug): boolean {
  return changesOf(bug).every((change) => {
    const path = fileURLToPath(new URL(`../../packages/${change.file}`, import.meta.url));
    return [...readFileSync(path, "utf8").matchAll(placeOf(change))].length === 1;
  });
}

type Change = Omit<PlantedBug, "name" | "also">;

function changesOf(bug: PlantedBug): Change[] {
  return bug.also === undefined ? [bug] : [bug, bug.also];
}

/** Lines may be broken anywhere, and comments stand between them. */
function placeOf({ find }: Change): RegExp {
  const words = find.split(" ").map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(words.join("(?:\\s+(?://[^\\n]*\\n\\s*)*)"), "g");
}
