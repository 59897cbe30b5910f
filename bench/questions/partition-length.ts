/** How long after a partition do both sides agree again, by how long it lasted? */
import { setTimeout as delay } from "node:timers/promises";
import { Link, PortChooser } from "presently/demo";
import { lineChart } from "../chart.ts";
import { MemberProcess } from "../peers/group.ts";
import { PEERS } from "../peers/index.ts";
import { nowMs } from "../peers/member.ts";
import { picture, progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";

const CUTS_MS = [1_000, 3_000, 6_000, 10_000, 20_000];
const ROUNDS = 3;
/** Of each side before the first cut, and joining each side during every cut. */
const PEOPLE = 100;
const AGREED_WITHIN_MS = 30_000;

progress(`cuts of up to ${Math.max(...CUTS_MS) / 1_000} s, ${ROUNDS} times, all at once`);
// The pairs do not know of each other, and wait more than they work.
const healed = await Promise.all(CUTS_MS.map(timesToHeal));
progressDone();

const spreads = healed.map(spreadOf);
report({
  caption:
    "From the end of a partition until both sides show everybody, in ms: two processes at default options, the path between " +
    `them through a proxy that refuses; ${PEOPLE} people on each side, ${PEOPLE} more join each during every cut. Medians of ${ROUNDS} rounds ` +
    "(least–most).",
  columns: ["cut for", "ms until both agree"],
  rows: CUTS_MS.map((cutMs, index) => [`${cutMs / 1_000} s`, showSpread(spreads[index]!)]),
  notes: [
    "Most of it is the pause before a node dials again (mesh.dialMaxMs, 1 s at most), which begins anew at random.",
  ],
});
picture(
  "partition-length",
  "Time until both sides of a partition agree again, by its length",
  lineChart({
    title: "Until both sides agree again",
    subtitle: "two processes at default options",
    x: { label: "s of partition", from: 0 },
    y: { label: "ms after its end", from: 0 },
    series: [
      { name: "median", points: CUTS_MS.map((cutMs, index) => [cutMs / 1_000, spreads[index]!.median]) },
      { name: "slowest", points: CUTS_MS.map((cutMs, index) => [cutMs / 1_000, spreads[index]!.most]) },
    ],
  }),
);

async function timesToHeal(cutMs: number): Promise<number[]> {
  const ports = new PortChooser();
  const left = { name: "left", meshPort: await ports.choose() };
  const right = { name: "right", meshPort: await ports.choose() };
  const link = await Link.open(left, right);
  const sides = [left, right].map(({ name, meshPort }) => ({
    room: `room:${name}`,
    place: { name, port: meshPort, peers: [link.peerUrl(name)], seats: 0 },
    process: new MemberProcess(PEERS.presently),
  }));
  const join = async () => {
    for (const { process, room } of sides)
      await process.ask("burst", { type: "join", rooms: [room], count: PEOPLE });
  };
  /** When the later of the two shows so many in both rooms. */
  const agreedAtMs = async (count: number) => {
    const questions = sides.flatMap(({ process }) =>
      sides.map(({ room }) => process.ask("counted", { room, count, timeoutMs: AGREED_WITHIN_MS })),
    );
    const times = (await Promise.all(questions)).flatMap(({ atMs }) => atMs ?? []);
    if (times.length < questions.length)
      throw new Error(`after a cut of ${cutMs} ms the sides did not agree within ${AGREED_WITHIN_MS} ms`);
    return Math.max(...times);
  };
  // Each waits for the other for a while before it counts as ready.
  await Promise.all(sides.map(({ process, place }) => process.ask("open", { peer: "presently", place })));
  await join();
  await agreedAtMs(PEOPLE);
  const times: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    link.cut();
    await join();
    await delay(cutMs);
    const restoredAtMs = nowMs();
    link.restore();
    times.push((await agreedAtMs(PEOPLE * (round + 1))) - restoredAtMs);
  }
  await Promise.all(sides.map(({ process }) => process.kill()));
  await link.close();
  return times;
}
