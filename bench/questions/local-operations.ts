/** How many presences can one node track, update and untrack in a second, with a session each? No links: bookkeeping only. */
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";
import { breathe, ENTRIES, metaOf, nodeAlone, people, TRACKER_NOTE, timed } from "../workload.ts";

const ROUNDS = 9;
const everybody = people();
const updated = everybody.map((_, index) => metaOf(index, "away"));

interface Rates {
  readonly track: number[];
  readonly update: number[];
  readonly untrack: number[];
}

async function round(rates: Rates): Promise<void> {
  const node = await nodeAlone();
  const sessions = everybody.map(() => node.session());
  const each = async (work: (index: number) => void): Promise<number> => {
    const ms = timed(() => {
      for (let index = 0; index < ENTRIES; index++) work(index);
    });
    await breathe();
    return (ENTRIES / ms) * 1_000;
  };
  rates.track.push(
    await each((index) => {
      const { topic, key, meta } = everybody[index]!;
      sessions[index]!.track(topic, key, meta);
    }),
  );
  rates.update.push(
    await each((index) => {
      const { topic, key } = everybody[index]!;
      sessions[index]!.update(topic, key, updated[index]!);
    }),
  );
  rates.untrack.push(
    await each((index) => {
      const { topic, key } = everybody[index]!;
      sessions[index]!.untrack(topic, key);
    }),
  );
  await node.stop();
}

const rates: Rates = { track: [], update: [], untrack: [] };
for (let index = 0; index < 2; index++) await round({ track: [], update: [], untrack: [] });
for (let index = 0; index < ROUNDS; index++) {
  progress(`local-operations: round ${index + 1} of ${ROUNDS}`);
  await round(rates);
}
progressDone();

const row = (name: keyof Rates, tracker: string, target: string, limit: string) => [
  name,
  showSpread(spreadOf(rates[name])),
  target,
  limit,
  tracker,
];
report({
  caption: `Local operations a second on one node without links: 100,000 entries over 100 topics, a session each; median (least–most) of ${ROUNDS} rounds`,
  columns: ["operation", "Presently", "target", "bare bookkeeping", "Phoenix.Tracker"],
  rows: [
    row("track", "27,000", "500,000", "800,000"),
    row("update", "14,000", "350,000", "500,000"),
    row("untrack", "28,000", "500,000", "1,300,000"),
  ],
  notes: [
    TRACKER_NOTE,
    "Sessions and metas are made beforehand; one call after the other, in one turn of the event loop.",
  ],
});
