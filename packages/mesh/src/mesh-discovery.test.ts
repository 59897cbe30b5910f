/** How nodes find each other, and what the owner hears of those that cannot be found. */
import { replicaId } from "@presently/replica";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { peersOf, TestMeshes } from "../test/meshes.ts";
import { Wire } from "../test/wire.ts";

vi.setConfig({ testTimeout: 30_000 });

const meshes = new TestMeshes();
const wires: Wire[] = [];

afterEach(async () => {
  const broken = await meshes.close();
  await Promise.all(wires.splice(0).map((wire) => wire.close()));
  expect(broken).toEqual([]);
});

async function wireTo(url: string): Promise<Wire> {
  const wire = await Wire.to(url);
  wires.push(wire);
  return wire;
}

describe("peer gossip", () => {
  test("makes a full mesh of a chain", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    const c = await meshes.start("c", { peers: [b.mesh.url] });
    const d = await meshes.start("d", { peers: [c.mesh.url] });
    await eventually(() => {
      expect(peersOf(a)).toEqual([b.id, c.id, d.id]);
      expect(peersOf(b)).toEqual([a.id, c.id, d.id]);
      expect(peersOf(c)).toEqual([a.id, b.id, d.id]);
      expect(peersOf(d)).toEqual([a.id, b.id, c.id]);
    });
  });

  test("switched off, leaves the chain a chain", async () => {
    const options = { peerGossip: false };
    const a = await meshes.start("a", options);
    const b = await meshes.start("b", { ...options, peers: [a.mesh.url] });
    const c = await meshes.start("c", { ...options, peers: [b.mesh.url] });
    await eventually(() => expect(peersOf(b)).toEqual([a.id, c.id]));
    // Each dials and is dialled as configured, also after its links broke: nobody knows of more than it was told.
    b.mesh.refuse(a.id, "TEST", "to see it come back");
    b.mesh.refuse(c.id, "TEST", "to see it come back");
    await eventually(() => expect(b.listener.up.size).toBe(0));
    await eventually(() => expect(peersOf(b)).toEqual([a.id, c.id]));
    expect([peersOf(a), peersOf(c)]).toEqual([[b.id], [b.id]]);
    for (const { mesh } of [a, c]) expect(mesh.links()[0]!.peer).toBe(b.id);
    expect(b.mesh.links().find((link) => link.peer === c.id)?.direction).toBe("accepted");
  });

  test("keeps a pair together that only one of the two was told of", async () => {
    const a = await meshes.start("a");
    const wire = await wireTo(a.mesh.url);
    const b = await meshes.start("b", { peers: [wire.url] });
    await eventually(() => expect(peersOf(a)).toEqual([b.id]));
    // The way that b was told of is closed for good; a knows where b is, because b said so.
    wire.cut();
    await eventually(() => expect(a.listener.events.at(-1)).toBe(`peerUp ${b.id}`));
    await eventually(() =>
      expect(a.listener.events.filter((event) => event.startsWith("peerUp"))).toHaveLength(2),
    );
  });

  test("does not spread the address of a node that nobody is linked with", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    const c = await meshes.start("c", { peers: [a.mesh.url] });
    await eventually(() => expect(peersOf(a)).toEqual([b.id, c.id]));
    await c.mesh.close();
    await eventually(() => expect(peersOf(a)).toEqual([b.id]));
    const d = await meshes.start("d", { peers: [a.mesh.url] });
    await eventually(() => expect(peersOf(d)).toEqual([a.id, b.id]));
    d.mesh.redial(c.id);
    await eventually(() => expect(d.listener.events).toContain(`unreachable ${c.id}`));
    expect(d.notices.filter((notice) => notice.type === "dial-failed")).toEqual([]);
  });
});

