/** One link for each pair of nodes, whatever they do. */
import { type ReplicaId, replicaId } from "@presently/replica";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { numbered, numberIn, peersOf, type TestMesh, TestMeshes } from "../test/meshes.ts";
import { Wire } from "../test/wire.ts";
import type { IdTaken } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

const meshes = new TestMeshes();
const wires: Wire[] = [];

afterEach(async () => {
  const broken = await meshes.close();
  await Promise.all(wires.splice(0).map((wire) => wire.close()));
  expect(broken).toEqual([]);
});

async function wireTo({ mesh }: TestMesh): Promise<Wire> {
  const wire = await Wire.to(mesh.url);
  wires.push(wire);
  return wire;
}

/** Each has a link with the other, and may have more. */
async function expectLinked(a: TestMesh, b: TestMesh): Promise<void> {
  await eventually(() => {
    expect(peersOf(a)).toContain(b.mesh.replica);
    expect(peersOf(b)).toContain(a.mesh.replica);
  });
}

/** Both have exactly one link, with each other, and it carries frames both ways. */
async function expectPair(a: TestMesh, b: TestMesh): Promise<void> {
  await eventually(() => {
    expect(peersOf(a)).toEqual([b.mesh.replica]);
    expect(peersOf(b)).toEqual([a.mesh.replica]);
    expect([...a.listener.up]).toEqual([b.mesh.replica]);
    expect([...b.listener.up]).toEqual([a.mesh.replica]);
  });
  const number =
    1 + Math.max(0, ...[...a.listener.frames, ...b.listener.frames].map((f) => numberIn(f.frame)));
  a.mesh.send(b.mesh.replica, numbered(number));
  b.mesh.send(a.mesh.replica, numbered(number));
  const got = ({ listener }: TestMesh, from: ReplicaId) =>
    listener.frames.some(({ peer, frame }) => peer === from && numberIn(frame) === number);
  await eventually(() => {
    expect([got(a, b.mesh.replica), got(b, a.mesh.replica)]).toEqual([true, true]);
  });
}

describe("two nodes", () => {
  test("that dial each other at once keep one link, time after time", async () => {
    let collisions = 0;
    for (let round = 0; round < 60; round += 1) {
      const toA = await Wire.open();
      const toB = await Wire.open();
      wires.push(toA, toB);
      const a = await meshes.start("a", { peers: [toB.url] });
      const b = await meshes.start("b", { peers: [toA.url] });
      toA.leadTo(a.mesh.url);
      toB.leadTo(b.mesh.url);
      await eventually(() => expect([peersOf(a), peersOf(b)]).toEqual([[b.id], [a.id]]), { intervalMs: 2 });
      await eventually(() => expect([...a.listener.up, ...b.listener.up]).toEqual([b.id, a.id]));
      collisions += [a, b].filter(({ notices }) => notices.some(({ code }) => code === "DUPLICATE")).length;
      for (const { listener } of [a, b]) expect(listener.events).toHaveLength(1);
      expect(await meshes.close()).toEqual([]);
      await Promise.all(wires.splice(0).map((wire) => wire.close()));
    }
    // Or the test was about nothing.
    expect(collisions).toBeGreaterThan(0);
  });

  test("that both lost their link have one again", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await expectPair(a, b);
    for (let round = 0; round < 20; round += 1) {
      const from = round % 2 === 0 ? a : b;
      from.mesh.refuse((from === a ? b : a).id, "TEST", "to see it come back");
      await eventually(() => expect(from.listener.up.size).toBe(0));
      await expectPair(a, b);
    }
  });

  test("of which one is listed under two addresses have one link", async () => {
    const a = await meshes.start("a");
    const wire = await wireTo(a);
    const b = await meshes.start("b", { peers: [a.mesh.url, wire.url] });
    await expectPair(a, b);
    await eventually(() => expect(wire.connections).toBe(b.mesh.links()[0]!.address === wire.url ? 1 : 0));
    expect(a.listener.events.filter((event) => event.startsWith("peerUp"))).toHaveLength(1);
  });
});

describe("a link that one end lost and the other still believes in", () => {
  test.each([
    ["b", "a"],
    ["a", "b"],
  ])("gives way at once when %s, which dialled it to %s, dials again", async (near, far) => {
    // Far longer than the test may take: silence is not what ends the old link.
    const silentAfterMs = 600_000;
    const server = await meshes.start(far, { silentAfterMs, peerGossip: false });
    const wire = await wireTo(server);
    const dialler = await meshes.start(near, { silentAfterMs, peerGossip: false, peers: [wire.url] });
    await expectPair(dialler, server);
    wire.abandon();
    await eventually(() =>
      expect(server.listener.events).toEqual([
        `peerUp ${dialler.id}`,
        `frame ${dialler.id}`,
        `peerDown ${dialler.id}`,
        `peerUp ${dialler.id}`,
      ]),
    );
    await expectPair(dialler, server);
  });

  test.each([
    ["b", "a"],
    ["a", "b"],
  ])("gives way at once when %s, which %s dialled, dials back", async (far, near) => {
    const server = await meshes.start(far, { silentAfterMs: 400 });
    const wire = await wireTo(server);
    const dialler = await meshes.start(near, { silentAfterMs: 600_000, peers: [wire.url] });
    await expectPair(dialler, server);
    // The server finds the wire silent and dials the dialler directly; the dialler knows of nothing.
    wire.freeze();
    await eventually(() => {
      expect(dialler.listener.events.filter((event) => event.startsWith("peerUp"))).toHaveLength(2);
    });
    await expectPair(dialler, server);
  });

  test("is closed after a silence, and not before", async () => {
    const a = await meshes.start("a", { silentAfterMs: 600_000, peerGossip: false });
    const wire = await wireTo(a);
    const b = await meshes.start("b", { silentAfterMs: 300, peerGossip: false, peers: [wire.url] });
    await expectPair(a, b);
    // Idle, but not silent: the answers to pings are heard.
    await eventually(() => expect(b.mesh.links()[0]!.sinceMs).toBeGreaterThan(1000));
    expect(b.listener.events.filter((event) => event.startsWith("peerDown"))).toEqual([]);
    wire.freeze();
    await eventually(() => {
      expect(b.notices).toContainEqual(expect.objectContaining({ type: "unlinked", code: "SILENT" }));
    });
    expect(b.mesh.refused).toEqual({ SILENT: 1 });
    await expectPair(a, b);
  });
});

