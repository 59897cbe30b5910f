/** How long does a fresh node take to have everything, and how long does the node that gives it stand still meanwhile? */
import { CrowdedNodeProcess } from "../processes/crowded-node-process.ts";
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";
import { TRACKER_NOTE } from "../workload.ts";

const CASES = [
  {
    entries: 100_000,
    rounds: 5,
    time: "500 ms",
    stall: "20 ms",
    tracker: "12 s (1.1 s tuned)",
    trackerStall: "270 ms",
  },
  {
    entries: 1_000_000,
    rounds: 3,
    time: "6,000 ms",
    stall: "50 ms",
    tracker: "none given",
    trackerStall: "none given",
  },
];
const wallMs = () => performance.timeOrigin + performance.now();

const rows: string[][] = [];
for (const { entries, rounds, time, stall, tracker, trackerStall } of CASES) {
  const name = entries.toLocaleString("en");
  const giver = new CrowdedNodeProcess();
  const { url } = await giver.ask("start", { name: "giver", peers: [] });
  progress(`sync: ${name} entries are tracked`);
  await giver.ask("track", { first: 0, end: entries, perTurn: 1_000 });
  await giver.ask("memory", {});
  await giver.ask("watchStalls", {});
  const times: number[] = [];
  const stalls: number[] = [];
  for (let round = -1; round < rounds; round++) {
    progress(`sync: ${name} entries, round ${round + 1} of ${rounds}`);
    const fresh = new CrowdedNodeProcess();
    // The process is up, and the time of starting one is not counted.
    await fresh.ask("memory", {});
    await giver.ask("stalls", {});
    const startedMs = wallMs();
    // Ready is who has caught up with everybody that it can reach.
    await fresh.ask("start", { name: `fresh-${round + 1}`, peers: [url] });
    const { atMs } = await fresh.ask("holds", { count: entries });
    const { longestMs } = await giver.ask("stalls", {});
    await fresh.kill();
    if (round < 0) continue;
    times.push(atMs - startedMs);
    stalls.push(longestMs);
  }
  rows.push([`${name}: until it has all`, showSpread(spreadOf(times), "ms"), time, tracker]);
  rows.push([`${name}: longest stall of the giver`, showSpread(spreadOf(stalls), "ms"), stall, trackerStall]);
  await giver.kill();
}
progressDone();
report({
  caption:
    "A fresh node syncs from one other: entries over 100 topics, default options; median (least–most) of 5 and 3 rounds",
  columns: ["entries", "Presently", "target", "Phoenix.Tracker"],
  rows,
  notes: [
    TRACKER_NOTE,
    "From createNode() in a running process to the last entry; a stall is the longest time between two turns of a 1 ms timer.",
  ],
});
