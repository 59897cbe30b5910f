import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { resolveConfig } from "../config.ts";
import { optionTable } from "../option-table.ts";
import { type Ending, endingOf } from "./failure.ts";
import { createProgram } from "./main.ts";
import { readStartOptions } from "./start-options.ts";

const directory = mkdtempSync(join(tmpdir(), "presently-"));
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** How a command line that does not get as far as starting anything ends. */
async function endingFor(words: readonly string[]): Promise<Ending> {
  try {
    await createProgram().parseAsync(words, { from: "user" });
  } catch (error) {
    return endingOf(error);
  }
  throw new Error(`it was accepted: ${words.join(" ")}`);
}

/** The flags of `presently start`, as its action gets them. */
async function flagsOf(words: readonly string[]): Promise<Record<string, unknown>> {
  const program = createProgram();
  const start = program.commands.find((command) => command.name() === "start")!;
  let flags: Record<string, unknown> = {};
  start.action((given: Record<string, unknown>) => {
    flags = given;
  });
  await program.parseAsync(["start", ...words], { from: "user" });
  return flags;
}

const read = async (words: readonly string[], environment: Record<string, string> = {}) =>
  readStartOptions(await flagsOf(words), environment);

describe("a command line with a mistake", () => {
  const config = (content: unknown) => file("bad.json", JSON.stringify(content));

  test.each<[string, readonly string[], string]>([
    ["an unknown command", ["strat"], "presently: unknown command 'strat' (Did you mean start?)"],
    [
      "an unknown option",
      ["start", "--nmae", "a"],
      "presently: unknown option '--nmae' (Did you mean --name?)",
    ],
    [
      "an option without its value",
      ["start", "--name"],
      "presently: option '--name <name>' argument missing",
    ],
    ["a missing name", ["start"], "presently: --name is missing"],
    ["a missing topic", ["list"], "presently: missing required argument 'topic'"],
    [
      "a contradiction",
      ["start", "--name", "a", "--heartbeat-ms", "6000", "--down-after-ms", "5000"],
      "presently: --heartbeat-ms 6000 must be smaller than --down-after-ms 5000",
    ],
    [
      "a number that is none",
      ["start", "--name", "a", "--down-after-ms", "soon"],
      'presently: --down-after-ms "soon" must be a whole number of ms from 1 to 2147483647',
    ],
    [
      "an address without a port",
      ["start", "--name", "a", "--mesh", "127.0.0.1"],
      'presently: --mesh "127.0.0.1" is not host:port: write 127.0.0.1:4001, or [::1]:4001 for IPv6',
    ],
    [
      "a peer but no mesh",
      ["start", "--name", "a", "--peer", "ws://127.0.0.1:7002"],
      "presently: --peer needs --mesh: say where this node listens, for example --mesh 127.0.0.1:7001",
    ],
    [
      "a peer that is no WebSocket URL",
      ["start", "--name", "a", "--mesh", "127.0.0.1:7001", "--peer", "127.0.0.1:7002"],
      'presently: --peer "127.0.0.1:7002" must be a URL such as ws://10.0.0.2:7001 or dns+ws://nodes.example:7001',
    ],
    [
      "a mesh for everybody",
      ["start", "--name", "a", "--mesh", "0.0.0.0:7001"],
      "presently: --mesh 0.0.0.0 can be reached by other machines, and there is no secret (PRESENTLY_SECRET or --secret-file): give all nodes one, or listen on 127.0.0.1",
    ],
    [
      "a certificate that is not there",
      ["start", "--name", "a", "--mesh", "127.0.0.1:7001", "--tls-cert", "/nowhere/cert.pem"],
      "presently: --tls-cert /nowhere/cert.pem cannot be read (ENOENT)",
    ],
    [
      "client certificates but no certificate",
      ["start", "--name", "a", "--mesh", "127.0.0.1:7001", "--tls-client-certificates"],
      "presently: --tls-cert is missing",
    ],
    [
      "a URL that is none",
      ["list", "a", "--url", "nowhere"],
      'presently: --url "nowhere" is not a URL such as http://127.0.0.1:4001',
    ],
    ["an eviction of nobody", ["evict"], "presently: missing required argument 'replica'"],
    [
      "a comparison of one",
      ["compare", "http://127.0.0.1:1"],
      "presently: missing required argument 'other'",
    ],
    [
      "a comparison with what is no URL",
      ["compare", "http://127.0.0.1:1", "n2"],
      'presently: --url "n2" is not a URL such as http://127.0.0.1:4001',
    ],
    [
      "a time that is none",
      ["compare", "http://127.0.0.1:1", "http://127.0.0.1:2", "--settle-ms", "soon"],
      "presently: option '--settle-ms <ms>' argument 'soon' is invalid. it must be a whole number of ms from 0 to 600000.",
    ],
  ])("%s ends with one line and exit code 2", async (_, words, line) => {
    expect(await endingFor(words)).toEqual({ line, exitCode: 2 });
  });

  test.each<[string, () => readonly string[], RegExp]>([
    [
      "is not there",
      () => ["--config", join(directory, "none.json")],
      /--config .*none.json cannot be read \(ENOENT\)$/,
    ],
    [
      "is no YAML",
      () => ["--config", file("text.yaml", "a: [\n")],
      /--config .*text.yaml:2:1: is not YAML: /,
    ],
    ["is a list", () => ["--config", config([])], /--config .*:1:1: must hold options, each with its name$/],
    [
      "holds a secret",
      () => ["--config", config({ secret: "s3cret" })],
      /--config .*:1:2: secret is a secret: put it into a file of its own((?!s3cret).)*$/,
    ],
    [
      "holds an unknown option",
      () => ["--config", config({ name: "a", nmae: "b" })],
      /^presently: nmae is not an option of a node$/,
    ],
    [
      "holds a wrong value",
      () => ["--config", config({ name: "a", mesh: { port: "x" } })],
      /^presently: mesh.port "x" must be a port from/,
    ],
    [
      "contradicts a flag",
      () => ["--config", config({ name: "a", downAfterMs: 5_000 }), "--heartbeat-ms", "6000"],
      /^presently: --heartbeat-ms 6000 must be smaller than downAfterMs 5000$/,
    ],
  ])("a file that %s ends with one line and exit code 2", async (_, words, line) => {
    const ending = await endingFor(["start", ...words()]);
    expect(ending.exitCode).toBe(2);
    expect(ending.line).toMatch(line);
  });

  test("a bug ends with exit code 1 and its stack", () => {
    const { line, exitCode } = endingOf(new TypeError("x is undefined"));
    expect(exitCode).toBe(1);
    expect(line).toContain("main.test.ts");
  });
});

