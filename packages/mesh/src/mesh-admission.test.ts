/** Who may join, over real sockets; and that those who may not change nothing for those who did. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../../../test/helpers/eventually.ts";
import { identity, side } from "../test/identities.ts";
import { numbered, numberIn, peersOf, type TestMesh, TestMeshes } from "../test/meshes.ts";
import { FRAME } from "./frames.ts";
import { Mesh, SecretRequiredError } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

const meshes = new TestMeshes();

afterEach(async () => {
  expect(await meshes.close()).toEqual([]);
});

const linesOf = ({ notices }: TestMesh, code: string) => notices.filter((notice) => notice.code === code);

/** A client that is not a mesh. Gives the code and reason that it was closed with. */
async function closeOf(socket: WebSocket): Promise<string> {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return `${code} ${reason}`;
}

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, "open");
  return socket;
}

describe("a node with the wrong secret", () => {
  test.each([
    ["another one", ["open"], ["sesame"]],
    ["none", [], ["sesame"]],
    ["one where there should be none", ["sesame"], []],
  ])("(%s) is refused, and both sides say so once", async (_, ours, theirs) => {
    const a = await meshes.start("a", { secrets: theirs });
    const b = await meshes.start("b", { secrets: ours, peers: [a.mesh.url] });
    await eventually(() => expect(a.mesh.refused.SECRET).toBeGreaterThan(3));
    expect([...peersOf(a), ...peersOf(b)]).toEqual([]);
    expect(linesOf(a, "SECRET")).toHaveLength(1);
    expect(linesOf(b, "SECRET")).toHaveLength(1);
    expect(linesOf(a, "SECRET")[0]).toMatchObject({ type: "refused", level: "warn" });
    expect(linesOf(b, "SECRET")[0]).toMatchObject({ type: "refused-by-peer", level: "warn" });
    expect(JSON.stringify([a.notices, b.notices])).not.toMatch(/sesame|open"/);
    expect([...a.listener.events, ...b.listener.events]).toEqual([]);
  });
});

test("a cluster changes its secret one node at a time, without a link refused", async () => {
  const a = await meshes.start("a", { secrets: ["new", "old"] });
  const b = await meshes.start("b", { secrets: ["old"], peers: [a.mesh.url] });
  const c = await meshes.start("c", { secrets: ["new"], peers: [a.mesh.url], peerGossip: false });
  await eventually(() => expect(peersOf(a)).toEqual([b.id, c.id]));
  expect(a.mesh.refused).toEqual({});
});

describe("with a secret that can be guessed", () => {
  test.each(["0.0.0.0", "::", "10.1.2.3", "example.com"])("a mesh does not listen on %s", (host) => {
    for (const secrets of [["0123456789abcde"], ["0123456789abcdef0123456789abcdef", "old"]])
      expect(() => meshes.make("a", { host, secrets })).toThrow(
        expect.objectContaining({ code: "INVALID_CONFIGURATION" }),
      );
    meshes.make("a", { host, secrets: ["0123456789abcdef"] });
  });

  test("a mesh listens on loopback", () => {
    meshes.make("a", { host: "127.0.0.1", secrets: ["s"] });
  });
});

describe("without a secret", () => {
  test.each(["0.0.0.0", "::", "10.1.2.3", "example.com"])("a mesh does not listen on %s", (host) => {
    expect(() => meshes.make("a", { host, secrets: [] })).toThrow(SecretRequiredError);
    expect(() => meshes.make("a", { host, secrets: [] })).toThrow(
      expect.objectContaining({ code: "SECRET_REQUIRED" }),
    );
  });

  test("two nodes on loopback link", async () => {
    const a = await meshes.start("a", { secrets: [] });
    const b = await meshes.start("b", { secrets: [], peers: [a.mesh.url] });
    await eventually(() => expect(peersOf(b)).toEqual([a.id]));
  });
});

describe("a node of another", () => {
  test("cluster is refused, and both sides say so once", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { cluster: "depot", peers: [a.mesh.url] });
    await eventually(() => expect(a.mesh.refused.CLUSTER).toBeGreaterThan(1));
    expect([...peersOf(a), ...peersOf(b)]).toEqual([]);
    expect(linesOf(a, "CLUSTER")).toHaveLength(1);
    expect(linesOf(b, "CLUSTER")).toHaveLength(1);
  });

  test("major version is refused, and both sides say so once", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { protocol: { major: 2 }, peers: [a.mesh.url] });
    await eventually(() => expect(a.mesh.refused.VERSION).toBeGreaterThan(1));
    expect([...peersOf(a), ...peersOf(b)]).toEqual([]);
    expect(linesOf(a, "VERSION")).toHaveLength(1);
    expect(linesOf(b, "VERSION")).toHaveLength(1);
  });

  test("minor version links, and both speak the older one", async () => {
    const a = await meshes.start("a", { protocol: { minor: 4, capabilities: ["batch", "zip"] } });
    const b = await meshes.start("b", { protocol: { minor: 2 }, peers: [a.mesh.url] });
    await eventually(() => expect([...peersOf(a), ...peersOf(b)]).toEqual([b.id, a.id]));
    expect(a.mesh.links()[0]).toMatchObject({
      protocolMinor: 2,
      capabilities: ["peer-gossip"],
      direction: "accepted",
    });
    expect(b.mesh.links()[0]).toMatchObject({
      protocolMinor: 2,
      capabilities: ["batch", "zip", "peer-gossip"],
      direction: "dialled",
    });
  });
});

