/**
 * What may import what, and what a pure package may not mention. A package reaches another only through its entry point,
 * and never against the arrows: that keeps the core free of sockets and clocks, and so testable in virtual time.
 *
 * The checker is a function of paths and texts, so that it can be shown to catch what it is there to catch.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { cyclesIn, importGraph, type Name, parseSource } from "../helpers/parsed-source.ts";

interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Folder below `packages/` → manifest. */
type Workspace = ReadonlyMap<string, Manifest>;

/** Who may import whom, by folder. A package that is not listed has no place in the design yet. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  crdt: [],
  replica: ["crdt"],
  mesh: ["replica", "crdt"],
  testkit: ["replica", "crdt"],
  presently: ["mesh", "replica"],
  nats: ["presently"],
  client: [],
  phoenix: ["presently"],
  anycable: ["presently"],
  faye: ["presently"],
  pusher: ["presently"],
  socketcluster: ["presently"],
  "socket.io": ["presently"],
  keyspace: ["presently", "replica", "crdt"],
  colyseus: ["keyspace", "presently"],
};

/** The packages whose outputs follow from their inputs alone, and what else of the world they may import. */
const PURE: Readonly<Record<string, readonly string[]>> = { crdt: [], replica: ["msgpackr"] };

const group = (folder: string, names: string) =>
  names.split(" ").map((name) => `packages/${folder}/src/${name}.ts`);

/** Files whose types need each other. Take out what is mended, and add nothing: put the type into a file of its own. */
const KNOWN_TYPE_CYCLES: readonly (readonly string[])[] = [
  group("anycable", "admission websocket-transport"),
  group("phoenix", "serializer-v1 serializer-v2 serializer"),
  group("phoenix", "channel-calls channel-host channel-outlet channel-server"),
  group("presently", "drop-in/gate drop-in/refusal-counts"),
  group("presently", "demo/control-server demo/demo"),
  group(
    "replica",
    "count-watches dropped-sessions entry-bag entry key-index lingering local-presences messages outbox roster session topic-watch topic",
  ),
  group("pusher", "app-site connection subscription"),
  group("socketcluster", "local-sockets mirror-queue mirror options records user-map"),
  group("testkit", "connection dialer network path process"),
  group("testkit", "coverage fault-steps hostile-steps presence-steps world"),
];

/** The ways to a clock, a timer, randomness, a socket or the process; those of a browser are not in the pure packages' types. */
const IMPURE = new Set(
  [
    ["Date", "performance", "Temporal"],
    ["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate"],
    ["queueMicrotask", "requestAnimationFrame", "requestIdleCallback", "Atomics"],
    ["crypto", "fetch", "WebSocket", "EventSource", "XMLHttpRequest", "BroadcastChannel", "MessageChannel"],
    ["Worker", "SharedWorker", "process", "global", "globalThis", "require", "console", "eval", "Function"],
    ["WeakRef", "FinalizationRegistry"],
  ].flat(),
);

const root = fileURLToPath(new URL("../../", import.meta.url));