describe("a peer that went away", () => {
  test("is dialled at once and for ever, and each failed attempt is told", async () => {
    const a = await meshes.start("a");
    const wire = await wireTo(a.mesh.url);
    const b = await meshes.start("b", { peers: [wire.url], peerGossip: false });
    await eventually(() => expect(b.listener.up.size).toBe(1));
    wire.cut();
    await eventually(() => {
      expect(b.listener.events.filter((event) => event === `unreachable ${a.id}`).length).toBeGreaterThan(5);
    });
    expect(b.listener.events.slice(0, 3)).toEqual([
      `peerUp ${a.id}`,
      `peerDown ${a.id}`,
      `unreachable ${a.id}`,
    ]);
    wire.mend();
    await eventually(() => expect(b.listener.events.at(-1)).toBe(`peerUp ${a.id}`));
  });

  test("and crashed is told unreachable in far less time than a silence takes to notice", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { peers: [a.mesh.url], silentAfterMs: 600_000 });
    await eventually(() => expect(b.listener.up.size).toBe(1));
    await a.mesh.close({ drainMs: 0 });
    await eventually(() => {
      expect(b.listener.events.slice(0, 3)).toEqual([
        `peerUp ${a.id}`,
        `peerDown ${a.id}`,
        `unreachable ${a.id}`,
      ]);
    });
  });

  test("and whose address nobody knows is told unreachable, and links when it dials again", async () => {
    const a = await meshes.start("a", { peerGossip: false });
    const wire = await wireTo(a.mesh.url);
    await meshes.start("b", { peers: [wire.url], peerGossip: false });
    await eventually(() => expect(a.listener.up.size).toBe(1));
    wire.cut();
    await eventually(() => expect(a.listener.events).toHaveLength(3));
    expect(a.listener.events[2]).toMatch(/^unreachable b@1/);
    wire.mend();
    await eventually(() => expect(a.listener.up.size).toBe(1));
  });

  test("is looked for under all its addresses before it is called unreachable", async () => {
    const a = await meshes.start("a");
    const one = await wireTo(a.mesh.url);
    const two = await wireTo(a.mesh.url);
    const b = await meshes.start("b", { peers: [one.url, two.url], peerGossip: false });
    await eventually(() => expect(b.listener.up.size).toBe(1));
    // Both addresses are known to lead to a once the second dial was found to be one too many.
    await eventually(() => expect(one.connections + two.connections).toBe(1));
    const linked = b.mesh.links()[0]!.address === one.url ? one : two;
    linked.cut();
    await eventually(() =>
      expect(b.listener.events.filter((event) => event.startsWith("peerUp"))).toHaveLength(2),
    );
    expect(b.listener.events).toEqual([`peerUp ${a.id}`, `peerDown ${a.id}`, `peerUp ${a.id}`]);
  });
});

describe("redial", () => {
  test("of a node that was never met says unreachable", async () => {
    const a = await meshes.start("a");
    a.mesh.redial(replicaId("nobody", 1));
    expect(a.listener.events).toEqual([]);
    await eventually(() => expect(a.listener.events).toEqual(["unreachable nobody@1"]));
  });

  test("of another life of a linked node says unreachable, of this life nothing", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { replica: replicaId("b", 4), peers: [a.mesh.url] });
    await eventually(() => expect(a.listener.up.size).toBe(1));
    a.mesh.redial(b.id);
    a.mesh.redial(replicaId("b", 3));
    await eventually(() => expect(a.listener.events).toEqual([`peerUp ${b.id}`, "unreachable b@3"]));
  });

  test("does not wait for the back-off", async () => {
    const a = await meshes.start("a");
    const wire = await wireTo(a.mesh.url);
    const b = await meshes.start("b", {
      peers: [wire.url],
      peerGossip: false,
      dialMinMs: 1,
      dialMaxMs: 600_000,
    });
    await eventually(() => expect(b.listener.up.size).toBe(1));
    wire.cut();
    // Enough failures for a wait that this test would not live to see the end of.
    await eventually(() => {
      b.mesh.redial(a.id);
      expect(b.listener.events.filter((event) => event.startsWith("unreachable")).length).toBeGreaterThan(20);
    });
    wire.mend();
    b.mesh.redial(a.id);
    await eventually(() => expect(b.listener.up.size).toBe(1));
  });
});

test("a node that is forgotten is not dialled any more", async () => {
  const a = await meshes.start("a");
  const b = await meshes.start("b", { peers: [a.mesh.url] });
  await eventually(() => expect(a.listener.up.size).toBe(1));
  await b.mesh.close();
  await eventually(() => expect(a.listener.events).toContain(`unreachable ${b.id}`));
  a.mesh.forget("b");
  const said = a.listener.events.length;
  // What could still be said would be said within a few of these.
  const c = await meshes.start("c", { peers: [a.mesh.url] });
  await eventually(() => expect(peersOf(a)).toEqual([c.id]));
  await eventually(() => expect(c.mesh.links()[0]!.sinceMs).toBeGreaterThan(500));
  expect(a.listener.events.slice(said)).toEqual([`peerUp ${c.id}`]);
});
