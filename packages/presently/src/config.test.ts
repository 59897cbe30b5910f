import { ConfigurationError, InvalidArgumentError, REPLICA_DEFAULTS } from "@presently/replica";
import { afterAll, describe, expect, test } from "vitest";
import { CertificateAuthority } from "../../../test/fixtures/tls.ts";
import { resolveConfig } from "./config.ts";
import type { NodeOptions } from "./node-options.ts";
import { optionTable } from "./option-table.ts";

const mesh = { port: 7001 };
const http = { port: 4001 };

const authority = new CertificateAuthority();
afterAll(() => authority.close());
const { cert, key } = authority.issue("IP:127.0.0.1");
const withTls = (tls: object) => ({ name: "a", mesh: { port: 1, tls } });

/** Options from outside, of whatever shape. */
const resolve = (options: unknown) => resolveConfig(options as NodeOptions);

describe("the configuration", () => {
  test("has a default for everything but the name", () => {
    const config = resolve({ name: "a" });
    expect(config).toMatchObject({
      name: "a",
      cluster: "presently",
      secrets: [],
      handoffMs: 0,
      ...REPLICA_DEFAULTS,
    });
    expect([config.mesh, config.http]).toEqual([undefined, undefined]);
  });

  test("fills in a section that is there, from its port on", () => {
    const config = resolve({ name: "a", mesh, http });
    expect(config.mesh).toMatchObject({ host: "127.0.0.1", port: 7001, peers: [], peerGossip: true });
    expect(config.http).toMatchObject({ host: "127.0.0.1", port: 4001, bodyBytesMax: 65_536, page: true });
  });

  test("lets a larger meta come with a larger body", () => {
    expect(resolve({ name: "a", metaBytesMax: 100_000, http }).http?.bodyBytesMax).toBe(200_000);
  });

  test("takes peers by address and by name", () => {
    const peers = ["ws://a:1", "wss://a:1", "dns+ws://a:1", "srv+wss://_mesh._tcp.a"];
    expect(resolve({ name: "a", mesh: { port: 1, peers } }).mesh?.peers).toEqual(peers);
  });

  test("takes one secret or several", () => {
    expect(resolve({ name: "a", secret: "s" }).secrets).toEqual(["s"]);
    expect(resolve({ name: "a", secret: ["new", "old"] }).secrets).toEqual(["new", "old"]);
  });

  test.each<[string, unknown, RegExp]>([
    ["no name", {}, /^name is missing/],
    ["an empty name", { name: "" }, /^name "" must be/],
    ["a name with a blank", { name: "a b" }, /^name "a b" must be 1 to 64/],
    ["an unknown option", { name: "a", hartbeatMs: 1 }, /^hartbeatMs is not an option/],
    [
      "an unknown option of the mesh",
      { name: "a", mesh: { port: 1, peer: "x" } },
      /^mesh.peer is not an option/,
    ],
    ["a mesh without a port", { name: "a", mesh: {} }, /^mesh.port is missing/],
    ["a mesh that is no object", { name: "a", mesh: 7001 }, /^mesh must be an object/],
    [
      "a number as text",
      { name: "a", downAfterMs: "5000" },
      /^downAfterMs "5000" must be a whole number of ms/,
    ],
    ["a fraction", { name: "a", downAfterMs: 0.5 }, /^downAfterMs 0.5 must be/],
    [
      "a duration beyond what timers hold",
      { name: "a", evictAfterMs: 2 ** 31 },
      /^evictAfterMs 2147483648 must be/,
    ],
    ["a port out of range", { name: "a", http: { port: 70_000 } }, /^http.port 70000 must be/],
    [
      "a peer that is no WebSocket URL",
      { name: "a", mesh: { port: 1, peers: ["http://x"] } },
      /^mesh.peers "http:\/\/x"/,
    ],
    [
      "an SRV name with a port",
      { name: "a", mesh: { port: 1, peers: ["srv+ws://_a._tcp.b:1"] } },
      /^mesh.peers/,
    ],
    [
      "peers that are no list",
      { name: "a", mesh: { port: 1, peers: "ws://x" } },
      /^mesh.peers "ws:\/\/x" must be a list/,
    ],
    [
      "an origin with a path",
      { name: "a", http: { port: 1, allowedOrigins: ["https://x/y"] } },
      /^http.allowedOrigins/,
    ],
    ["a certificate without its key", withTls({ cert }), /^mesh.tls.key is missing/],
    [
      "a certificate that is none",
      withTls({ cert: "x", key }),
      /^mesh.tls.cert must hold a certificate in PEM$/,
    ],
    ["TLS that is no object", { name: "a", mesh: { port: 1, tls: true } }, /^mesh.tls must be an object/],
    ["an unknown option of TLS", withTls({ cert, key, certs: "" }), /^mesh.tls.certs is not an option/],
    ["an unknown log level", { name: "a", logLevel: "loud" }, /^logLevel "loud" must be one of debug, info/],
    ["an empty secret", { name: "a", secret: "" }, /^secret must be/],
    ["a secret that is no text", { name: "a", secret: 7 }, /^secret must be/],
    ["a certificate for a secret", { name: "a", secret: cert }, /^secret holds a key in PEM/],
    ["the lines of one", { name: "a", secret: cert.split("\n") }, /^secret holds a key in PEM/],
    ["an incarnation below 0", { name: "a", incarnation: -1 }, /^incarnation -1 must be/],
  ])("refuses %s", (_, options, message) => {
    expect(() => resolve(options)).toThrow(InvalidArgumentError);
    expect(() => resolve(options)).toThrow(message);
  });

  test.each<[unknown, string, string]>([
    [{ heartbeatIntervalMs: 6_000 }, "heartbeatIntervalMs 6000", "downAfterMs 5000"],
    [{ downAfterMs: 1_500 }, "heartbeatIntervalMs 1000", "downAfterMs 1500"],
    [{ evictAfterMs: 5_000 }, "downAfterMs 5000", "evictAfterMs 5000"],
    [{ flushIntervalMs: 1_001 }, "flushIntervalMs 1001", "heartbeatIntervalMs 1000"],
    [{ mesh: { port: 1, dialMinMs: 2_000 } }, "mesh.dialMinMs 2000", "mesh.dialMaxMs 500"],
    [{ mesh, metaBytesMax: 2_000_000 }, "metaBytesMax 2000000", "mesh.frameBytesMax 1048576"],
    [{ http: { port: 1, bodyBytesMax: 100 } }, "metaBytesMax 8192", "http.bodyBytesMax 100"],
    [{ mesh, http: { port: 7001 } }, "mesh.port", "http.port"],
    [{ mesh: { port: 1, host: "0.0.0.0" } }, "mesh.host 0.0.0.0", "secret"],
    [
      { mesh: { port: 1, host: "::" }, secret: "0123456789abcde" },
      "mesh.host ::",
      "secret has fewer than 16",
    ],
    [
      { mesh: { port: 1, host: "10.0.0.1" }, secret: ["0123456789abcdef", "s"] },
      "mesh.host 10",
      "secret has",
    ],
    [withTls({ cert, key, requestClientCertificate: true }), "requestClientCertificate", "mesh.tls.ca"],
    [withTls({ cert, key: authority.issue("a.test").key }), "mesh.tls.key", "mesh.tls.cert"],
    [{ mesh: { port: 1, advertise: "ws://a:1", tls: { cert, key } } }, "mesh.advertise ", "mesh.tls.cert"],
  ])("refuses a contradiction, naming both: %j", (options, one, other) => {
    const attempt = () => resolve({ name: "a", ...(options as object) });
    expect(attempt).toThrow(ConfigurationError);
    expect(attempt).toThrow(one);
    expect(attempt).toThrow(other);
  });

  test("never puts a secret into an error", () => {
    for (const secret of [["hunter2", ""], ["hunter2", 5], { hunter2: "hunter2" }]) {
      expect(() => resolve({ name: "a", secret })).toThrow(/^secret must be((?!hunter2).)*$/);
    }
  });

  test("never puts a private key into an error", () => {
    for (const tls of [
      { cert: key, key },
      { cert, key: [key] },
      { cert, key: key.slice(0, 99) },
      { cert, key, ca: key },
    ])
      expect(() => resolve(withTls(tls))).toThrow(/^mesh\.tls\.\w+ ((?!PRIVATE).)*$/);
  });

  test("knows every option of the table, and every default passes its own check", () => {
    for (const { path, default: value } of optionTable) {
      if (value === undefined) continue;
      const [field, section, outermost] = path.split(".").reverse() as [string, string?, string?];
      let options: object = { [field]: value };
      if (outermost !== undefined) options = withTls({ cert, key, ...options });
      else if (section !== undefined) options = { [section]: { port: 1, ...options } };
      expect(() => resolve({ name: "a", ...options }), path).not.toThrow();
    }
  });
});
