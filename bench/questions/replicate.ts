/** How many joins a second reach another process, from the first `track` to the last that is seen? */
import { CrowdedNodeProcess } from "../processes/crowded-node-process.ts";
import { progress, progressDone, report } from "../report.ts";
import { interleaved, showNumber, showSpread, spreadOf } from "../rounds.ts";
import { ENTRIES, TRACKER_NOTE } from "../workload.ts";

const ROUNDS = 7;
const SYSTEMS = ["presently", "bare"] as const;

async function round(system: (typeof SYSTEMS)[number], perTurn: number): Promise<number> {
  const [from, to] = [new CrowdedNodeProcess(system), new CrowdedNodeProcess(system)];
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
  const [ours, bare] = await interleaved(SYSTEMS, ROUNDS, (system, index) => {
    progress(`replicate: ${name}, ${system}, round ${index + 1} of ${ROUNDS}`);
    return round(system, perTurn);
  });
  const [own, least] = [spreadOf(ours!), spreadOf(bare!)];
  rows.push([
    name,
    showSpread(own),
    "250,000",
    showSpread(least),
    `${showNumber((own.median / least.median) * 100)} %`,
    "17,000",
  ]);
}
progressDone();
report({
  caption: `Joins replicated between two processes, a second: 100,000 entries over 100 topics, a session each; median (least–most) of ${ROUNDS} rounds`,
  columns: [
    "tracked",
    "Presently",
    "target",
    "nothing but maps, msgpackr and ws",
    "Presently of that",
    "Phoenix.Tracker",
  ],
  rows,
  notes: [
    TRACKER_NOTE,
    "Default options, over loopback, in new processes each round.",
    "The prototype that the target was set by moved 400,000 on such a machine, at another time: 250,000 is 63 % of that.",
  ],
});