describe("the options of a start", () => {
  test("are those of the issue's example", async () => {
    const { options } = await read([
      ...["--name", "n1", "--cluster", "shop", "--mesh", "127.0.0.1:7001"],
      ...["--peer", "ws://127.0.0.1:7002", "--peer", "ws://127.0.0.1:7003"],
      ...["--http", "[::1]:4001", "--no-peer-gossip", "--heartbeat-ms", "500"],
    ]);
    expect(options).toEqual({
      name: "n1",
      cluster: "shop",
      mesh: {
        host: "127.0.0.1",
        port: 7001,
        peers: ["ws://127.0.0.1:7002", "ws://127.0.0.1:7003"],
        peerGossip: false,
      },
      http: { host: "::1", port: 4001 },
      heartbeatIntervalMs: 500,
      logLevel: "info",
    });
  });

  test("have an HTTP API on loopback unless it is turned off", async () => {
    expect((await read(["--name", "a"])).options.http).toEqual({ host: "127.0.0.1", port: 4001 });
    expect((await read(["--name", "a", "--no-http"])).options.http).toBeUndefined();
  });

  test("come from a file, and flags win over it", async () => {
    const path = file(
      "good.json",
      JSON.stringify({
        name: "a",
        mesh: { port: 7001, peerGossip: false },
        downAfterMs: 9_000,
        http: { streamsMax: 5 },
      }),
    );
    const { options } = await read(["--config", path, "--name", "b", "--mesh", "127.0.0.1:7002"]);
    expect(options).toMatchObject({
      name: "b",
      mesh: { host: "127.0.0.1", port: 7002, peerGossip: false },
      http: { host: "127.0.0.1", port: 4001, streamsMax: 5 },
      downAfterMs: 9_000,
    });
    expect(resolveConfig(options).downAfterMs).toBe(9_000);
  });

  test("take the secret from the environment or a file, but not from both", async () => {
    const path = file("secret", "new secret\nold secret\n");
    expect((await read(["--name", "a"], { PRESENTLY_SECRET: "s" })).options.secret).toBe("s");
    expect((await read(["--name", "a", "--secret-file", path])).options.secret).toEqual([
      "new secret",
      "old secret",
    ]);
    const config = file("config.json", JSON.stringify({ secretFile: path }));
    expect((await read(["--name", "a", "--config", config])).options.secret).toEqual([
      "new secret",
      "old secret",
    ]);
    await expect(read(["--secret-file", path], { PRESENTLY_SECRET: "s" })).rejects.toThrow(
      "keep one of them",
    );
    await expect(read(["--secret-file", file("empty", "\n")])).rejects.toThrow("is empty");
  });

  test("take certificates from files, and those of flags win over those of the configuration", async () => {
    const [cert, key] = [file("cert.pem", "a certificate"), file("key.pem", "a key")];
    const tls = { certFile: cert, keyFile: join(directory, "none.pem"), requestClientCertificate: true };
    const config = file("tls.json", JSON.stringify({ name: "a", mesh: { port: 7001, tls } }));
    expect((await read(["--config", config, "--tls-key", key])).options.mesh?.tls).toEqual({
      cert: "a certificate",
      key: "a key",
      requestClientCertificate: true,
    });
    await expect(read(["--config", config])).rejects.toThrow(/mesh.tls.keyFile .*none.pem cannot be read/);
    const words = [
      "--mesh",
      "127.0.0.1:7001",
      "--tls-cert",
      cert,
      "--tls-key",
      key,
      "--tls-client-certificates",
    ];
    expect((await read(words)).options.mesh?.tls).toEqual({
      cert: "a certificate",
      key: "a key",
      requestClientCertificate: true,
    });
  });

  test("are all in --help, with unit and default", async () => {
    let help = "";
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      help += String(text);
      return true;
    });
    expect(await endingFor(["start", "--help"])).toEqual({ line: undefined, exitCode: 0 });
    const text = help.replace(/\s+/g, " ");
    for (const { flag, unit, kind, default: value } of optionTable) {
      if (flag === undefined) continue;
      expect(text).toContain(` ${flag} `);
      if (kind === "integer" && unit !== undefined) expect(text).toContain(`${flag} <${unit}>`);
      if (kind === "integer" && value !== undefined && flag !== "--mesh")
        expect(text).toContain(`(default: ${value})`);
    }
    expect(text).toContain("PRESENTLY_SECRET");
  });
});
