/** A node goes on, whatever becomes of its standard output: who is present matters more than the log. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { freePort } from "../helpers/processes.ts";

const command = fileURLToPath(new URL("../../packages/presently/bin/presently.js", import.meta.url));
/** What a pipe or a socket of the system takes for a reader who does not read is less. */
const FAR_BEYOND_A_PIPE = 1_000_000;

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
});

async function startWith(stdout: number | "pipe"): Promise<{ child: ChildProcess; url: string }> {
  const port = await freePort();
  const words = ["start", "--name", "n1", "--log-level", "debug", "--http", `127.0.0.1:${port}`];
  const child = spawn(process.execPath, [command, ...words], { stdio: ["ignore", stdout, "inherit"] });
  children.push(child);
  return { child, url: `http://127.0.0.1:${port}` };
}

const answers = (url: string) =>
  eventually(async () => expect((await send(url, "/healthz")).status).toBe(200), { what: "an answer" });

async function droppedAt(url: string): Promise<number> {
  const { text } = await send(url, "/metrics");
  return Number(/^presently_log_lines_dropped_total\{.*\} (\d+)$/m.exec(text)?.[1]);
}

/** Each request that is refused is a line at level debug. */
async function makeLines(url: string, until: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(
    async () => {
      await Promise.all(Array.from({ length: 200 }, () => send(url, "/api/nothing")));
      expect(await until()).toBe(true);
    },
    { timeoutMs: 60_000, intervalMs: 0, what: "enough lines" },
  );
}

async function stops(child: ChildProcess): Promise<number | null> {
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const [code] = (await gone) as [number | null];
  return code;
}

describe("a node goes on, counts lines that are lost, and stops when told", () => {
  test("on a disk that is full", async () => {
    const full = openSync("/dev/full", "w");
    const { child, url } = await startWith(full);
    closeSync(full);
    await answers(url);
    await makeLines(url, async () => (await droppedAt(url)) > 200);
    expect(await stops(child)).toBe(0);
  });

  test("with a pipe that nobody reads, and says how many lines were lost to who reads it at last", async () => {
    const { child, url } = await startWith("pipe");
    await answers(url);
    await makeLines(url, async () => (await droppedAt(url)) > 0);
    let text = "";
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    await eventually(() => expect(text).toMatch(/"\d+ lines of the log were dropped"/));
    expect(text.length).toBeGreaterThan(FAR_BEYOND_A_PIPE);
    // All lines are whole: each is JSON.
    for (const line of text.trimEnd().split("\n")) JSON.parse(line);
    expect(await stops(child)).toBe(0);
    await eventually(() => expect(text).toContain("presently n1 has stopped"));
  });

  test("with a pipe that nobody ever reads", async () => {
    const { child, url } = await startWith("pipe");
    await answers(url);
    await makeLines(url, async () => (await droppedAt(url)) > 0);
    expect(await stops(child)).toBe(0);
  });

  test("with a reader that goes away", async () => {
    const { child, url } = await startWith("pipe");
    await answers(url);
    child.stdout!.destroy();
    await makeLines(url, async () => (await droppedAt(url)) > 200);
    expect(await stops(child)).toBe(0);
  });
});

test("a command whose output cannot be written says so in one line, and fails", async () => {
  const full = openSync("/dev/full", "w");
  const child = spawn(process.execPath, [command, "config", "schema"], { stdio: ["ignore", full, "pipe"] });
  closeSync(full);
  let text = "";
  child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  expect([code, text]).toEqual([
    1,
    expect.stringMatching(/^presently: the output cannot be written: ENOSPC[^\n]*\n$/),
  ]);
});
