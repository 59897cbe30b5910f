import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { endHostiles, RawClient } from "../../../../test/helpers/hostile.ts";
import { createLogger } from "../logger.ts";
import { createNode } from "../node.ts";
import { loadExtensions } from "./extensions.ts";
import { UsageError } from "./failure.ts";

const directory = mkdtempSync(join(tmpdir(), "presently-"));
afterAll(() => rmSync(directory, { recursive: true }));

const ends: (() => unknown)[] = [];
afterEach(async () => {
  endHostiles();
  for (const end of ends.splice(0)) await end();
});

test("nothing is loaded unless it is asked for", async () => {
  expect(await loadExtensions({})).toEqual([]);
});

test.each([
  [{ phoenixKey: "user" }, "--phoenix-key needs --phoenix"],
  [{ phoenixTokenSecretFile: "secret" }, "--phoenix-token-secret-file needs --phoenix"],
  [{ phoenix: "socket" }, '--phoenix "socket" must begin with a slash'],
  [{ phoenix: "/socket", http: false }, "leave --no-http out"],
  [{ phoenix: "/socket", phoenixTokenSecretFile: "nowhere" }, "cannot be read (ENOENT)"],
  [{ phoenix: "/socket", phoenixTokenSecretFile: file("empty", "\n") }, "is empty"],
  [{ supabase: "realtime" }, '--supabase "realtime" must begin with a slash'],
  [{ supabase: "/realtime/v1", http: false }, "leave --no-http out"],
  [{ supabase: "/socket", phoenix: "/socket" }, "cannot both be served at /socket"],
  [{ supabaseJwtSecretFile: "x" }, "--supabase-jwt-secret-file needs --supabase"],
  [{ faye: "bayeux" }, '--faye "bayeux" must be a path'],
  [{ faye: "/bay eux" }, "must be a path"],
  [{ faye: "/bayeux", http: false }, "leave --no-http out"],
  [{ faye: "/socket", phoenix: "/socket" }, "cannot both be served at /socket"],
  [{ anycable: "cable" }, '--anycable "cable" must be a path'],
  [{ anycable: "/cable" }, "--anycable needs --anycable-secret-file, or --anycable-public"],
  [{ anycable: "/cable", anycablePublic: true, http: false }, "leave --no-http out"],
  [{ anycable: "/a", anycablePublic: true, faye: "/a" }, "--anycable and --faye cannot both be served at /a"],
  [{ anycable: "/cable", anycableSecretFile: file("empty", "\n") }, "is empty"],
  [{ anycablePublic: true }, "--anycable-public needs --anycable"],
  [
    { phoenix: "/s", phoenixTokenSecretFile: file("few", "0123456789abcdef\n") },
    "few: token secret must have at least 32",
  ],
  [
    { phoenix: "/s", phoenixTokenSecretFile: file("half", "-----BEGIN PUBLIC KEY-----\nMI\n") },
    "half: token secret looks",
  ],
  [
    { webhook: "http://127.0.0.1:9", webhookSecretFile: file("ssh", "ssh-rsa AAAAB3NzaC1yc2E") },
    "ssh: the secret is a key",
  ],
  [{ anycableNoauth: true }, "--anycable-noauth needs --anycable"],
  [
    { anycable: "/cable", anycableNoauth: true },
    "--anycable needs --anycable-secret-file, or --anycable-public",
  ],
  [
    { anycable: "/cable", anycableSecretFile: file("pem", "-----BEGIN PUBLIC KEY-----\n") },
    "holds a key in PEM",
  ],
  [{ origin: ["*"] }, "--origin needs --phoenix, --supabase, --faye, --anycable or --pusher-app"],
  [{ pusherApp: ["key"] }, "must be key:secret-file or id:key:secret-file"],
  [{ pusherApp: ["key:/nowhere"] }, "cannot be read"],
  [{ pusherApp: ["key:f"], http: false }, "--pusher-app is served at the HTTP address"],
  [{ phoenix: "/socket", origin: ["https://shop.example", "shop"] }, '--origin "shop" must be https://host'],
  [{ faye: "/bayeux", origin: ["https://shop.example/path"] }, "must be https://host"],
  [{ anycable: "/cable", anycablePublic: true, origin: ["shop"] }, "must be https://host"],
  [{ anycableSecretFile: "x" }, "--anycable-secret-file needs --anycable"],
  [{ webhookTopic: ["x"] }, "--webhook-topic needs --webhook"],
  [{ webhook: "http://127.0.0.1:9" }, "--webhook needs --webhook-secret-file"],
])("flags that cannot be used are refused: %j", async (flags, problem) => {
  await expect(loadExtensions(flags)).rejects.toThrow(UsageError);
  await expect(loadExtensions(flags)).rejects.toThrow(problem);
});

test("a short secret of AnyCable is for loopback only", async () => {
  const flags = { anycable: "/cable", anycableSecretFile: file("short", "s3Krit\n") };
  for (const host of ["127.0.0.1", "localhost", "::1"])
    expect(await loadExtensions(flags, host)).toHaveLength(1);
  for (const host of ["0.0.0.0", "::", "10.0.0.1"]) {
    await expect(loadExtensions(flags, host)).rejects.toThrow(UsageError);
    await expect(loadExtensions(flags, host)).rejects.toThrow("must have at least 32 bytes");
  }
  const long = { ...flags, anycableSecretFile: file("long", "0123456789abcdef0123456789abcdef\n") };
  expect(await loadExtensions(long, "0.0.0.0")).toHaveLength(1);
});

describe("--origin", () => {
  const [shop, other] = ["https://shop.example", "https://other.example"];

  test.each<[string[] | undefined, string[]]>([
    [undefined, []],
    [[shop], [shop]],
    [
      ["https://first.example", "//*.example"],
      [shop, other],
    ],
    [["*"], [shop, other]],
  ])("%j says whose pages connect, by whichever protocol", async (origin, welcome) => {
    const flags = { phoenix: "/socket", faye: "/bayeux", anycable: "/cable", anycablePublic: true, origin };
    const extensions = await loadExtensions(flags);
    const log = createLogger({ level: "silent", base: {} });
    const node = await createNode({ name: "a", http: { port: 0 }, log });
    ends.push(() => node.stop({ handoffMs: 0 }));
    for (const extend of extensions) extend(node, log);
    for (const [path, query] of [
      ["/socket/websocket", "vsn=2.0.0&user_id=alice"],
      ["/bayeux", ""],
      ["/cable", ""],
    ] as const) {
      const asked: unknown[] = [];
      for (const page of [shop, other]) {
        const raw = await RawClient.upgrade(`${node.httpUrl}${path}`, {
          query,
          headers: { origin: page },
        });
        asked.push(raw.status);
        raw.destroy();
      }
      expect([path, asked]).toEqual([
        path,
        [shop, other].map((page) => (welcome.includes(page) ? 101 : 403)),
      ]);
    }
  });
});

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}
