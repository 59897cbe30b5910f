/** How often a second can a topic be listed, each entry of the answer touched, and counted? Also while it is written to. */
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";
import { breathe, ENTRIES, nodeAlone, people, TRACKER_NOTE, timed } from "../workload.ts";

const ROUNDS = 9;
const TOUCHED = 2_000_000;
const COUNTS = 2_000_000;
const everybody = people();
const node = await nodeAlone();
for (const { topic, key, meta } of everybody) node.session().track(topic, key, meta);
for (const size of [100, 10_000]) {
  for (const { key, meta } of everybody.slice(0, size)) node.session().track(`of ${size}`, key, meta);
}
await breathe();

let touched = 0;
/** Lists the topic and reads of each entry its key and a field of its meta. */
function touch(topic: string): void {
  for (const { key, meta } of node.list(topic)) touched += key.length + (meta.online_at as number);
}

function lists(size: number): number {
  const times = TOUCHED / size;
  const ms = timed(() => {
    for (let index = 0; index < times; index++) touch(`of ${size}`);
  });
  return (times / ms) * 1_000;
}

/** A change of the topic before every list: somebody comes, and then the same person leaves. */
function listsWhileWritten(size: number): number {
  const times = TOUCHED / size / 2;
  const session = node.session();
  let ms = 0;
  globalThis.gc?.();
  for (let index = 0; index < times; index++) {
    session.track(`of ${size}`, "somebody", everybody[0]!.meta);
    let startedAt = performance.now();
    touch(`of ${size}`);
    ms += performance.now() - startedAt;
    session.untrack(`of ${size}`, "somebody");
    startedAt = performance.now();
    touch(`of ${size}`);
    ms += performance.now() - startedAt;
  }
  session.close();
  return ((2 * times) / ms) * 1_000;
}

function counts(): number {
  let sum = 0;
  const ms = timed(() => {
    for (let index = 0; index < COUNTS; index++) sum += node.count("of 10000").entries;
  });
  touched += sum;
  return (COUNTS / ms) * 1_000;
}

const measures = {
  "list of 100": () => lists(100),
  "list of 10,000": () => lists(10_000),
  "list of 100, a write before each": () => listsWhileWritten(100),
  "list of 10,000, a write before each": () => listsWhileWritten(10_000),
  "count of 10,000": counts,
};
const given: Record<keyof typeof measures, readonly [target: string, tracker: string]> = {
  "list of 100": ["300,000", "21,000"],
  "list of 10,000": ["3,000", "275"],
  "list of 100, a write before each": ["300,000", "none given"],
  "list of 10,000, a write before each": ["3,000", "105"],
  "count of 10,000": ["5,000,000", "275"],
};
const rows: string[][] = [];
for (const [name, measure] of Object.entries(measures)) {
  progress(`list: ${name}`);
  measure();
  measure();
  const [target, tracker] = given[name as keyof typeof measures];
  rows.push([name, showSpread(spreadOf(Array.from({ length: ROUNDS }, measure))), target, tracker]);
}
progressDone();
await node.stop();
report({
  caption: `Reads of a topic a second, on a node that holds ${ENTRIES.toLocaleString("en")} other entries; median (least–most) of ${ROUNDS} rounds`,
  columns: ["read", "Presently", "target", "Phoenix.Tracker"],
  rows,
  notes: [
    TRACKER_NOTE,
    `Each list is a new array; of every entry, the key and a field of the meta are read (sum ${touched % 10}).`,
  ],
});
