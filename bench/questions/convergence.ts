/** How long until all processes of a cluster have seen a change that one of them made, by the size of the cluster? */
import { lineChart } from "../chart.ts";
import { Group } from "../peers/group.ts";
import type { PeerName } from "../peers/index.ts";
import { picture, progress, progressDone, report } from "../report.ts";
import { quantile, showNumber, showSpread, spreadOf } from "../rounds.ts";

const SIZES = [3, 5, 9];
const ROUNDS = 5;
const PEOPLE = 40;
const ROOM = "room:lobby";
const PAUSE_MS = [1, 11] as const;
const SEEN_WITHIN_MS = 10_000;
const KINDS: readonly (readonly [PeerName, string])[] = [
  ["presently", "default options"],
  ["presently-0", "flush interval 0"],
];

const rows: string[][] = [];
const series = new Map<string, [number, number][]>();
for (const [name, title] of KINDS)
  for (const size of SIZES) {
    const rounds: number[][] = [];
    const group = await Group.open(name, { size, rooms: [ROOM] });
    for (let round = -1; round < ROUNDS; round++) {
      progress(`${size} processes, ${title}, round ${round + 1} of ${ROUNDS}`);
      const delays = await everybodySaw(group);
      if (round >= 0) rounds.push(delays); // The first is for warming up.
    }
    await group.close();
    const p50 = spreadOf(rounds.map((delays) => quantile(delays, 0.5)));
    const p99 = quantile(rounds.flat(), 0.99);
    rows.push([`${size} processes, ${title}`, showSpread(p50), showNumber(p99)]);
    for (const [line, value] of [
      [`p50, ${title}`, p50.median],
      [`p99, ${title}`, p99],
    ] as const)
      series.set(line, [...(series.get(line) ?? []), [size, value]]);
  }
progressDone();

report({
  caption:
    `From a change at one process until every other has shown it to its watcher, in ms: ${ROUNDS} rounds, each of ` +
    `${PEOPLE} people who join, change their meta and leave, one at a time, at random ${PAUSE_MS.join("–")} ms after each other. p50 is the ` +
    "median of the rounds' (least–most), p99 of all together.",
  columns: ["ms", "p50", "p99"],
  rows,
  notes: ["All processes are on one machine: beyond its cores they wait for each other."],
});
picture(
  "convergence",
  "Time until all processes have seen a change, by the size of the cluster",
  lineChart({
    title: "Until every process has seen a change",
    subtitle: "p50 and p99 by the number of processes, all on one machine",
    x: { label: "processes", from: 0 },
    y: { label: "ms", from: 0 },
    series: [...series].map(([title, points]) => ({ name: title, points })),
  }),
);

/** Of each change, the milliseconds until the last process saw it. */
async function everybodySaw(group: Group): Promise<number[]> {
  await group.forget();
  const count = PEOPLE * 3;
  const [sent, ...seen] = await Promise.all([
    group.first.ask("pace", { room: ROOM, count: PEOPLE, pauseMs: PAUSE_MS }),
    ...group.others.map((member) =>
      member.ask("seen", { count, timeoutMs: count * PAUSE_MS[1] + SEEN_WITHIN_MS }),
    ),
  ]);
  const last = new Map<string, number>();
  for (const changes of seen) {
    if (changes.length < count) throw new Error(`a process saw ${changes.length} of ${count} changes`);
    for (const [type, key, atMs] of changes) {
      const change = `${type} ${key}`;
      last.set(change, Math.max(last.get(change) ?? 0, atMs));
    }
  }
  return sent.map(([type, key, sentAtMs]) => last.get(`${type} ${key}`)! - sentAtMs);
}