describe("the sources", () => {
  const workspace = new Map(
    folders(`${root}packages`).map((folder) => [folder, manifestOf(`${root}packages/${folder}/`)]),
  );
  const sources = ["packages", "test", "bench"].flatMap((folder) => [...sourcesUnder(`${root}${folder}`)]);

  test("keep to the architecture", () => {
    for (const folder of Object.keys(PURE))
      expect(sources.filter(({ path }) => path.startsWith(`packages/${folder}/src/`))).not.toEqual([]);
    expect(violations(sources, workspace)).toEqual([]);
  });

  const modules = sources
    .filter(({ path }) => /^packages\/[^/]+\/src\//.test(path) && !/\.test\.tsx?$/.test(path))
    .map(({ path, text }) => ({ path, imports: parseSource(path, text).imports }));

  test("are read in all their forms", () => {
    for (const ending of [".ts", ".tsx"])
      expect(sources.some(({ path }) => path.endsWith(ending))).toBe(true);
  });

  test("import each other in no circle at run time", () => {
    expect(cyclesIn(importGraph(modules, { types: false }))).toEqual([]);
  });

  test("import each other in no circle for types, but for the known ones, which may only shrink", () => {
    const cycles = cyclesIn(importGraph(modules, { types: true }));
    const isKnown = (cycle: string[]) =>
      KNOWN_TYPE_CYCLES.some((known) => cycle.every((path) => known.includes(path)));
    expect(cycles.filter((cycle) => !isKnown(cycle))).toEqual([]);
  });
});

test("no test is retried, skipped or run alone", () => {
  const names = [/^test\//, /\.test\.[cm]?tsx?$/, /^vitest\.config\.ts$/, /^package\.json$/];
  const files = [
    ...["packages", "test"].flatMap((folder) => [...sourcesUnder(`${root}${folder}`)]),
    ...["vitest.config.ts", "package.json", ".ci/run"].map((path) => ({
      path,
      text: readFileSync(`${root}${path}`, "utf8"),
    })),
  ].filter(({ path }) => path === ".ci/run" || names.some((name) => name.test(path)));
  expect(files.length).toBeGreaterThan(200);
  const found = files
    // It has the examples of the next test.
    .filter(({ path }) => path !== "test/unit/architecture.test.ts")
    .flatMap(({ path, text }) => retriesIn(text).map((what) => `${path}: ${what}`));
  expect(found).toEqual([]);
});

test.each([
  ["retry: 1", ["retry: 1"]],
  ["{ retry: { count: 2 } }", ["retry: {"]],
  ["vitest run --retry=2", ["--retry"]],
  ["it.only('x')", ["it.only("]],
  ["describe.skip('x')", ["describe.skip("]],
  ["new faye.Client(url, { retry: 0.1 })", []],
  ["retry: 0", []],
])("the search for retries sees %j", (text, found) => {
  expect(retriesIn(text)).toEqual(found);
});

describe("the checker", () => {
  const manifest = (name: string, dependencies: string[] = [], exports: string[] = ["."]): Manifest => ({
    name,
    exports: Object.fromEntries(exports.map((path) => [path, "./dist/index.js"])),
    dependencies: Object.fromEntries(dependencies.map((dependency) => [dependency, "*"])),
  });
  const workspace: Workspace = new Map([
    ["crdt", manifest("@presently/crdt")],
    ["replica", manifest("@presently/replica", ["@presently/crdt", "msgpackr", "left-pad"])],
    ["mesh", manifest("@presently/mesh", ["@presently/replica", "ws"])],
    ["presently", manifest("presently", ["@presently/mesh", "@presently/replica"], [".", "./demo"])],
    ["phoenix", manifest("@presently/phoenix", ["presently"])],
  ]);
  const check = (path: string, text: string) => violations([{ path, text }], workspace);

  test.each([
    ["a clock", "const now = Date.now();"],
    ["a clock, as a value", "export const clock = { now: Date };"],
    ["a finer clock", "performance.now()"],
    ["a timer", "const timer = setTimeout(tick, 5);"],
    ["a turn of the loop", "setImmediate(flush); "],
    ["a microtask", "queueMicrotask(flush)"],
    ["randomness", "Math.random()"],
    ["randomness by another name", "const { random } = Math;"],
    ["randomness by subscript", 'Math["random"]()'],
    ["better randomness", "crypto.getRandomValues(bytes)"],
    ["the process", "process.nextTick(flush)"],
    ["the way round", "globalThis.setTimeout(tick, 5)"],
    ["a request", "await fetch(url)"],
    ["a socket", "new WebSocket(url)"],
    ["a module of Node.js", 'import { connect } from "node:net";'],
    ["one loaded later", 'const net = await import("node:net");'],
    ["one only for types", 'import type { Socket } from "node:net";'],
    ["one loaded by a name made up at run time", "await import(name)"],
    ["in a template", `const text = \`\${\`\${Date.now()}\`} to \${0}\`;`],
    ["after a comment", "/* a */ Date.now() // b"],
    ["after what looks like a comment in a text", 'const url = "ws://"; Date.now();'],
    ["after what looks like a comment in a pattern", "const slashes = /[/*]/; Date.now();"],
    ["after a division", "const half = size / 2; Date.now(); // 1 / 2"],
    ["spread", "run(...process.argv)"],
  ])("finds %s in a pure package", (_, text) => {
    for (const folder of Object.keys(PURE))
      expect(check(`packages/${folder}/src/x.ts`, text)).toHaveLength(1);
  });

  test.each([
    ["comments", "// Date.now()\n/* Math.random()\n * setTimeout */\n/** `process` */"],
    ["texts", `throw new Error("no Date, no process" + 'fetch' + \`setTimeout \${{ size }} WebSocket\`);`],
    ["what looks like an import", `const text = \`from \${from} to \${to} import "node:net"\`;`],
    ["patterns", "const pattern = /Date|process\\/[/]fetch/u;"],
    ["members and longer words", "clock.performance(); options?.fetch; const updateDate = processed;"],
    ["the rest of Math", "Math.max(1, Math.imul(2, 3))"],
  ])("leaves %s in a pure package alone", (_, text) => {
    expect(check("packages/crdt/src/x.ts", text)).toEqual([]);
  });

  test("asks purity of the sources of pure packages only", () => {
    expect(check("packages/crdt/src/x.test.ts", "Date.now()")).toEqual([]);
    expect(check("packages/mesh/src/x.ts", 'import "node:net"; Date.now()')).toEqual([]);
  });

  test.each([
    ["packages/replica/src/x.ts", 'import { Origin } from "../../crdt/src/origin.ts";'],
    ["packages/replica/src/x.ts", 'export * from "../../../bench/load.ts";'],
    ["packages/replica/src/x.test.ts", 'import { Origin } from "../../crdt/src/origin.ts";'],
    ["packages/replica/src/x.ts", 'import { Origin } from "@presently/crdt/src/origin.ts";'],
    ["packages/replica/src/x.ts", 'export type { Origin } from "@presently/crdt/dist/origin.js";'],
    ["packages/phoenix/src/x.ts", 'type Config = import("presently/src/config.ts").Config;'],
    ["test/cluster/x.test.ts", 'import { Origin } from "../../packages/crdt/src/origin.ts";'],
    ["test/cluster/x.test.ts", 'const config = await import("presently/config");'],
  ])("finds that %s reaches past an entry point: %s", (path, text) => {
    expect(check(path, text)).toEqual([expect.stringContaining("entry point")]);
  });

  test.each([
    ["packages/replica/src/deep/x.ts", 'import { a } from "../y.ts"; export { b } from "./z.ts";'],
    ["packages/replica/src/x.test.ts", 'import { a } from "../../../test/helpers/eventually.ts";'],
    ["packages/presently/bin/presently.js", 'import "../dist/cli/main.js";'],
    ["test/cluster/x.test.ts", 'import "presently/demo"; import { a } from "../helpers/a.ts"; import "ws";'],
    ["packages/mesh/src/x.ts", 'import { type Ws } from "ws"; import * as r from "@presently/replica";'],
  ])("lets %s look where it may: %s", (path, text) => {
    expect(check(path, text)).toEqual([]);
  });

  test.each([
    ["packages/crdt/src/x.ts", 'import { Replica } from "@presently/replica";'],
    ["packages/replica/src/x.ts", 'import type { Mesh } from "@presently/mesh";'],
    ["packages/mesh/src/x.ts", 'import { createNode } from "presently";'],
    ["packages/presently/src/x.ts", 'import { ObservedRemoveSet } from "@presently/crdt";'],
    ["packages/phoenix/src/x.ts", 'import { Replica } from "@presently/replica";'],
  ])("finds that %s goes against the arrows: %s", (path, text) => {
    expect(check(path, text)).toEqual([expect.stringContaining("may not import")]);
  });

  test("finds what a manifest does not declare, and what a pure package may not depend on", () => {
    expect(check("packages/mesh/src/x.ts", 'import pad from "left-pad";')).toEqual([
      'packages/mesh/src/x.ts:1: imports "left-pad", which its package.json does not declare',
    ]);
    expect(check("packages/replica/src/x.ts", '\n\nimport pad from "left-pad/even";')).toEqual([
      'packages/replica/src/x.ts:3: pure, but imports "left-pad/even"',
    ]);
    expect(check("packages/replica/src/x.ts", 'import { Packr } from "msgpackr/pack";')).toEqual([]);
  });

  test.each([
    ["none", { a: "", b: 'import "./a.ts";' }, [], []],
    ["one", { a: 'import "./b.ts";', b: 'export * from "./a.ts";', c: 'import "./a.ts";' }, ["a b"], ["a b"]],
    [
      "one of types",
      { a: 'import type { B } from "./b.ts";', b: 'import { a } from "./a.ts";' },
      [],
      ["a b"],
    ],
    [
      "one through three",
      { a: 'import "./b.ts";', b: 'await import("./c.ts");', c: 'import "./a.ts";' },
      ["a b c"],
      ["a b c"],
    ],
    [
      "two",
      {
        a: 'import "./b.ts";',
        b: 'import "./a.ts"; import "./c.ts";',
        c: 'import "./d.ts";',
        d: 'import "./c.ts";',
      },
      ["a b", "c d"],
      ["a b", "c d"],
    ],
  ])("finds circles of imports: %s", (_, texts, atRunTime, withTypes) => {
    const files = Object.entries(texts).map(([name, text]) => ({
      path: `${name}.ts`,
      imports: parseSource(`${name}.ts`, text).imports,
    }));
    const found = (types: boolean) =>
      cyclesIn(importGraph(files, { types })).map((cycle) => cycle.map((path) => path.slice(0, 1)).join(" "));
    expect([found(false).sort(), found(true).sort()]).toEqual([atRunTime, withTypes]);
  });

  test("reads components, and refuses what is no source", () => {
    expect(
      check("packages/replica/src/x.tsx", 'import net from "node:net"; export const x = <a b={1} />;'),
    ).toHaveLength(1);
    expect(() => check("packages/replica/src/x.ts", "const = ;")).toThrow(SyntaxError);
  });

  test("finds a package without a place in the design", () => {
    const found = violations([], new Map([["leaderboard", manifest("@presently/leaderboard")]]));
    expect(found).toEqual([expect.stringContaining("packages/leaderboard")]);
  });
});

/** How a text runs a test more or less than once; a client of Faye is told its pause, in parts of a second, as `retry`. */
function retriesIn(text: string): string[] {
  const pattern = /\bretry: (?:[1-9]|\{)|--retry\b|\b(?:test|it|describe)\.(?:only|skip|todo)\(/g;
  return [...text.matchAll(pattern)].map(([found]) => found);
}

/** Every break of the rules, as `path:line: what is wrong`. */
function violations(files: readonly SourceFile[], workspace: Workspace): string[] {
  const found: string[] = [];
  for (const folder of workspace.keys())
    if (MAY_IMPORT[folder] === undefined)
      found.push(`packages/${folder}: no rule says what it may import: add it to MAY_IMPORT`);
  for (const file of files) {
    const { imports, names } = parseSource(file.path, file.text);
    const say = (offset: number, what: string) => {
      found.push(`${file.path}:${file.text.slice(0, offset).split("\n").length}: ${what}`);
    };
    const place = placeOf(file.path);
    if (place.pure)
      for (const name of names) if (isImpure(name)) say(name.offset, `pure, but mentions ${name.text}`);
    for (const { offset, specifier } of imports) {
      const what = faultOf(specifier, file.path, place, workspace);
      if (what !== undefined) say(offset, what);
    }
  }
  return found;
}

function isImpure({ text, member }: Name): boolean {
  return text === "Math" ? member === undefined || member === "random" : IMPURE.has(text);
}

interface Place {
  /** The folder below `packages/`, if the file is in one. */
  readonly folder: string | undefined;
  readonly isTest: boolean;
  readonly pure: boolean;
}

function placeOf(path: string): Place {
  const folder = /^packages\/([^/]+)\//.exec(path)?.[1];
  const isTest = folder === undefined || /\.test\.[cm]?[jt]sx?$/.test(path);
  const pure =
    folder !== undefined && !isTest && folder in PURE && path.startsWith(`packages/${folder}/src/`);
  return { folder, isTest, pure };
}

/** What is wrong with an import, if anything; `specifier` is undefined when it is computed at run time. */
function faultOf(specifier: string | undefined, path: string, place: Place, workspace: Workspace) {
  const { folder, isTest, pure } = place;
  if (specifier === undefined) return pure ? "pure, but imports what only run time can tell" : undefined;
  if (specifier.startsWith("node:")) return pure ? `pure, but imports "${specifier}"` : undefined;
  if (specifier.startsWith(".")) {
    const target = posix.join(dirname(path), specifier);
    const isFree = isTest && !target.startsWith("packages/");
    const isOwn = folder !== undefined && target.startsWith(`packages/${folder}/`);
    return isFree || isOwn ? undefined : `"${specifier}" reaches past an entry point, to ${target}`;
  }
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  const [target, manifest] = [...workspace].find(([, { name: other }]) => other === name) ?? [];
  if (manifest !== undefined && !(`.${specifier.slice(name.length)}` in (manifest.exports ?? {})))
    return `"${specifier}" reaches past an entry point: the exports of ${name} do not have it`;
  if (isTest || folder === undefined || target === folder) return undefined;
  if (target !== undefined && !MAY_IMPORT[folder]?.includes(target))
    return `packages/${folder} may not import packages/${target}`;
  if (target === undefined && pure && !PURE[folder]!.includes(name))
    return `pure, but imports "${specifier}"`;
  // Examples are run from the repository, and by readers who install what they import.
  if (path.startsWith(`packages/${folder}/examples/`)) return undefined;
  const { dependencies, peerDependencies } = workspace.get(folder) ?? {};
  if (name in { ...dependencies, ...peerDependencies }) return undefined;
  return `imports "${specifier}", which its package.json does not declare`;
}

function folders(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(`${path}/${entry.name}`).includes("package.json"))
    .map(({ name }) => name);
}

function manifestOf(path: string): Manifest {
  return JSON.parse(readFileSync(`${path}package.json`, "utf8"));
}

/** What people wrote below a folder: neither installed nor built, nor hidden. */
function* sourcesUnder(path: string): Iterable<SourceFile> {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = `${path}/${entry.name}`;
    if (/^(\..*|node_modules|dist|coverage)$/.test(entry.name)) continue;
    if (entry.isDirectory()) yield* sourcesUnder(child);
    else if (/\.[cm]?[jt]sx?$/.test(entry.name))
      yield { path: relative(root, child).replaceAll("\\", "/"), text: readFileSync(child, "utf8") };
  }
}