describe("a stranger", () => {
  test("that sends garbage is closed with a code and a reason, and members notice nothing", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await eventually(() => expect(b.listener.up.size).toBe(1));
    const garbage: [string | Buffer, string][] = [
      ["hello", "MALFORMED"],
      [Buffer.of(), "MALFORMED"],
      [Buffer.of(1), "MALFORMED"],
      [Buffer.of(1, 0), "MALFORMED"],
      [Buffer.of(1, 0, 0xc1), "MALFORMED"],
      [Buffer.of(1, 0, 0x80), "MALFORMED"],
      [Buffer.of(1, 2, 0x80), "MISTIMED"],
      [Buffer.of(1, 16, 0x80), "MISTIMED"],
      [Buffer.of(7, 0, 0x80), "VERSION"],
    ];
    for (let round = 0; round < 10; round += 1) {
      for (const [bytes, code] of garbage) {
        const socket = await openSocket(a.mesh.url);
        const closed = closeOf(socket);
        socket.send(bytes);
        expect(await closed).toMatch(new RegExp(`^1008 ${code}: `));
      }
    }
    expect(a.mesh.refused).toEqual({ MALFORMED: 60, MISTIMED: 20, VERSION: 10 });
    b.mesh.send(a.id, numbered(1));
    await eventually(() => expect(a.listener.frames.map(({ frame }) => numberIn(frame))).toEqual([1]));
    expect(a.listener.events).toEqual([`peerUp ${b.id}`, `frame ${b.id}`]);
    // One line for each kind of garbage, not one for each piece.
    expect(a.notices.filter((notice) => notice.type === "refused")).toHaveLength(3);
  });

  test("cannot have a large frame gathered before it is authenticated", async () => {
    const a = await meshes.start("a");
    const { hostname, port } = new URL(a.mesh.url);
    const stream = connect(Number(port), hostname);
    const key = Buffer.alloc(16).toString("base64");
    stream.write(
      `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    // A frame that says it is half a megabyte long, well within the limit for members, and comes bit by bit.
    stream.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0]));
    for (let chunk = 0; chunk < 5; chunk += 1) stream.write(Buffer.alloc(1000));
    stream.resume();
    await once(stream, "close");
    expect(a.mesh.refused).toEqual({ TOO_LARGE: 1 });
  });

  test("that says hello and no more is closed when its time is up", async () => {
    const a = await meshes.start("a", { handshakeTimeoutMs: 100 });
    const socket = await openSocket(a.mesh.url);
    const closed = closeOf(socket);
    socket.send(side("dialler", identity("b")).hello());
    expect(await closed).toBe("1008 TIMEOUT: a step of the handshake took longer than 400 ms");
    expect(a.mesh.refused).toEqual({ TIMEOUT: 1 });
  });

  test("that connects and says nothing is cut when its time is up", async () => {
    const a = await meshes.start("a", { handshakeTimeoutMs: 100 });
    const { hostname, port } = new URL(a.mesh.url);
    const stream = connect(Number(port), hostname);
    stream.resume();
    await once(stream, "close");
    expect(a.mesh.refused).toEqual({ TIMEOUT: 1 });
  });

  test("that speaks plain HTTP is told that this is a WebSocket", async () => {
    const a = await meshes.start("a");
    const response = await fetch(a.mesh.url.replace("ws:", "http:"));
    expect(response.status).toBe(426);
    expect(response.headers.get("upgrade")).toBe("websocket");
  });

  test("that is a web page is forbidden", async () => {
    const a = await meshes.start("a", { secrets: [] });
    const socket = new WebSocket(a.mesh.url, { origin: "https://example.com" });
    const [error] = await once(socket, "error");
    expect(error.message).toContain("403");
    expect(a.mesh.refused).toEqual({ FORBIDDEN_ORIGIN: 1 });
  });

  test("finds the door closed while too many others stand in it, and members get in afterwards", async () => {
    const a = await meshes.start("a", { pendingHandshakesMax: 4, handshakeTimeoutMs: 300 });
    const waiting = await Promise.all([1, 2, 3, 4].map(() => openSocket(a.mesh.url)));
    const refused = new WebSocket(a.mesh.url);
    const [error] = await once(refused, "error");
    expect(error.message).toContain("503");
    expect(a.mesh.refused).toEqual({ BUSY: 1 });
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await eventually(() => expect(peersOf(a)).toEqual([b.id]));
    await eventually(() => {
      for (const socket of waiting) expect(socket.readyState).toBe(WebSocket.CLOSED);
    });
  });

  test("cannot hold more connections open than there may be links and handshakes", async () => {
    const a = await meshes.start("a", { pendingHandshakesMax: 2, linksMax: 3, handshakeTimeoutMs: 60_000 });
    const { hostname, port } = new URL(a.mesh.url);
    const streams = Array.from({ length: 30 }, () => connect(Number(port), hostname));
    for (const stream of streams) stream.on("error", () => stream.destroy()).resume();
    await eventually(() => expect(a.mesh.refused.BUSY).toBe(30 - 7));
    for (const stream of streams) stream.destroy();
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await eventually(() => expect(peersOf(a)).toEqual([b.id]));
  });
});

describe("a member", () => {
  test("more than there may be links is refused, and the links stay", async () => {
    const a = await meshes.start("a", { linksMax: 2, peerGossip: false });
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    const c = await meshes.start("c", { peers: [a.mesh.url] });
    await eventually(() => expect(peersOf(a)).toEqual([b.id, c.id]));
    const d = await meshes.start("d", { peers: [a.mesh.url], peerGossip: false });
    await eventually(() => expect(linesOf(d, "LINKS_FULL")).toHaveLength(1));
    expect(peersOf(a)).toEqual([b.id, c.id]);
    await b.mesh.close();
    await eventually(() => expect(peersOf(a)).toEqual([c.id, d.id]));
  });

  test.each([
    ["a frame that is too large", "TOO_LARGE", Buffer.concat([Buffer.of(1, 16), Buffer.alloc(70_000)])],
    ["a frame of another version", "VERSION", Buffer.of(3, 16)],
    ["a handshake frame", "MISTIMED", Buffer.of(1, FRAME.hello, 0x80)],
    ["addresses that are none", "MALFORMED", Buffer.of(1, FRAME.addresses, 0x80)],
    ["a byte", "MALFORMED", Buffer.of(1)],
  ])("that sends %s loses its link, and gets it again later", async (_, code, bytes) => {
    const a = await meshes.start("a", { frameBytesMax: 65_536 });
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await eventually(() => expect(b.listener.up.size).toBe(1));
    b.mesh.send(a.id, bytes);
    await eventually(() => expect(a.mesh.refused).toEqual({ [code]: 1 }));
    await eventually(() => expect(b.listener.events).toContain(`peerDown ${a.id}`));
    await eventually(() => expect([...a.listener.up, ...b.listener.up]).toEqual([b.id, a.id]));
    expect(a.listener.frames).toEqual([]);
  });

  test("may send types that this version does not know", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await eventually(() => expect(b.listener.up.size).toBe(1));
    b.mesh.send(a.id, Buffer.of(1, 15, 0xc0));
    b.mesh.send(a.id, Buffer.of(1, 255, 0xc0));
    await eventually(() => expect(a.listener.frames.map(({ frame }) => frame[1])).toEqual([255]));
    expect(a.mesh.refused).toEqual({});
  });
});

test("a server that accepts and never answers is given up, and dialled again", async () => {
  let accepted = 0;
  const silent = createServer((stream) => {
    accepted += 1;
    stream.resume().on("error", () => stream.destroy());
  });
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const a = await meshes.start("a", { handshakeTimeoutMs: 50, peers: [`ws://127.0.0.1:${port}`] });
  await eventually(() => expect(accepted).toBeGreaterThan(3));
  const lines = a.notices.filter((notice) => notice.type === "dial-failed");
  expect(lines).toHaveLength(1);
  expect(lines[0]?.message).toContain("a step of the handshake took longer than 50 ms");
  await a.mesh.close();
  silent.close();
  await once(silent, "close");
});

test("a port that is in use is a typed error", async () => {
  const a = await meshes.start("a");
  const b = meshes.make("b", { port: Number(new URL(a.mesh.url).port) });
  await expect(b.mesh.listen()).rejects.toMatchObject({ code: "LISTEN_FAILED", host: "127.0.0.1" });
});

test("options that contradict each other are refused, naming both", () => {
  expect(() => meshes.make("a", { dialMinMs: 200, dialMaxMs: 100 })).toThrow(/dialMinMs.*dialMaxMs/);
  expect(() => meshes.make("a", { maxBufferedBytes: 5000 })).toThrow(/frameBytesMax.*maxBufferedBytes/);
  expect(() => meshes.make("a", { addressesMax: 1, peers: ["ws://x:1", "ws://y:1"] })).toThrow(
    /addressesMax/,
  );
  expect(() => meshes.make("a", { peers: ["x:1"] })).toThrow(/option peers/);
  expect(() => meshes.make("a", { cluster: "" })).toThrow(/option cluster/);
  expect(() => meshes.make("a", { secrets: [""] })).toThrow(/option secrets/);
  expect(() => meshes.make("a", { silentAfterMs: 0.5 })).toThrow(/option silentAfterMs/);
  const bad = { cluster: "shop", replica: "nobody" as never };
  expect(() => new Mesh(bad, meshes.make("a").listener)).toThrow(/option replica/);
});
