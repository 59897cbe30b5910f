/** TLS between nodes, over real sockets: who is believed, who is not, and what the log says of it. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type Certificate, CertificateAuthority } from "../../../test/fixtures/tls.ts";
import { eventually } from "../../../test/helpers/eventually.ts";
import { numbered, numberIn, peersOf, type TestMesh, TestMeshes } from "../test/meshes.ts";
import type { MeshOptions } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

const meshes = new TestMeshes();
let authority: CertificateAuthority;
let stranger: CertificateAuthority;
let ours: Certificate;
let theirs: Certificate;

beforeAll(() => {
  authority = new CertificateAuthority();
  stranger = new CertificateAuthority("another authority");
  ours = authority.issue("IP:127.0.0.1", "mesh.test");
  theirs = stranger.issue("IP:127.0.0.1");
});

afterAll(() => {
  authority.close();
  stranger.close();
});

afterEach(async () => {
  expect(await meshes.close()).toEqual([]);
});

const tls = (differing: Partial<MeshOptions["tls"]> = {}) => ({
  tls: { cert: ours.cert, key: ours.key, ca: authority.ca, ...differing },
});
const mutual = { requestClientCertificate: true };

const linesOf = ({ notices }: TestMesh, code: string) => notices.filter((notice) => notice.code === code);

describe("nodes with certificates of one authority", () => {
  test.each([
    ["on the server only", {}],
    ["on both sides", mutual],
  ])("(asked for %s) link over wss://, gossip, and carry frames", async (_, differing) => {
    const a = await meshes.start("a", tls(differing));
    expect(a.mesh.url).toMatch(/^wss:\/\/127\.0\.0\.1:\d+$/);
    const b = await meshes.start("b", { ...tls(differing), peers: [a.mesh.url] });
    const c = await meshes.start("c", { ...tls(differing), peers: [b.mesh.url] });
    await eventually(() =>
      expect([peersOf(a), peersOf(c)]).toEqual([
        [b.id, c.id],
        [a.id, b.id],
      ]),
    );
    b.mesh.send(a.id, numbered(7, 200_000));
    a.mesh.send(c.id, numbered(8));
    await eventually(() => expect(a.listener.frames.map(({ frame }) => numberIn(frame))).toEqual([7]));
    await eventually(() => expect(c.listener.frames.map(({ frame }) => numberIn(frame))).toEqual([8]));
    for (const { mesh } of [a, b, c]) expect(mesh.refused).toEqual({});
  });

  test("keep an idle link, and notice a silent one", async () => {
    const a = await meshes.start("a", { ...tls(), silentAfterMs: 200 });
    const b = await meshes.start("b", { ...tls(), silentAfterMs: 200, peers: [a.mesh.url] });
    await eventually(() => expect(b.mesh.links()[0]?.sinceMs).toBeGreaterThan(1_000));
    expect(a.mesh.refused).toEqual({});
  });

  test("may be known by one name, whatever their addresses", async () => {
    const named = authority.issue("mesh.test");
    const options = tls({ ...named, serverName: "mesh.test" });
    const a = await meshes.start("a", options);
    const b = await meshes.start("b", { ...options, peers: [a.mesh.url] });
    await eventually(() => expect(peersOf(b)).toEqual([a.id]));
  });
});

test("a renewed certificate, of another authority even, serves new connections, and no link is lost by it", async () => {
  const both = `${authority.ca}\n${stranger.ca}`;
  const a = await meshes.start("a", tls({ ...mutual, ca: both }));
  const b = await meshes.start("b", { ...tls({ ...mutual, ca: both }), peers: [a.mesh.url] });
  await eventually(() => expect(peersOf(b)).toEqual([a.id]));
  const theirsOnly = { cert: theirs.cert, key: theirs.key, ca: stranger.ca };
  for (const { mesh } of [a, b]) mesh.renewTls(theirsOnly);
  const c = await meshes.start("c", { tls: { ...theirsOnly, ...mutual }, peers: [a.mesh.url] });
  await eventually(() =>
    expect([peersOf(a), peersOf(b), peersOf(c)]).toEqual([
      [b.id, c.id],
      [a.id, c.id],
      [a.id, b.id],
    ]),
  );
  for (const { listener } of [a, b])
    expect(listener.events.filter((event) => event.startsWith("peerDown"))).toEqual([]);
  // Who still has the old one only is a stranger now.
  const d = await meshes.start("d", { ...tls(mutual), peers: [a.mesh.url], dialMaxMs: 5_000 });
  await eventually(() => expect(linesOf(d, "TLS").length).toBeGreaterThan(0));
  expect(peersOf(d)).toEqual([]);
});

test("what cannot be used as a certificate is refused, and the old one goes on", async () => {
  const a = await meshes.start("a", tls());
  expect(() => a.mesh.renewTls({ cert: ours.cert, key: theirs.key })).toThrow(/is not the key/);
  expect(() => a.mesh.renewTls({ cert: "none", key: ours.key })).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
  const b = await meshes.start("b", { ...tls(), peers: [a.mesh.url] });
  await eventually(() => expect(peersOf(b)).toEqual([a.id]));
  const plain = await meshes.start("plain");
  expect(() => plain.mesh.renewTls(ours)).toThrow(expect.objectContaining({ code: "INVALID_CONFIGURATION" }));
});

describe("a server", () => {
  test.each<[string, () => Partial<MeshOptions>, RegExp]>([
    [
      "of an authority that we do not believe",
      () => ({ tls: theirs }),
      /not accepted: unable to|not accepted: self/,
    ],
    [
      "whose certificate is for another host",
      () => tls(authority.issue("elsewhere.test")),
      /not accepted: Hostname\/IP does not match .*ERR_TLS_CERT_ALTNAME_INVALID/,
    ],
  ])("%s is refused, counted, and said once", async (_, options, line) => {
    const a = await meshes.start("a", options());
    const b = await meshes.start("b", { ...tls(), peers: [a.mesh.url] });
    await eventually(() => expect(b.mesh.refused.TLS).toBeGreaterThan(3));
    expect(linesOf(b, "TLS")).toMatchObject([{ type: "refused", level: "warn", remote: a.mesh.url }]);
    expect(linesOf(b, "TLS")[0]!.message).toMatch(line);
    expect([...peersOf(a), ...peersOf(b)]).toEqual([]);
  });

  test("with TLS is refused by a node that believes public authorities only", async () => {
    const a = await meshes.start("a", tls());
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await eventually(() => expect(b.mesh.refused.TLS).toBeGreaterThan(0));
    expect(peersOf(b)).toEqual([]);
  });
});

describe("who dials a server that asks for certificates", () => {
  test.each<[string, () => Partial<MeshOptions>]>([
    ["with one of another authority", () => tls(theirs)],
    ["with a key of its own making", () => tls(stranger.issue("node.test"))],
  ])("%s is refused, counted, and both sides say so once", async (_, options) => {
    const a = await meshes.start("a", tls(mutual));
    const b = await meshes.start("b", { ...options(), peers: [a.mesh.url] });
    await eventually(() => expect(a.mesh.refused.TLS).toBeGreaterThan(3));
    expect(linesOf(a, "TLS")).toMatchObject([{ type: "refused", level: "warn" }]);
    expect(linesOf(a, "TLS")[0]!.message).toMatch(/the certificate of the client is not accepted: /);
    const said = b.notices.filter(({ type }) => type === "dial-failed");
    expect(said).toHaveLength(1);
    expect(said[0]!.message).toMatch(/certificate/);
    expect([...peersOf(a), ...peersOf(b)]).toEqual([]);
  });

  test("without one is refused and counted", async () => {
    const a = await meshes.start("a", tls(mutual));
    const socket = new WebSocket(a.mesh.url, { ca: authority.ca });
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toMatch(/certificate required|hang up|disconnected|ECONNRESET/);
    await eventually(() => expect(a.mesh.refused).toEqual({ TLS: 1 }));
    expect(linesOf(a, "TLS")[0]!.message).toMatch(/^refused 127\.0\.0\.1:\d+: TLS: the client shows no cert/);
  });
});

describe("a stranger at a TLS port", () => {
  test("that speaks plain WebSocket is refused, counted, and told so in the log", async () => {
    const a = await meshes.start("a", tls());
    const plain = a.mesh.url.replace("wss:", "ws:");
    const b = await meshes.start("b", { peers: [plain] });
    await eventually(() => expect(a.mesh.refused.TLS).toBeGreaterThan(3));
    expect(linesOf(a, "TLS")).toHaveLength(1);
    expect(linesOf(a, "TLS")[0]!.message).toMatch(/does not speak TLS: dial wss:\/\//);
    expect(peersOf(b)).toEqual([]);
  });

  test("that sends garbage is refused and counted, and members notice nothing", async () => {
    const a = await meshes.start("a", tls());
    const b = await meshes.start("b", { ...tls(), peers: [a.mesh.url] });
    await eventually(() => expect(peersOf(a)).toEqual([b.id]));
    const socket = connect(Number(new URL(a.mesh.url).port), "127.0.0.1");
    socket.on("error", () => socket.destroy());
    socket.write(Buffer.alloc(2_000, 0x7f));
    await once(socket, "close");
    await eventually(() => expect(a.mesh.refused).toEqual({ TLS: 1 }));
    expect(b.listener.events).toEqual([`peerUp ${a.id}`]);
  });

  test("that says nothing is cut in time, and does not hold up the end", async () => {
    const a = await meshes.start("a", { ...tls(), handshakeTimeoutMs: 150 });
    const mute = connect(Number(new URL(a.mesh.url).port), "127.0.0.1");
    await once(mute.on("error", () => mute.destroy()).resume(), "close");
    await eventually(() => expect(a.mesh.refused).toEqual({ TIMEOUT: 1 }));
    const b = await meshes.start("b", { ...tls(), handshakeTimeoutMs: 600_000 });
    const other = connect(Number(new URL(b.mesh.url).port), "127.0.0.1");
    await once(other, "connect");
    other.on("error", () => other.destroy()).resume();
    await Promise.all([b.mesh.close(), once(other, "close")]);
  });
});

test("a node with TLS dials one without, where its address says ws://", async () => {
  const a = await meshes.start("a");
  const b = await meshes.start("b", { ...tls(), peers: [a.mesh.url] });
  await eventually(() => expect(peersOf(b)).toEqual([a.id]));
});

describe("TLS options", () => {
  test.each<[string, () => Partial<MeshOptions>, string, RegExp]>([
    ["a certificate that is none", () => tls({ cert: "hello" }), "INVALID_ARGUMENT", /tls\.cert must hold a/],
    [
      "a certificate that is broken",
      () => tls({ cert: ours.cert.replace(/\n[A-Za-z0-9+/]{20}/, "\nAAAAAAAAAAAAAAAAAAAA") }),
      "INVALID_ARGUMENT",
      /tls\.cert has a certificate that cannot/,
    ],
    [
      "a key that is none",
      () => tls({ key: ours.cert }),
      "INVALID_ARGUMENT",
      /tls\.key must be a private key/,
    ],
    ["an authority that is none", () => tls({ ca: ours.key }), "INVALID_ARGUMENT", /tls\.ca must hold/],
    [
      "the key of another certificate",
      () => tls({ key: theirs.key }),
      "INVALID_CONFIGURATION",
      /tls\.key is not the key of the first certificate in option tls\.cert/,
    ],
    [
      "client certificates of nobody in particular",
      () => ({ tls: { cert: ours.cert, key: ours.key, requestClientCertificate: true } }),
      "INVALID_CONFIGURATION",
      /tls\.requestClientCertificate needs option tls\.ca/,
    ],
    [
      "an address without TLS",
      () => ({ ...tls(), advertise: "ws://n1.test:7001" }),
      "INVALID_CONFIGURATION",
      /advertise is ws:\/\/n1\.test:7001, .* write wss:\/\//,
    ],
  ])("with %s are refused", (_, options, code, message) => {
    const make = () => meshes.make("a", options());
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
    expect(make).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("PRIVATE KEY-----") }),
    );
  });
});
