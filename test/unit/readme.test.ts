/**
 * Runs and compiles the example of every README and guide: its first `ts` block, as it stands there, against the sources. An
 * example ends by itself: it closes what it opened, and fails by throwing.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { NatsServer } from "../helpers/nats.ts";
import { has } from "../helpers/programs.ts";

const TIMEOUT_MS = 60_000;
const root = fileURLToPath(new URL("../../", import.meta.url));
/** Below the root, so that packages are found from there; named so that neither git nor the linter looks at it. */
const scratch = join(root, "test/unit/dist");

/** The text of the first fenced block whose language is `ts`; undefined if there is none. */
function exampleOf(markdown: string): string | undefined {
  return /^```ts[ \t]*\r?\n([\s\S]*?)^```[ \t]*$/m.exec(markdown)?.[1];
}

const packages = readdirSync(join(root, "packages")).map((folder) => `packages/${folder}/README.md`);
const guideFolder = "packages/presently/docs/guides";
const guides = readdirSync(join(root, guideFolder)).map((file) => `${guideFolder}/${file}`);
const readmes = ["README.md", ...packages, ...guides, "packages/presently/docs/security.md"]
  .filter((path) => existsSync(join(root, path)))
  .map((path) => ({ path, example: exampleOf(readFileSync(join(root, path), "utf8")) }))
  // The first page and a guide may show commands or parts only; a package is there to be imported.
  .filter(({ path, example }) => packages.includes(path) || example !== undefined);

let folder: string;
/** What the compiler says of all examples at once: started anew for each, it would take most of the time. */
let errors: Promise<string>;
beforeAll(async () => {
  await mkdir(scratch, { recursive: true });
  folder = await mkdtemp(join(scratch, "readme-"));
  for (const { path, example = "" } of readmes) {
    await mkdir(dirname(fileOf(path)), { recursive: true });
    await writeFile(fileOf(path), example);
  }
  errors = typeErrorsIn(readmes.map(({ path }) => fileOf(path)));
}, TIMEOUT_MS);
afterAll(() => rm(folder, { recursive: true }));

/** Where the example of a page is written. */
function fileOf(path: string): string {
  return join(folder, path.replaceAll(/[^\w]/g, "-"), "example.ts");
}

/** The example of one package needs a server that not every machine has. */
const needsNats = (path: string) => path.startsWith("packages/nats/");

describe.each(readmes)("$path", ({ path, example }) => {
  test("has an example", () => expect(example, "the first ```ts block").toBeDefined());

  test.runIf(!needsNats(path) || has("nats-server"))(
    "its example runs, and ends by itself",
    { timeout: TIMEOUT_MS },
    async () => {
      await using server = needsNats(path) ? await natsForExample() : undefined;
      void server;
      const before = lasting();
      await import(/* @vite-ignore */ fileOf(path));
      await eventually(() => expect(added(before, lasting()), "left open by the example").toEqual([]), {
        timeoutMs: TIMEOUT_MS / 3,
      });
    },
  );

  test("its example compiles", { timeout: TIMEOUT_MS }, async () => {
    const own = relative(folder, fileOf(path));
    const said = (await errors)
      .split("\n")
      .filter((line) => !line.includes("(") || line.startsWith(`${own}(`));
    expect(said.filter((line) => line !== "")).toEqual([]);
  });
});

describe("the first ts block", () => {
  test("is found among others", () => {
    const markdown = "# A\n```sh\nnpm i\n```\n```ts\none();\n```\n\n```ts\ntwo();\n```\n";
    expect(exampleOf(markdown)).toBe("one();\n");
    expect(exampleOf("```ts\r\none();\r\n```\r\n")).toBe("one();\r\n");
  });

  test("is missed where there is none", () => {
    expect(exampleOf("Write `ts`:\n```js\none();\n```\n```tsx\n<One />\n```\n")).toBeUndefined();
  });

  test("may be any program: what it imports, throws and leaves open shows", async () => {
    const imported = `${folder}/imports.ts`;
    await writeFile(
      imported,
      'import { replicaId } from "@presently/crdt";\nexport const id = replicaId("a", 1);\n',
    );
    expect(await import(/* @vite-ignore */ imported)).toMatchObject({ id: "a@1" });

    const failing = `${folder}/fails.ts`;
    await writeFile(failing, 'import assert from "node:assert/strict";\nassert.equal(1, 2 as number);\n');
    await expect(import(/* @vite-ignore */ failing)).rejects.toThrow("1 !== 2");

    const open = `${folder}/stays-open.ts`;
    await writeFile(
      open,
      'import { createServer } from "node:net";\nexport const server = createServer();\n' +
        'await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));\n',
    );
    const before = lasting();
    const { server } = await import(/* @vite-ignore */ open);
    expect(added(before, lasting())).toEqual(["TCPServerWrap"]);
    await new Promise((closed) => server.close(closed));
  });

  test("may not compile", { timeout: TIMEOUT_MS }, async () => {
    const file = `${folder}/types.ts`;
    await writeFile(file, 'import { replicaId } from "@presently/crdt";\nreplicaId("a", "1");\n');
    expect(await typeErrorsIn([file])).toMatch(/^types\.ts\(2,.*TS2345/);
  });
});

/** What keeps this process alive and that an example could have opened, by kind, with repetitions. */
function lasting(): string[] {
  const kinds = /^(TCP|Pipe|TLS|HTTP|UDP|TTY|Process|Worker|FSEvent|StatWatcher|Timeout|Immediate)/;
  return process.getActiveResourcesInfo().filter((kind) => kinds.test(kind));
}

function added(before: readonly string[], after: readonly string[]): string[] {
  const rest = [...before];
  return after.filter((kind) => {
    const index = rest.indexOf(kind);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
}

/** What the compiler says of these files, under the options of the tests, by their paths in the folder; nothing of what else it reads. */
async function typeErrorsIn(files: readonly string[]): Promise<string> {
  const project = join(folder, `${files.length}.tsconfig.json`);
  const config = { extends: join(root, "test/tsconfig.json"), include: [], files };
  await writeFile(project, JSON.stringify(config));
  const run = promisify(execFile);
  const tsc = join(root, "node_modules/.bin/tsc");
  const output = await run(tsc, ["--pretty", "false", "-p", project], { cwd: folder }).then(
    ({ stdout }) => stdout,
    (error: { code?: unknown; stdout?: string }) => {
      // It exits with a small number when it found errors; anything else means that it did not run.
      if (typeof error.code !== "number" || !error.stdout) throw error;
      return error.stdout;
    },
  );
  const names = files.map((file) => `${relative(folder, file)}(`);
  return output
    .split("\n")
    .filter((line) => /^error /.test(line) || names.some((name) => line.startsWith(name)))
    .join("\n");
}

/** A NATS server where the example looks for one, until the end of the block. */
async function natsForExample(): Promise<AsyncDisposable> {
  const server = await NatsServer.start();
  process.env.NATS_URL = server.url;
  return {
    async [Symbol.asyncDispose]() {
      delete process.env.NATS_URL;
      await server.stop();
    },
  };
}
