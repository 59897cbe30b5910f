/** What a package contains is what its users need: entry points that exist, types that resolve, and no tests. */
import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { linksIn } from "../helpers/markdown.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folders = readdirSync(join(root, "packages")).map((folder) => join(root, "packages", folder));
const TIMEOUT_MS = 120_000;
const run = promisify(execFile);

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
}
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const entryPoints = folders.flatMap((folder) => {
  const { name, exports } = manifestOf(folder);
  return Object.keys(exports)
    .filter((path) => !path.includes(".json"))
    .map((path) => join(name, path));
});

describe("a package", () => {
  let packed: ReadonlyMap<string, readonly string[]>;
  beforeAll(async () => {
    const arguments_ = ["pack", "--dry-run", "--json", "--ignore-scripts", ...folders];
    const { stdout } = await run("npm", arguments_, { cwd: root, maxBuffer: 2 ** 26 });
    const packages: { name: string; files: { path: string }[] }[] = JSON.parse(stdout);
    packed = new Map(packages.map(({ name, files }) => [name, files.map(({ path }) => path)]));
  }, TIMEOUT_MS);

  test.each(folders.map((folder) => [manifestOf(folder).name, folder]))(
    "%s can be published",
    async (_, folder) => {
      const { messages } = await publint({ pkgDir: folder, strict: true, level: "suggestion", pack: false });
      const manifest = manifestOf(folder) as never;
      expect(messages.map((message) => formatMessage(message, manifest))).toEqual([]);
    },
  );

  test.each(folders.map((folder) => [manifestOf(folder).name, folder]))(
    "%s holds what its manifest names and its README, and none of its tests",
    (name, folder) => {
      const files = packed.get(name!);
      const { exports, bin = {} } = manifestOf(folder!);
      const named = [...Object.values(exports).flatMap(targetsOf), ...Object.values(bin)];
      expect(named.map((path) => path.replace(/^\.\//, "")).filter((path) => !files!.includes(path))).toEqual(
        [],
      );
      expect(files).toContain("README.md");
      expect(files!.filter((path) => /\.test\.|tsbuildinfo/.test(path))).toEqual([]);
    },
  );

  test.each(folders.map((folder) => [manifestOf(folder).name, folder]))(
    "%s has no link to what is not in it",
    (name, folder) => {
      const files = packed.get(name!)!;
      const there = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`));
      const dead = files
        .filter((file) => file.endsWith(".md"))
        .flatMap((file) => linksIn(readFileSync(join(folder!, file), "utf8")).map((link) => ({ file, link })))
        .filter(({ link }) => !link.startsWith("#"))
        .filter(({ file, link }) => !there(join(dirname(file), decodeURIComponent(link.split("#")[0]!))));
      expect(dead).toEqual([]);
    },
  );
});

/** The files that an entry of `exports` leads to. */
function targetsOf(target: unknown): string[] {
  return typeof target === "string" ? [target] : Object.values(target as object).flatMap(targetsOf);
}

describe("somebody who has installed all packages", () => {
  let folder: string;
  beforeAll(() => {
    mkdirSync(join(root, "test/unit/dist"), { recursive: true });
    folder = mkdtempSync(join(root, "test/unit/dist/consumer-"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    for (const source of folders) {
      const place = join(folder, "node_modules", manifestOf(source).name);
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(source, place);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("imports every entry point in plain Node.js", { timeout: TIMEOUT_MS }, async () => {
    const imports = entryPoints.map((name) => `import(${JSON.stringify(name)})`);
    const script = `const all = await Promise.all([${imports}]); console.log(all.map((one) => Object.keys(one).length > 0).join()); process.exit(0);`;
    writeFileSync(join(folder, "all.mjs"), script);
    const { stdout } = await run(process.execPath, ["all.mjs"], { cwd: folder });
    expect(stdout.trim().split(",")).toEqual(entryPoints.map(() => "true"));
  });

  test("finds types for every entry point as an ES module", { timeout: TIMEOUT_MS }, async () => {
    const lines = entryPoints.map((name, index) => `export * as n${index} from ${JSON.stringify(name)};`);
    writeFileSync(join(folder, "all.ts"), lines.join("\n"));
    const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck"];
    const tsc = join(root, "node_modules/.bin/tsc");
    const output = await run(tsc, [...flags, "--ignoreConfig", "all.ts"], { cwd: folder }).then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
    expect(output).toBe("");
  });
});
