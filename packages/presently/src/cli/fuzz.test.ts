import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FAULTS } from "@presently/testkit";
import { Command } from "commander";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CommandError, UsageError } from "./failure.ts";
import { addFuzzCommand } from "./fuzz.ts";

let directory: string;
let exitCode: typeof process.exitCode;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "presently-"));
  exitCode = process.exitCode;
});
afterEach(() => {
  process.exitCode = exitCode;
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

async function fuzz(words: readonly string[], testkit?: string): Promise<string> {
  let text = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  const program = new Command("presently").exitOverride().configureOutput({ outputError: () => undefined });
  addFuzzCommand(program, testkit);
  await program.parseAsync(["fuzz", ...words], { from: "user" });
  return text;
}

test("runs what the testkit finds, and ends with its exit code", async () => {
  const text = await fuzz(["--runs", "3", "--seed", "1", "--nodes", "2", "--faults", "cuts"]);
  expect(text).toMatch(/^3 histories of seed 1: /);
  expect(process.exitCode).toBe(0);
});

test("replays a history, in words", async () => {
  const file = join(directory, "history.json");
  const steps = [{ do: "track", node: 0, session: 0, topic: 0, key: 0, meta: 1 }];
  writeFileSync(file, JSON.stringify({ seed: 1, nodes: 2, logSizeMax: 8, steps }));
  expect(await fuzz(["--replay", file])).toMatch(
    / 1\. session 0 of a tracks ann[\s\S]*every promise was kept\n$/,
  );
});

test("a mistake in the flags is one of usage, and says which", async () => {
  await expect(fuzz(["--nodes", "many"])).rejects.toThrow(UsageError);
  await expect(fuzz(["--nodes", "many"])).rejects.toThrow("--nodes must be a number or a range such as 2..5");
});

test("without the testkit it says what to install", async () => {
  const running = fuzz(["--runs", "1"], "@presently/not-installed");
  await expect(running).rejects.toThrow(CommandError);
  await expect(running).rejects.toThrow("npm install --save-dev @presently/not-installed");
});

test("its help names every fault that there is", async () => {
  const program = new Command("presently");
  addFuzzCommand(program);
  expect(program.commands[0]!.helpInformation().replaceAll(/\s/g, "")).toContain(FAULTS.join(","));
});
