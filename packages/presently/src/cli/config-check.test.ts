import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { checkConfig } from "./config-check.ts";
import { describeProblem, readConfigFile } from "./config-file.ts";
import { main } from "./main.ts";

const directory = mkdtempSync(join(tmpdir(), "presently-"));
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const problemsOf = (content: string, environment = {}) => {
  const path = file("presently.yaml", content);
  const { problems } = checkConfig(readConfigFile(path), environment);
  return problems.map((problem) => describeProblem("p", problem).replaceAll(directory, "."));
};

/** What the command prints, and its exit code. */
async function run(...words: string[]): Promise<{ output: string; errors: string; code: unknown }> {
  let [output, errors] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    errors += String(text);
    return true;
  });
  await main(words);
  return { output, errors, code: process.exitCode };
}

describe("a look through a configuration file", () => {
  test("tells all mistakes at once, each with its place", () => {
    file("empty", "\n");
    const text = `name: "n 1"
nmae: n2
heartbeatIntervalMs: 6000
mesh:
  port: 70010
  peers: [ws://a:1, "b:2"]
  tls:
    certFile: none.pem
secretFile: empty
phoenix:
  path: socket
  tokenSecretFile: empty
faye: /bayeux
anycable:
  path: /cable
webhook:
  topics: 3
  urll: http://x
logLevel: loud
`;
    expect(problemsOf(text)).toEqual([
      'p:1:1: name "n 1" must be 1 to 64 letters, digits, or one of . _ : @ -',
      "p:2:1: nmae is not an option of a node",
      "p:3:1: heartbeatIntervalMs 6000 must be smaller than downAfterMs 5000",
      "p:5:3: mesh.port 70010 must be a port from 0 to 65535",
      'p:6:3: mesh.peers "b:2" must be a URL such as ws://10.0.0.2:7001 or dns+ws://nodes.example:7001',
      "p:8:5: mesh.tls.certFile ./none.pem cannot be read (ENOENT)",
      "p:9:1: secretFile ./empty is empty",
      'p:11:3: phoenix.path "socket" must begin with a slash: write /socket',
      "p:13:1: faye must be an object",
      "p:15:3: anycable.path needs anycable.secretFile, or anycable.public: nobody could subscribe to anything without",
      "p:17:3: webhook.topics must be a list of texts",
      "p:18:3: webhook.urll is not an option",
      'p:19:1: logLevel "loud" must be one of debug, info, warn, error, silent',
    ]);
  });

  test("tells where the text is no YAML", () => {
    expect(problemsOf("name: a\nmesh: {port: 1\n")[0]).toMatch(/^p:3:1: is not YAML: /);
    expect(problemsOf("name: a\nname: b\n")[0]).toMatch(/^p:2:1: is not YAML: .*unique/i);
    expect(problemsOf("- a\n")).toEqual(["p:1:1: must hold options, each with its name"]);
  });

  test("never repeats a secret", () => {
    const problems = problemsOf("secret: hunter2\nmesh: {port: 1, tls: {cert: x, key: hunter2}}\n").join(
      "\n",
    );
    expect(problems).toContain("p:1:1: secret is a secret");
    expect(problems).toContain("mesh.tls.key is a secret");
    expect(problems).not.toContain("hunter2");
  });

  test("takes what is wrong for wrong, and not for missing, too", () => {
    const text = "mesh: {host: 0.0.0.0, port: 7001}\nsecretFile: none\nhttp: {host: 0.0.0.0, port: 4001}\n";
    expect(problemsOf(`${text}access:\n  tokensFile: none.yaml\n`)).toEqual([
      "p:2:1: secretFile ./none cannot be read (ENOENT)",
      "p:5:3: access.tokensFile ./none.yaml cannot be read (ENOENT)",
    ]);
    expect(problemsOf(text).join("\n")).toContain("http.host 0.0.0.0 can be reached by other machines");
  });

  test("finds nothing wrong with a file that needs a name or a secret from elsewhere", () => {
    expect(
      problemsOf("mesh: {host: 0.0.0.0, port: 7001}\n", { PRESENTLY_SECRET: "0123456789abcdef" }),
    ).toEqual([]);
    expect(
      problemsOf("mesh: {host: 0.0.0.0, port: 7001}\n", { PRESENTLY_SECRET: "0123456789abcde" }),
    ).toEqual([expect.stringContaining("has fewer than 16 bytes: make one with openssl rand -hex 32")]);
    expect(problemsOf("mesh: {host: 0.0.0.0, port: 7001}\n")).toEqual([
      expect.stringContaining("mesh.host 0.0.0.0 can be reached by other machines"),
    ]);
    expect(problemsOf("")).toEqual([]);
    expect(problemsOf("nats: {servers: ['nats://127.0.0.1:4222']}\n")).toEqual([]);
  });
});

describe("presently config check", () => {
  test("prints the mistakes and gives exit code 1", async () => {
    const path = file("wrong.yaml", "name: a\nhttp: {port: 99999}\nfoo: 1\n");
    const { output, errors, code } = await run("config", "check", path);
    expect([output, code]).toEqual(["", 1]);
    expect(errors.split("\n")).toEqual([
      `${path}:2:8: http.port 99999 must be a port from 0 to 65535`,
      `${path}:3:1: foo is not an option of a node`,
      "",
    ]);
  });

  test("prints what a good file amounts to, without secrets", async () => {
    file("secret", "hunter2, and as long as tokens ask for\n");
    const path = file(
      "good.yaml",
      "name: n1\nsecretFile: secret\nhandoffMs: 10000\nphoenix: {path: /socket, tokenSecretFile: secret}\n",
    );
    const { output, errors, code } = await run("config", "check", path);
    expect([errors, code]).toEqual(["", undefined]);
    expect(output).toContain(`${path} can be used:\n  name: "n1"\n`);
    expect(output).toContain("  handoffMs: 10000\n");
    expect(output).toContain('  phoenix.path: "/socket"\n');
    expect(output).toContain(`  secretFile: ${JSON.stringify(join(directory, "secret"))}\n`);
    expect(output).not.toContain("hunter2");
    expect(output).not.toContain("downAfterMs");
    vi.restoreAllMocks();
    expect((await run("config", "check", "--all", path)).output).toContain("  downAfterMs: 5000\n");
  });

  test("gives exit code 2 for a file that is not there", async () => {
    const path = join(directory, "none");
    const { errors, code } = await run("config", "check", path);
    expect([errors, code]).toEqual([`presently: ${path} cannot be read (ENOENT)\n`, 2]);
  });
});
