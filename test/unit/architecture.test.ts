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
    ["in a template", `const text = \`\${\`\${Date.now()}\`} to \${}\`;`],
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
    const tokens = tokensOf(file.text);
    const say = (token: Token, what: string) => {
      found.push(`${file.path}:${file.text.slice(0, token.offset).split("\n").length}: ${what}`);
    };
    const place = placeOf(file.path);
    if (place.pure) for (const token of impureWords(tokens)) say(token, `pure, but mentions ${token.text}`);
    for (const { token, specifier } of importsOf(tokens)) {
      const what = faultOf(specifier, file.path, place, workspace);
      if (what !== undefined) say(token, what);
    }
  }
  return found;
}

interface Place {
  /** The folder below `packages/`, if the file is in one. */
  readonly folder: string | undefined;
  readonly isTest: boolean;
  readonly pure: boolean;
}

function placeOf(path: string): Place {
  const folder = /^packages\/([^/]+)\//.exec(path)?.[1];
  const isTest = folder === undefined || /\.test\.[cm]?[jt]s$/.test(path);
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
  const { dependencies, peerDependencies } = workspace.get(folder) ?? {};
  if (name in { ...dependencies, ...peerDependencies }) return undefined;
  return `imports "${specifier}", which its package.json does not declare`;
}

function* impureWords(tokens: readonly Token[]): Iterable<Token> {
  for (const [index, token] of tokens.entries()) {
    const isSpread = tokens[index - 2]?.text === ".";
    if (token.kind !== "word" || (tokens[index - 1]?.text === "." && !isSpread)) continue;
    const member = tokens[index + 1]?.text === "." ? tokens[index + 2]?.text : undefined;
    const isRandom = token.text === "Math" && (member === undefined || member === "random");
    if (isRandom || IMPURE.has(token.text)) yield token;
  }
}

/** Every import and re-export, for types too. */
function* importsOf(tokens: readonly Token[]): Iterable<{ token: Token; specifier: string | undefined }> {
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "word" || tokens[index - 1]?.text === ".") continue;
    const [next, afterNext] = [tokens[index + 1], tokens[index + 2]];
    // No other construct puts a text right behind the word "from".
    if ((token.text === "from" || token.text === "import") && next?.kind === "text")
      yield { token, specifier: next.text };
    if (token.text === "import" && next?.text === "(")
      yield { token, specifier: afterNext?.kind === "text" ? afterNext.text : undefined };
  }
}

interface Token {
  readonly kind: "word" | "text" | "template" | "pattern" | "mark";
  /** Of a text, what is between the quotes. */
  readonly text: string;
  readonly offset: number;
}

const SPACE = /(?:\s+|\/\/.*|\/\*[\s\S]*?\*\/)+/y;
const PATTERN = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y;
/** From the end of a substitution to the next one, or to the end of the template. */
const TEMPLATE_REST = /\}(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;
const SHAPES: readonly (readonly [Token["kind"], RegExp])[] = [
  ["word", /[\p{ID_Start}$_#][\p{ID_Continue}$]*|\d[\w.]*/uy],
  ["text", /"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|`(?:\\[\s\S]|\$(?!\{)|[^`\\$])*`/y],
  ["template", /`(?:\\[\s\S]|\$(?!\{)|[^`\\$])*\$\{/y],
  ["mark", /[\s\S]/y],
];

/** Splits a source into tokens; comments are none. */
function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  /** For each template whose substitution we are in, how many braces are open there. */
  const braces: number[] = [];
  for (let offset = 0; offset < source.length; ) {
    const space = matchAt(SPACE, source, offset);
    if (space !== undefined) {
      offset += space.length;
      continue;
    }
    const token = tokenAt(source, offset, { previous: tokens.at(-1), resumes: braces.at(-1) === 0 });
    offset += token.text.length;
    if (token.kind === "template" && token.text.startsWith("}")) braces.pop();
    if (token.kind === "template" && token.text.endsWith("${")) braces.push(0);
    if (token.kind === "mark" && token.text === "{" && braces.length > 0) braces[braces.length - 1]!++;
    if (token.kind === "mark" && token.text === "}" && braces.length > 0) braces[braces.length - 1]!--;
    tokens.push(token.kind === "text" ? { ...token, text: token.text.slice(1, -1) } : token);
  }
  return tokens;
}

/** `resumes`: a closing brace would end a template's substitution. */
function tokenAt(
  source: string,
  offset: number,
  after: { previous: Token | undefined; resumes: boolean },
): Token {
  const shapes = [...SHAPES];
  if (after.resumes) shapes.unshift(["template", TEMPLATE_REST]);
  if (mayPrecedePattern(after.previous)) shapes.unshift(["pattern", PATTERN]);
  for (const [kind, shape] of shapes) {
    const text = matchAt(shape, source, offset);
    if (text !== undefined) return { kind, text, offset };
  }
  throw new Error("The last shape matches every character.");
}

function matchAt(shape: RegExp, source: string, offset: number): string | undefined {
  shape.lastIndex = offset;
  return shape.exec(source)?.[0];
}

/** Whether a slash behind this token starts a pattern; otherwise it divides. */
function mayPrecedePattern(token: Token | undefined): boolean {
  if (token?.kind === "mark") return !/[)\]}]/.test(token.text);
  if (token?.kind === "word")
    return /^(return|typeof|case|in|of|do|else|void|delete|instanceof|throw|await|yield)$/.test(token.text);
  return token === undefined;
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
    else if (/\.[cm]?[jt]s$/.test(entry.name))
      yield { path: relative(root, child).replaceAll("\\", "/"), text: readFileSync(child, "utf8") };
  }
}
