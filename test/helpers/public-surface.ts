/** What the packages export, found by walking their entry points, so that a test of all of it misses nothing new. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const packages = fileURLToPath(new URL("../../packages/", import.meta.url));

/** Every entry point that a package's manifest exports, `presently/drop-in` for example. */
export function entryPoints(): string[] {
  return readdirSync(packages).flatMap((folder) => {
    const { name, exports } = JSON.parse(readFileSync(join(packages, folder, "package.json"), "utf8"));
    const paths = Object.keys(exports).filter((path) => !path.endsWith(".json"));
    return paths.map((path) => join(name, path));
  });
}

export function isClass(value: unknown): value is new (...words: unknown[]) => object {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

export function isErrorClass(value: unknown): boolean {
  return isClass(value) && value.prototype instanceof Error;
}

/** The names of the methods that users may call: neither `private` to the compiler nor `@internal`. */
export function publicMethods(object: object): string[] {
  const names = new Set<string>();
  for (
    let level: object | null = object;
    level !== null && level !== Object.prototype && level !== Function.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    const hidden = hiddenMembers(level.constructor?.name);
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level)))
      if (typeof value === "function" && name !== "constructor" && !hidden.has(name)) names.add(name);
  }
  return [...names];
}

const sources = new Map<string, string>();

/** Members of a class that only its source can say are not for users. */
function hiddenMembers(className: string | undefined): ReadonlySet<string> {
  if (className === undefined) return new Set();
  if (sources.size === 0)
    for (const file of readdirSync(packages, { recursive: true, encoding: "utf8" })) {
      if (!/^[\w-]+\/src\/.*(?<!\.test)\.tsx?$/.test(file)) continue;
      const text = readFileSync(join(packages, file), "utf8");
      for (const [body, name] of text.matchAll(/^(?:export )?class (\w+)[\s\S]*?^}/gm))
        sources.set(name!, body!);
    }
  const body = sources.get(className) ?? "";
  const hidden =
    /(?:^ {2}private (?:static |async |readonly )*|@internal(?:(?!\*\/)[\s\S])*\*\/\s+(?:async )?)(\w+)[(<:]/gm;
  return new Set([...body.matchAll(hidden)].map(([, name]) => name!));
}
