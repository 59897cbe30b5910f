/** Peers by name, over real sockets; the answers are given by the test. */
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { CertificateAuthority } from "../../../test/fixtures/tls.ts";
import { eventually } from "../../../test/helpers/eventually.ts";
import { peersOf, type TestMesh, TestMeshes } from "../test/meshes.ts";
import type { NameResolver, Service } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

const meshes = new TestMeshes();
const authority = new CertificateAuthority();

afterAll(() => authority.close());

afterEach(async () => {
  expect(await meshes.close()).toEqual([]);
});

/** A name server that says what it was last told to; an error, if it was told nothing. */
class NameServer implements NameResolver {
  #services: readonly Service[] = [];
  ips: readonly string[] = [];

  async addresses(): Promise<readonly string[]> {
    if (this.ips.length === 0) throw new Error("ENOTFOUND");
    return this.ips;
  }

  async services(): Promise<readonly Service[]> {
    if (this.#services.length === 0) throw new Error("ENOTFOUND");
    return this.#services;
  }

  serve(...served: readonly TestMesh[]): void {
    this.#services = served.map(({ mesh }) => {
      const { hostname, port } = new URL(mesh.url);
      return { name: hostname, port: Number(port) };
    });
  }
}

const portOf = ({ mesh }: TestMesh) => new URL(mesh.url).port;

test("nodes that know one name alone find each other, themselves among the records, as these come and go", async () => {
  const resolver = new NameServer();
  const options = { resolver, peers: ["srv+ws://_mesh._tcp.shop"], peerGossip: false, dnsIntervalMs: 20 };
  const a = await meshes.start("a", options);
  const b = await meshes.start("b", options);
  resolver.serve(a, b);
  await eventually(() => expect([peersOf(a), peersOf(b)]).toEqual([[b.id], [a.id]]));
  const c = await meshes.start("c", options);
  resolver.serve(a, b, c);
  await eventually(() =>
    expect([peersOf(a), peersOf(c)]).toEqual([
      [b.id, c.id],
      [a.id, b.id],
    ]),
  );
  // A record that goes does not end a link, and a name server that fails changes nothing.
  resolver.serve(a);
  await eventually(() => {
    const answers = a.notices.filter(({ type }) => type === "resolved");
    expect(answers.at(-1)?.addresses).toEqual([a.mesh.url]);
  });
  const mark = b.notices.length;
  resolver.serve();
  await eventually(() =>
    expect(b.notices.slice(mark)).toContainEqual(
      expect.objectContaining({ type: "resolve-failed", level: "warn", reason: "ENOTFOUND" }),
    ),
  );
  expect([peersOf(a), peersOf(b), peersOf(c)].map((peers) => peers.length)).toEqual([2, 2, 2]);
});

test("a node that comes back at another address is found as soon as its name says so, long before the interval", async () => {
  const resolver = new NameServer();
  const options = {
    resolver,
    peers: ["srv+ws://_mesh._tcp.shop"],
    peerGossip: false,
    dnsIntervalMs: 600_000,
  };
  const a = await meshes.start("a");
  resolver.serve(a);
  const b = await meshes.start("b", options);
  await eventually(() => expect(peersOf(b)).toEqual([a.id]));
  await a.mesh.close();
  const again = await meshes.start("a");
  expect(portOf(again)).not.toBe(portOf(a));
  resolver.serve(again);
  await eventually(() => expect(peersOf(again)).toEqual([b.id]));
});

test("every address of a name is dialled", async () => {
  const resolver = new NameServer();
  const a = await meshes.start("a", { host: "127.0.0.1" });
  const port = Number(portOf(a));
  // All of 127.0.0.0/8 is this machine.
  const b = await meshes.start("b", { host: "127.0.0.2", port });
  resolver.ips = ["127.0.0.1", "127.0.0.2"];
  const c = await meshes.start("c", { resolver, peers: [`dns+ws://mesh.test:${port}`], peerGossip: false });
  await eventually(() => expect(peersOf(c)).toEqual([a.id, b.id]));
});

test("with TLS, a certificate for the name that was looked up is good for every address behind it", async () => {
  const resolver = new NameServer();
  const named = authority.issue("mesh.test");
  const tls = { cert: named.cert, key: named.key, ca: authority.ca };
  const a = await meshes.start("a", { tls });
  resolver.ips = ["127.0.0.1"];
  const peers = (name: string) => [`dns+wss://${name}:${portOf(a)}`];
  const b = await meshes.start("b", { tls, resolver, peers: peers("mesh.test") });
  await eventually(() => expect(peersOf(b)).toEqual([a.id]));
  const c = await meshes.start("c", { tls, resolver, peers: peers("other.test"), peerGossip: false });
  await eventually(() => expect(c.mesh.refused.TLS).toBeGreaterThan(1));
  expect(peersOf(c)).toEqual([]);
});

test("the system is asked when nobody else is named", async () => {
  const a = await meshes.start("a");
  const b = await meshes.start("b", { peers: [`dns+ws://localhost:${portOf(a)}`] });
  await eventually(() => expect(peersOf(b)).toEqual([a.id]));
});
