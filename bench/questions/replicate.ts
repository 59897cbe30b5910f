/** How many joins a second reach another process, from the first `track` to the last that is seen? */
import { CrowdedNodeProcess } from "../processes/crowded-node-process.ts";
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";
import { ENTRIES, TRACKER_NOTE } from "../workload.ts";

const ROUNDS = 5;

async function round(perTurn: number): Promise<number> {
  const [from, to] = [new CrowdedNodeProcess(), new CrowdedNodeProcess()];
  const { url } = await from.ask("start", { name: "from", peers: [] });
  await to.ask("start", { name: "to", peers: [url] });
  // Both run the code that they will be measured with, until it is compiled.
  const [first, end] = [ENTRIES / 2, ENTRIES + ENTRIES / 2];
  await from.ask("track", { first: 0, end: first, perTurn });
  await to.ask("holds", { count: first });
  const seen = to.ask("holds", { count: end });
  const { startedMs } = await from.ask("track", { first, end, perTurn });
  const { atMs } = await seen;
  await Promise.all([from.kill(), to.kill()]);
  return (ENTRIES / (atMs - startedMs)) * 1_000;
}

const rows: string[][] = [];
for (const [name, perTurn] of [
  ["100 in each turn of the event loop", 100],
  ["1,000 in each turn", 1_000],
  ["all in one turn", Number.POSITIVE_INFINITY],
] as const) {
  const rates: number[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    progress(`replicate: ${name}, round ${index + 1} of ${ROUNDS}`);
    rates.push(await round(perTurn));
  }
  rows.push([name, showSpread(spreadOf(rates)), "250,000", "17,000"]);
}
progressDone();
report({
  caption: `Joins replicated between two processes, a second: 100,000 entries over 100 topics, a session each; median (least–most) of ${ROUNDS} rounds`,
  columns: ["tracked", "Presently", "target", "Phoenix.Tracker"],
  rows,
  notes: [
    TRACKER_NOTE,
    "Default options, over loopback, in new processes each round. The limit of a bare prototype is 400,000.",
  ],
});
