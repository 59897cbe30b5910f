/**
 * What a user's first hour is made of: the packages as they would be published, installed by npm into projects of their own,
 * with the frameworks and bundlers that people have. The registry is needed, as for `npm run setup`.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../browser/chromium.ts";
import { eventually } from "../helpers/eventually.ts";
import { has } from "../helpers/programs.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const PACKAGES = ["crdt", "replica", "mesh", "presently", "phoenix", "client"];
const run = promisify(execFile);

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "presently-packed-"));
  const tarballs = join(folder, "tarballs");
  await Promise.all(
    PACKAGES.map((name) =>
      run("npx", ["--yes", "pnpm@10.34.8", "pack", "--pack-destination", tarballs], {
        cwd: join(root, "packages", name),
      }),
    ),
  );
  // As a registry would resolve them: by name, also where one depends on another.
  const files = readdirSync(tarballs);
  const dependencies = Object.fromEntries(
    PACKAGES.map((name) => {
      const file = files.find((each) =>
        each.startsWith(name === "presently" ? "presently-0" : `presently-${name}-`),
      )!;
      return [name === "presently" ? "presently" : `@presently/${name}`, `file:tarballs/${file}`];
    }),
  );
  const manifest = {
    private: true,
    type: "module",
    dependencies: {
      ...dependencies,
      express: "5",
      fastify: "5",
      hono: "4",
      react: "19",
      "react-dom": "19",
      vite: "7",
      "@hono/node-server": "1",
      "@types/node": "20",
    },
    overrides: Object.fromEntries(Object.keys(dependencies).map((name) => [name, `$${name}`])),
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  await run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: folder,
    env: outside(),
  });
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The environment without what npm, which runs these tests, says of this project. */
function outside(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
}

/** Runs a program of the project, and gives what it printed as JSON. */
async function runs(name: string, source: string): Promise<unknown> {
  writeFileSync(join(folder, name), source);
  const { stdout } = await run(process.execPath, [name], { cwd: folder });
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

const NODE = `
import { createNode } from "presently";
const node = await createNode({ name: "a", logLevel: "silent", mesh: { port: 0 } });
node.session().track("room:1", "alice", { device: "phone" });
const list = () => node.list("room:1");
`;
const ALICE = [{ key: "alice", meta: { device: "phone" } }];

describe("a handler that returns what node.list gives", () => {
  const ask = "const text = await (await fetch(url)).text();\nconsole.log(text);\nprocess.exit(0);\n";

  test("in Express", async () => {
    const heard = await runs(
      "express.mjs",
      `${NODE}
import express from "express";
const app = express().get("/", (request, response) => void response.json(list()));
const server = app.listen(0, "127.0.0.1");
await new Promise((listening) => server.once("listening", listening));
const url = "http://127.0.0.1:" + server.address().port + "/";
${ask}`,
    );
    expect(heard).toMatchObject(ALICE);
  });

  test("in Fastify", async () => {
    const heard = await runs(
      "fastify.mjs",
      `${NODE}
import fastify from "fastify";
const app = fastify().get("/", async () => list());
const url = await app.listen({ port: 0, host: "127.0.0.1" });
${ask}`,
    );
    expect(heard).toMatchObject(ALICE);
  });

  test("in Hono", async () => {
    const heard = await runs(
      "hono.mjs",
      `${NODE}
import { Hono } from "hono";
import { serve } from "@hono/node-server";
const app = new Hono().get("/", (context) => context.json(list()));
const { port } = await new Promise((listening) => serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, listening));
const url = "http://127.0.0.1:" + port + "/";
${ask}`,
    );
    expect(heard).toMatchObject(ALICE);
  });
});

test("presences and changes are plain data to JSON, structuredClone, spread and change", async () => {
  const heard = await runs(
    "plain.mjs",
    `${NODE}
const changes = [];
node.watch("room:1", (change) => void changes.push(JSON.parse(JSON.stringify(change))));
const [presence] = list();
console.log(JSON.stringify({
  json: JSON.parse(JSON.stringify(presence)),
  clone: structuredClone(presence),
  spread: { ...presence },
  changes,
}));
process.exit(0);
`,
  );
  const { json, clone, spread, changes } = heard as Record<string, object>;
  expect(json).toMatchObject(ALICE[0]!);
  expect(clone).toEqual(json);
  expect(spread).toEqual(json);
  expect(changes).toMatchObject([{ type: "state", presences: ALICE }]);
});

describe("a page of React that Vite builds", () => {
  const page = `
import { createClient } from "@presently/client";
import { PresentlyProvider, usePresence } from "@presently/client/react";
import { StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";

const query = new URLSearchParams(location.search);
const client = createClient(query.get("socket")!, { key: query.get("name")! });

function Room() {
  const { people } = usePresence<{ name: string }>("room:42", { meta: { name: query.get("name")! } });
  useEffect(() => { document.title = JSON.stringify(people.map(({ key, meta }) => [key, meta.name]).sort()); }, [people]);
  return null;
}

createRoot(document.body.appendChild(document.createElement("div")))
  .render(<StrictMode><PresentlyProvider client={client}><Room /></PresentlyProvider></StrictMode>);
`;
  const server = `
import express from "express";
import { createNode } from "presently";
import { serveEndpoint } from "@presently/phoenix";
const node = await createNode({ name: "a", logLevel: "silent", http: { port: 0 } });
serveEndpoint(node, { checkOrigin: false });
const app = express().use(express.static("dist"));
const server = app.listen(0, "127.0.0.1", () =>
  console.log(JSON.stringify({ page: "http://127.0.0.1:" + server.address().port, socket: node.httpUrl + "/socket" })));
`;

  beforeAll(async () => {
    writeFileSync(join(folder, "index.html"), '<script type="module" src="/main.tsx"></script>');
    writeFileSync(join(folder, "main.tsx"), page);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { jsx: "react-jsx" } }));
    writeFileSync(join(folder, "server.mjs"), server);
    await run(process.execPath, ["node_modules/vite/bin/vite.js", "build", "--logLevel", "error"], {
      cwd: folder,
      env: outside(),
    });
  });

  test.runIf(has("chromium"))("shows two people to each other, each once", async () => {
    const browser = await launchChromium();
    const child = spawn(process.execPath, ["server.mjs"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [line] = (await once(createInterface(child.stdout), "line")) as [string];
      const { page: address, socket } = JSON.parse(line) as { page: string; socket: string };
      const everybody = JSON.stringify([
        ["alice", "alice"],
        ["bob", "bob"],
      ]);
      const tabs = await Promise.all(
        ["alice", "bob"].map(async (name) => {
          const tab = await browser.newPage();
          await tab.goto(`${address}/?${new URLSearchParams({ socket, name })}`);
          return tab;
        }),
      );
      for (const tab of tabs)
        await eventually(async () => expect(await tab.title()).toBe(everybody), { timeoutMs: 60_000 });
    } finally {
      child.kill();
      await browser.close();
    }
  });
});

