/** Suites that need a program run where it is, are skipped with a hint where it is not, and fail for it under CI. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { has, pathOf } from "../helpers/programs.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "presently-programs-"));
  writeFileSync(join(folder, "redis-server"), "");
  chmodSync(join(folder, "redis-server"), 0o755);
  writeFileSync(join(folder, "nats-server"), "not a program");
});
afterAll(() => rmSync(folder, { recursive: true }));

const warnings = (check: () => void): unknown[][] => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  check();
  const { calls } = warn.mock;
  warn.mockRestore();
  return calls;
};

test("a program that is there is used, and nothing is said", () => {
  const environment = { PATH: `/nowhere:${folder}` };
  expect(warnings(() => expect(has("redis-server", environment)).toBe(true))).toEqual([]);
  expect(pathOf("redis-server", environment)).toBe(join(folder, "redis-server"));
});

test("a missing one skips its suites, with one line that says what to install", () => {
  const environment = { PATH: folder };
  const line = "found no nats-server: install it (Debian: apt-get install nats-server)";
  expect(warnings(() => expect(has("nats-server", environment)).toBe(false))).toEqual([[`skipped: ${line}`]]);
  expect(() => pathOf("nats-server", environment)).toThrow(line);
});

test("under CI its suites run all the same, and fail with that line", () => {
  const environment = { PATH: folder, CI: "true" };
  expect(warnings(() => expect(has("mariadbd", environment)).toBe(true))).toEqual([]);
  expect(() => pathOf("mariadbd", environment)).toThrow("apt-get install mariadb-server");
});

test("a variable names the browser", () => {
  const environment = { PATH: folder, CHROMIUM_PATH: "/opt/browser" };
  expect(pathOf("chromium", environment)).toBe("/opt/browser");
  expect(() => pathOf("chromium", { PATH: folder })).toThrow(
    "apt-get install chromium), or set CHROMIUM_PATH",
  );
});

test("what suites need, the submission check installs", () => {
  const script = readFileSync(fileURLToPath(new URL("../../.ci/run", import.meta.url)), "utf8");
  const helper = readFileSync(fileURLToPath(new URL("../helpers/programs.ts", import.meta.url)), "utf8");
  const debian = [...helper.matchAll(/debian: "([^"]+)"/g)].map(([, name]) => name!);
  expect(debian.length).toBeGreaterThan(3);
  expect(debian.filter((name) => !script.includes(`missing+=(${name})`))).toEqual([]);
});
