/** Links whose round trip is longer than what a handshake, or silence, is given at first. */
import { afterEach, expect, test, vi } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { TestMeshes } from "../test/meshes.ts";
import { Wire } from "../test/wire.ts";

vi.setConfig({ testTimeout: 30_000 });

const meshes = new TestMeshes();
const wires: Wire[] = [];

afterEach(async () => {
  const broken = await meshes.close();
  await Promise.all(wires.splice(0).map((wire) => wire.close()));
  expect(broken).toEqual([]);
});

const SLOW = { peerGossip: false, handshakeTimeoutMs: 100, silentAfterMs: 100 };

test("a link whose round trip is longer than any timeout is made, outlives silence, and is made again", async () => {
  const a = await meshes.start("a", SLOW);
  const wire = await Wire.to(a.mesh.url);
  wires.push(wire);
  wire.delay(60);
  const b = await meshes.start("b", { ...SLOW, peers: [wire.url] });
  const linked = () => eventually(() => expect([...a.listener.up, ...b.listener.up]).toEqual([b.id, a.id]));
  await linked();
  // Nothing is sent but pings and their answers.
  const before = wire.pieces;
  await eventually(() => expect(wire.pieces).toBeGreaterThan(before + 20));
  expect(a.listener.events).not.toContain(`peerDown ${b.id}`);
  expect(b.listener.events).not.toContain(`peerDown ${a.id}`);
  wire.cut();
  await eventually(() => expect([...a.listener.up, ...b.listener.up]).toEqual([]));
  wire.mend();
  await linked();
});