describe("an application in one file, bundled by esbuild", () => {
  const app = `
import { createNode } from "presently";
async function main() {
  const node = await createNode({ name: "a", logLevel: "silent", mesh: { port: 0 }, http: { port: 0 } });
  node.session().track("room:1", "alice", { device: "phone" });
  const { status } = await fetch(node.httpUrl + "/api/topics/room:1");
  await node.stop();
  console.log(JSON.stringify(status));
}
main();
`;
  const banner = "import { createRequire as own } from 'node:module'; const require = own(import.meta.url);";
  test.each([
    ["cjs", []],
    ["esm", [`--banner:js=${banner}`]],
  ])("as %s", async (format, words) => {
    const place = join(folder, `bundle-${format}`);
    mkdirSync(place);
    writeFileSync(join(folder, "app.ts"), app);
    const bundle = join(place, `app.${format === "cjs" ? "cjs" : "mjs"}`);
    const arguments_ = [
      "app.ts",
      "--bundle",
      "--platform=node",
      "--log-level=error",
      `--format=${format}`,
      ...words,
    ];
    await run(join(root, "node_modules/.bin/esbuild"), [...arguments_, `--outfile=${bundle}`], {
      cwd: folder,
    });
    const { stdout } = await run(process.execPath, [bundle], { cwd: place });
    expect(stdout.trim().split("\n").at(-1)).toBe("200");
  });
});

describe("a user's types", () => {
  const source = `
import { createNode } from "presently";

interface Profile {
  name: string;
  cursor?: { x: number; y: number };
}

export async function example(profile: Profile) {
  const node = await createNode<Profile>({ name: "a" });
  node.session().track("room:1", "alice", profile);
  node.watch("room:1", (change) => {
    if (change.type === "diff") for (const { meta } of change.joins) console.log(meta.cursor?.x);
  });
  const names: string[] = node.list("room:1").map(({ meta }) => meta.name);
  // @ts-expect-error a profile has a name
  node.session().track("room:1", "bob", { cursor: { x: 1, y: 2 } });
  return JSON.stringify(names);
}
`;
  test.each(["node16", "bundler"])("compile with moduleResolution %s", async (resolution) => {
    writeFileSync(join(folder, "types.ts"), source);
    const module = resolution === "node16" ? "node16" : "esnext";
    const flags = [
      "--noEmit",
      "--strict",
      "--target",
      "es2022",
      "--module",
      module,
      "--moduleResolution",
      resolution,
    ];
    const tsc = join(root, "node_modules/.bin/tsc");
    const compiled = run(tsc, [...flags, "--ignoreConfig", "--types", "node", "types.ts"], { cwd: folder });
    await expect(
      compiled.then(
        ({ stdout }) => stdout,
        ({ stdout }: { stdout: string }) => stdout,
      ),
    ).resolves.toBe("");
  });
});
