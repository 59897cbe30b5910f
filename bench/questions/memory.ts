/** How much resident memory does an entry of another node take, its meta included? A fresh process each round. */
import { CrowdedNodeProcess } from "../processes/crowded-node-process.ts";
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";
import { ENTRIES, TRACKER_NOTE } from "../workload.ts";

const ROUNDS = 3;

const from = new CrowdedNodeProcess();
const { url } = await from.ask("start", { name: "from", peers: [] });
const resident: number[] = [];
const heap: number[] = [];

async function round(name: string): Promise<void> {
  const to = new CrowdedNodeProcess();
  // It has linked, and has whatever the rounds before have left, before the first look.
  await to.ask("start", { name, peers: [url] });
  await to.ask("holds", { count: held });
  const before = await to.ask("memory", {});
  await from.ask("track", { first: held, end: held + ENTRIES, perTurn: 100 });
  held += ENTRIES;
  await to.ask("holds", { count: held });
  const after = await to.ask("memory", {});
  resident.push((after.residentBytes - before.residentBytes) / ENTRIES);
  heap.push((after.heapBytes - before.heapBytes) / ENTRIES);
  await to.kill();
}

let held = 0;
for (let index = 0; index < ROUNDS; index++) {
  progress(`memory: round ${index + 1} of ${ROUNDS}`);
  await round(`to-${index}`);
}
progressDone();
await from.kill();
report({
  caption: `Memory of an entry that another node holds, its meta included: 100,000 entries that come while the process looks on; median (least–most) of ${ROUNDS} rounds`,
  columns: ["bytes an entry", "Presently", "target", "Phoenix.Tracker"],
  rows: [
    ["growth of resident memory", showSpread(spreadOf(resident)), "500", "1,950"],
    ["growth of the heap in use", showSpread(spreadOf(heap)), "", "none given"],
  ],
  notes: [
    TRACKER_NOTE,
    "After what is not needed was freed. Each later round comes on top of the entries of those before.",
  ],
});
