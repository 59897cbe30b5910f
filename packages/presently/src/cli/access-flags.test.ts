import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { handmadeToken, secondsFromNow } from "../../../../test/helpers/hostile.ts";
import { send } from "../../../../test/helpers/http.ts";
import { createApiToken, hashApiToken } from "../access/api-token.ts";
import { createNode, type PresentlyNode } from "../node.ts";
import { readAccess } from "./access-flags.ts";
import { renewTokens } from "./access-renewal.ts";
import { endingOf, UsageError } from "./failure.ts";
import { createProgram } from "./main.ts";

vi.setConfig({ testTimeout: 60_000 });

const directory = mkdtempSync(join(tmpdir(), "presently-"));
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** Runs a command, and gives what it prints. */
async function run(...words: readonly string[]): Promise<string> {
  const log = vi.spyOn(console, "log").mockReturnValue();
  await createProgram().parseAsync(words, { from: "user" });
  const printed = log.mock.calls.map(([line]) => String(line)).join("\n");
  log.mockRestore();
  return printed;
}

const failureOf = (...words: readonly string[]) =>
  run(...words).then(
    () => undefined,
    (error: unknown) => endingOf(error).line,
  );

describe("flags of access", () => {
  const secret = "a secret of signer and server, long enough";
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const olderSecret = "an older secret of these, as long as the new one";

  test("that are not there leave everything to everybody", () => {
    expect(readAccess({})).toBeUndefined();
  });

  test("make tokens of both kinds count, and say what those may do who show none", async () => {
    const token = createApiToken();
    const entry = `- { id: ci, hash: "${hashApiToken(token)}", scopes: [inspect] }\n`;
    const access = readAccess({
      accessTokensFile: file("tokens.yaml", entry),
      accessJwtSecretFile: file("secrets", `${olderSecret}\n${secret}\n`),
      accessJwtIssuer: "shop",
      accessJwtId: "user_id",
      accessJwtScope: ["watch:*"],
      accessAnonymous: ["watch:lobby"],
    })!;
    const who = (shown: string | undefined) =>
      access.authenticate({ protocol: "http", token: shown, params: {}, headers: {}, address: undefined });
    const claims = { user_id: 7, exp: secondsFromNow(60) };
    expect(await who(token)).toMatchObject({ id: "ci" });
    expect(await who(undefined)).toMatchObject({ id: "anonymous", claims: { presently: ["watch:lobby"] } });
    const user = await who(handmadeToken({ ...claims, iss: "shop" }, secret));
    expect(user).toMatchObject({ id: "7", claims: { presently: ["watch:*"] } });
    expect(await who(handmadeToken({ ...claims, iss: "shop" }, olderSecret))).toBeDefined();
    expect(await who(handmadeToken({ ...claims, iss: "other" }, secret))).toBeUndefined();
  });

  test.each<[string, (pem: string, der: Buffer) => string | Buffer]>([
    ["text before it", (pem) => `Bag Attributes: none\n${pem}`],
    ["a byte order mark", (pem) => `\ufeff${pem}`],
    ["blanks before each line", (pem) => pem.replaceAll(/^/gm, "  ")],
    ["no last line", (pem) => pem.replace(/-----END.*/s, "")],
    ["neither first nor last line", (pem) => pem.replaceAll(/-----.*-----\n/g, "")],
    ["no first line and a secret behind it", (pem) => `${pem.replace(/.*\n/, "")}${secret}\n`],
    ["16 bits for a character", (pem) => Buffer.from(`\ufeff${pem}`, "utf16le")],
    ["no text at all, as DER", (_, der) => der],
  ])("take no line of a public key for a secret: %s", async (_, written) => {
    const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
    const path = file("key", written(pem, publicKey.export({ type: "spki", format: "der" })));
    let access: ReturnType<typeof readAccess>;
    try {
      access = readAccess({ accessJwtSecretFile: path });
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      return;
    }
    const content = readFileSync(path, "utf8");
    for (const known of [
      content,
      content.trim(),
      pem,
      pem.trim(),
      ...pem.split("\n"),
      ...content.split("\n"),
    ]) {
      if (known === "") continue;
      const token = handmadeToken({ sub: "admin", exp: secondsFromNow(60) }, known);
      const shown = { protocol: "http", token, params: {}, headers: {}, address: undefined } as const;
      expect(await access?.authenticate(shown)).toBeUndefined();
    }
  });

  test.each([
    [{ accessJwtIssuer: "a" }, "--access-jwt-issuer needs --access-jwt-secret-file"],
    [{ accessJwtScope: ["watch:*"] }, "--access-jwt-scope needs --access-jwt-secret-file"],
    [{ accessTokensFile: "nowhere" }, "--access-tokens-file nowhere cannot be read (ENOENT)"],
    [{ accessTokensFile: file("broken.yaml", "[") }, "broken.yaml is not YAML"],
    [{ accessTokensFile: file("map.yaml", "id: ci") }, "map.yaml must hold a list"],
    [
      { accessTokensFile: file("plain.yaml", "- { id: ci, hash: x, scopes: [] }") },
      "plain.yaml: tokens[0].hash must be",
    ],
    [{ accessJwtSecretFile: file("empty", "\n") }, "empty is empty"],
    [
      { accessJwtSecretFile: file("pem", "-----BEGIN PUBLIC KEY-----\nno\n") },
      "pem: token secret looks like a key",
    ],
    [{ accessAnonymous: ["admin"] }, '--access-anonymous admin: access.anonymous has "admin"'],
  ])("that cannot be used are refused: %j", (flags, message) => {
    expect(() => readAccess(flags)).toThrow(message);
  });

  test("are missed where other machines reach the node", async () => {
    expect(await failureOf("start", "--name", "a", "--http", "0.0.0.0:4001")).toBe(
      "presently: --http 0.0.0.0 can be reached by other machines, and there is no access (--access-tokens-file or " +
        "--access-jwt-secret-file): say who may do what, listen on 127.0.0.1, or set --open",
    );
  });
});