describe("a node that starts again", () => {
  test("under a newer incarnation takes the place of its older life", async () => {
    const a = await meshes.start("a", { silentAfterMs: 600_000 });
    const wire = await wireTo(a);
    const older = await meshes.start("b", { peers: [wire.url], peerGossip: false });
    await expectPair(a, older);
    wire.freeze();
    const newer = await meshes.start("b", { replica: replicaId("b", 2), peers: [a.mesh.url] });
    await eventually(() => {
      expect(a.listener.events.filter((event) => !event.startsWith("frame"))).toEqual([
        `peerUp ${older.id}`,
        `peerDown ${older.id}`,
        `unreachable ${older.id}`,
        `peerUp ${newer.id}`,
      ]);
    });
    await expectPair(a, newer);
  });

  test("under an older incarnation than is known is refused, told the newest, and linked with that one itself", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { replica: replicaId("b", 7), peers: [a.mesh.url] });
    await expectPair(a, b);
    const stale: number[] = [];
    const late = await meshes.start("b", {
      replica: replicaId("b", 3),
      peers: [a.mesh.url],
      onStaleIncarnation: (newest) => stale.push(newest),
    });
    await eventually(() => expect(stale).toContain(7));
    await expectLinked(late, b);
    expect(peersOf(a)).toEqual([b.id]);
    expect(a.mesh.refused.STALE_INCARNATION).toBeGreaterThan(0);
  });

  test("and another life gets a link with that, whoever dials whom: over it their owners find out which of them stops", async () => {
    const older = await meshes.start("b", { replica: replicaId("b", 3) });
    await expectLinked(
      older,
      await meshes.start("b", { replica: replicaId("b", 4), peers: [older.mesh.url] }),
    );
    const newer = await meshes.start("c", { replica: replicaId("c", 9) });
    await expectLinked(
      newer,
      await meshes.start("c", { replica: replicaId("c", 8), peers: [newer.mesh.url] }),
    );
  });

  test("with a replica id that another process holds is refused, and both log both addresses", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await expectPair(a, b);
    const taken: IdTaken[] = [];
    const other = await meshes.start("b", { peers: [a.mesh.url], onIdTaken: (info) => taken.push(info) });
    await eventually(() => expect(taken.length).toBeGreaterThan(0));
    expect(taken[0]).toMatchObject({ replica: b.id, address: other.mesh.url, holder: b.mesh.url });
    for (const { notices } of [a, other]) {
      const line = notices.find((notice) => notice.type === "id-taken");
      expect(line?.level).toBe("error");
      expect(line?.message).toContain(other.mesh.url);
      expect(line?.message).toContain(b.mesh.url);
    }
    expect(peersOf(other)).toEqual([]);
    expect(peersOf(a)).toEqual([b.id]);
  });

  test("with its own replica id at the address of the other is refused in the same way", async () => {
    const b = await meshes.start("b");
    const taken: IdTaken[] = [];
    const other = await meshes.start("b", { peers: [b.mesh.url], onIdTaken: (info) => taken.push(info) });
    await eventually(() => expect(taken[0]).toMatchObject({ address: other.mesh.url, holder: b.mesh.url }));
    expect([...peersOf(b), ...peersOf(other)]).toEqual([]);
  });
});

describe("a node", () => {
  test("that finds itself among its peers leaves that address alone", async () => {
    const wire = await Wire.open();
    wires.push(wire);
    const b = await meshes.start("b", { peers: [wire.url] });
    wire.leadTo(b.mesh.url);
    await eventually(() => {
      expect(b.notices.filter((notice) => notice.code === "SELF").length).toBeGreaterThan(0);
    });
    await eventually(() => expect(wire.connections).toBe(0));
    expect(peersOf(b)).toEqual([]);
    expect(b.listener.events).toEqual([]);
    expect(b.mesh.refused).toEqual({});
  });

  test("that takes a newer incarnation closes its links and opens them anew", async () => {
    const a = await meshes.start("a");
    const b = await meshes.start("b", { peers: [a.mesh.url] });
    await expectPair(a, b);
    const renamed = replicaId("b", 2);
    b.mesh.rename(renamed);
    expect(b.mesh.replica).toBe(renamed);
    await eventually(() => expect([...a.listener.up]).toEqual([renamed]));
    expect(a.listener.events.filter((event) => !event.startsWith("frame"))).toEqual([
      `peerUp ${b.id}`,
      `peerDown ${b.id}`,
      `unreachable ${b.id}`,
      `peerUp ${renamed}`,
    ]);
    await expectPair(a, b);
    expect(() => b.mesh.rename(replicaId("c", 3))).toThrow(/must be of the node b/);
  });
});
