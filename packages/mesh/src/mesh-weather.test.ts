/** A whole cluster, every connection through a wire, in bad weather: it is whole again when the weather clears. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { peersOf, type TestMesh, TestMeshes } from "../test/meshes.ts";
import { Wire } from "../test/wire.ts";

const NAMES = ["a", "b", "c", "d"];
const WEATHER = ["freeze", "thaw", "abandon", "cut", "mend"] as const;

/** Nodes that are configured to dial each other, each through a wire of its own. */
async function cluster(meshes: TestMeshes): Promise<{ nodes: TestMesh[]; wires: Wire[] }> {
  const wires = new Map<string, Wire>();
  for (const from of NAMES) {
    for (const to of NAMES) if (from !== to) wires.set(`${from} ${to}`, await Wire.open());
  }
  const nodes = [];
  for (const from of NAMES) {
    const peers = [...wires].filter(([ends]) => ends.startsWith(`${from} `)).map(([, wire]) => wire.url);
    const options = { peers, peerGossip: false, silentAfterMs: 400, handshakeTimeoutMs: 300 };
    nodes.push(await meshes.start(from, options));
  }
  for (const [ends, wire] of wires) wire.leadTo(nodes[NAMES.indexOf(ends.split(" ")[1]!)]!.mesh.url);
  return { nodes, wires: [...wires.values()] };
}

function expectWhole(nodes: readonly TestMesh[]): void {
  const everybody = nodes.map(({ id }) => id);
  for (const node of nodes) {
    const others = everybody.filter((id) => id !== node.id);
    expect(peersOf(node)).toEqual(others);
    expect([...node.listener.up].sort()).toEqual(others);
  }
}

test("links that freeze, break and are lost at one end only are whole again when the wires are", async () => {
  const storm = fc.array(fc.tuple(fc.constantFrom(...WEATHER), fc.nat(11), fc.nat(60)), {
    minLength: 30,
    maxLength: 60,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(storm, async (actions) => {
      const meshes = new TestMeshes();
      const { nodes, wires } = await cluster(meshes);
      await eventually(() => expectWhole(nodes));
      for (const [action, wire, pauseMs] of actions) {
        wires[wire]![action]();
        // Weather takes its time; what comes of it is not measured here.
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
      for (const wire of wires) {
        wire.mend();
        wire.thaw();
      }
      await eventually(() => expectWhole(nodes));
      expect(await meshes.close()).toEqual([]);
      await Promise.all(wires.map((wire) => wire.close()));
    }),
    { numRuns: 3, endOnFailure: true },
  );
}, 120_000);
