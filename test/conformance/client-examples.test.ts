/** The examples of `@presently/client`: the script runs, and all of them compile. The page runs in the browser test. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { ClientWorld, socketUrl } from "../helpers/client-world.ts";
import { eventually } from "../helpers/eventually.ts";

vi.setConfig({ testTimeout: 60_000 });

const root = fileURLToPath(new URL("../../", import.meta.url));
const examples = join(root, "packages/client/examples");
const world = new ClientWorld();
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await world.end();
});

test("the script tells who is here, who comes and who goes, and ends when it is interrupted", async () => {
  const node = await world.start();
  // As Node.js 22 has one.
  vi.stubGlobal("WebSocket", WebSocket);
  const said: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => said.push(String(text).trim()) > 0);
  const [argv, interrupts] = [process.argv, process.listeners("SIGINT")];
  process.argv = ["node", "node-script.ts", socketUrl(node), "room:1", "watcher"];
  try {
    await import(/* @vite-ignore */ join(examples, "node-script.ts"));
  } finally {
    process.argv = argv;
  }
  const alice = world.client(node, { key: "alice" });
  await alice.join("room:1").whenJoined();
  await eventually(() => expect(said).toContain("+ alice"));
  await alice.close();
  await eventually(() => expect(said).toContain("- alice"));
  const [interrupt] = process.listeners("SIGINT").filter((listener) => !interrupts.includes(listener));
  process.off("SIGINT", interrupt!);
  interrupt!("SIGINT");
  await eventually(() => expect(node.list("room:1")).toEqual([]));
  expect(said.filter((line) => !line.startsWith("("))).toEqual([
    "+ watcher",
    "here: watcher",
    "+ alice",
    "- alice",
  ]);
});

test("the examples compile", async () => {
  const scratch = join(root, "test/conformance/dist");
  await mkdir(scratch, { recursive: true });
  const folder = await mkdtemp(join(scratch, "examples-"));
  try {
    const project = join(folder, "tsconfig.json");
    const files = ["node-script.ts", "react-room/main.tsx"].map((file) => join(examples, file));
    await writeFile(
      project,
      JSON.stringify({ extends: join(root, "test/tsconfig.json"), include: [], files }),
    );
    const tsc = join(root, "node_modules/.bin/tsc");
    await expect(promisify(execFile)(tsc, ["--pretty", "false", "-p", project])).resolves.toMatchObject({
      stdout: "",
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
