import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadExtensions } from "./extensions.ts";
import { UsageError } from "./failure.ts";

const directory = mkdtempSync(join(tmpdir(), "presently-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("nothing is loaded unless it is asked for", async () => {
  expect(await loadExtensions({})).toEqual([]);
});

test.each([
  [{ phoenixKey: "user" }, "--phoenix-key needs --phoenix"],
  [{ phoenixTokenSecretFile: "secret" }, "--phoenix-token-secret-file needs --phoenix"],
  [{ phoenix: "socket" }, '--phoenix "socket" must begin with a slash'],
  [{ phoenix: "/socket", http: false }, "leave --no-http out"],
  [{ phoenix: "/socket", phoenixTokenSecretFile: "nowhere" }, "cannot be read (ENOENT)"],
  [{ phoenix: "/socket", phoenixTokenSecretFile: emptyFile() }, "is empty"],
  [{ faye: "bayeux" }, '--faye "bayeux" must be a path'],
  [{ faye: "/bay eux" }, "must be a path"],
  [{ faye: "/bayeux", http: false }, "leave --no-http out"],
  [{ faye: "/socket", phoenix: "/socket" }, "cannot both be served at /socket"],
  [{ anycable: "cable" }, '--anycable "cable" must be a path'],
  [{ anycable: "/cable" }, "--anycable needs --anycable-secret-file, or --anycable-public"],
  [{ anycable: "/cable", anycablePublic: true, http: false }, "leave --no-http out"],
  [{ anycable: "/a", anycablePublic: true, faye: "/a" }, "--anycable and --faye cannot both be served at /a"],
  [{ anycable: "/cable", anycableSecretFile: emptyFile() }, "is empty"],
  [{ anycablePublic: true }, "--anycable-public needs --anycable"],
  [{ anycableOrigin: ["*"] }, "--anycable-origin needs --anycable"],
  [{ anycable: "/cable", anycablePublic: true, anycableOrigin: ["shop"] }, "must be https://host"],
  [{ anycableSecretFile: "x" }, "--anycable-secret-file needs --anycable"],
  [{ webhookTopic: ["x"] }, "--webhook-topic needs --webhook"],
  [{ webhook: "http://127.0.0.1:9" }, "--webhook needs --webhook-secret-file"],
])("flags that cannot be used are refused: %j", async (flags, problem) => {
  await expect(loadExtensions(flags)).rejects.toThrow(UsageError);
  await expect(loadExtensions(flags)).rejects.toThrow(problem);
});

function emptyFile(): string {
  const path = join(directory, "empty");
  writeFileSync(path, "\n");
  return path;
}