describe("presently token", () => {
  test("makes a token, and the entry that lets it in", async () => {
    const printed = await run(
      "token",
      "create",
      "--id",
      "ci",
      "--scope",
      "inspect",
      "--scope",
      "watch:room:*",
      "--json",
    );
    const { token, entry } = JSON.parse(printed);
    expect(entry).toEqual({ id: "ci", hash: hashApiToken(token), scopes: ["inspect", "watch:room:*"] });
    const text = await run("token", "create", "--id", "ci", "--scope", "*", "--expires", "2030-01-01");
    const [shown = "", ...rest] = text.split("\n");
    expect(shown).toMatch(/^presently_[\w-]{43}$/);
    const tokens = file("made.yaml", rest.slice(rest.indexOf("- id: ci")).join("\n"));
    const access = readAccess({ accessTokensFile: tokens })!;
    const credentials = { protocol: "http", params: {}, headers: {}, address: undefined } as const;
    expect(await access.authenticate({ ...credentials, token: shown })).toMatchObject({ id: "ci" });
  });

  test.each([
    [["--id", "ci"], "required option '--scope <scope>' not specified"],
    [["--id", "ci", "--scope", "admin"], 'tokens[0].scopes has "admin"'],
    [["--id", "", "--scope", "*"], "tokens[0].id must be a text"],
    [["--id", "ci", "--scope", "*", "--expires", "soon"], "tokens[0].expires must be a date"],
  ])("refuses %j", async (words, message) => {
    expect(await failureOf("token", "create", ...words)).toContain(message);
  });
});

describe("a node that asks who it is", () => {
  const token = createApiToken();
  const entry = (scopes: string) => `- { id: ops, hash: "${hashApiToken(token)}", scopes: [${scopes}] }\n`;
  const tokensFile = file("ops.yaml", entry('"*"'));
  const tokenFile = file("token", `${token}\n`);
  const lines: string[] = [];
  let node: PresentlyNode;

  beforeAll(async () => {
    const access = readAccess({ accessTokensFile: tokensFile })!;
    node = await createNode({ name: "a", http: { port: 0 }, access, logLevel: "silent" });
    const write = (_: object, message: string) => void lines.push(message);
    renewTokens(node, access, tokensFile, { debug: write, info: write, warn: write, error: write });
  });
  afterAll(() => node.stop());

  test("answers the commands that show a token, from a file or from the environment", async () => {
    const url = ["--url", node.httpUrl!];
    expect(await run("topics", ...url, "--token-file", tokenFile)).toContain("0 topics");
    expect(await run("list", "room", ...url, "--token-file", tokenFile)).toContain("0 present on room");
    vi.stubEnv("PRESENTLY_TOKEN", token);
    expect(await run("cluster", ...url)).toContain("cluster presently");
    const both = await failureOf("cluster", ...url, "--token-file", tokenFile);
    expect(both).toBe("presently: --token-file and PRESENTLY_TOKEN are both given: keep one of them");
  });

  test("refuses those that show none, or what no token can be", async () => {
    const url = ["--url", node.httpUrl!];
    expect(await failureOf("cluster", ...url)).toBe(
      `presently: ${node.httpUrl} asks for a token that it knows: give one with --token-file or PRESENTLY_TOKEN`,
    );
    expect(await failureOf("compare", node.httpUrl!, node.httpUrl!)).toContain("asks for a token");
    const injected = file("injected", "a\r\nx-evil: 1");
    const line = await failureOf("evict", "b", ...url, "--token-file", injected);
    expect(line).toBe("presently: the token has characters that no token has");
  });

  test("takes tokens back while it runs, and keeps those that it has while their file is broken", async () => {
    const status = async () =>
      (await send(node.httpUrl!, "/api/topics", { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await status()).toBe(200);
    file("ops.yaml", "- { broken");
    await eventually(() => expect(lines.join()).toContain("the old ones go on"), { timeoutMs: 30_000 });
    expect(await status()).toBe(200);
    file("ops.yaml", entry("inspect:metrics"));
    await eventually(async () => expect(await status()).toBe(403), { timeoutMs: 30_000 });
    file("ops.yaml", "[]\n");
    await eventually(async () => expect(await status()).toBe(401), { timeoutMs: 30_000 });
  });
});
