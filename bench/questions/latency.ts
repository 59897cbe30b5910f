/** How long after somebody joins, changes or leaves at one process does a watcher in another see it? */
import { lineChart } from "../chart.ts";
import { Group } from "../peers/group.ts";
import { PEERS, type PeerName } from "../peers/index.ts";
import { picture, progress, progressDone, report } from "../report.ts";
import { quantile, showNumber, showSpread, spreadOf } from "../rounds.ts";

/** Each system is measured on its own, so that no other's processes take the caches from it: once in this order, once in the opposite. */
const PASSES = 2;
const ROUNDS = 3;
/** Rounds without pauses, before those that count: a server runs for days, not for the seconds in which its code is compiled. */
const WARM_UP_ROUNDS = 30;
/** People a round: each joins, changes and leaves. */
const PEOPLE = 40;
const ROOM = "room:lobby";
/** A change comes at a random time within the flush interval of the others. */
const PAUSE_MS = [1, 11] as const;
const SEEN_WITHIN_MS = 5_000;

interface Delay {
  readonly type: string;
  readonly ms: number;
}
interface Round {
  readonly delays: readonly Delay[];
  readonly unseen: number;
}

async function play(group: Group, pauseMs: readonly [number, number]): Promise<Round> {
  await group.forget();
  const changes = PEOPLE * (group.peer.name === "faye" ? 2 : 3);
  const [sent, seen] = await Promise.all([
    group.first.ask("pace", { room: ROOM, count: PEOPLE, pauseMs }),
    group.second.ask("seen", { count: changes, timeoutMs: changes * pauseMs[1] + SEEN_WITHIN_MS }),
  ]);
  const seenAtMs = new Map(seen.map(([type, key, atMs]) => [`${type} ${key}`, atMs]));
  const delays = sent.flatMap(([type, key, sentAtMs]) => {
    const atMs = seenAtMs.get(`${type} ${key}`);
    return atMs === undefined ? [] : [{ type, ms: atMs - sentAtMs }];
  });
  return { delays, unseen: sent.length - delays.length };
}

const names = Object.keys(PEERS) as PeerName[];
const measured = names.map((): Round[] => []);
for (let pass = 0; pass < PASSES; pass++)
  for (const name of pass % 2 === 0 ? names : names.toReversed()) {
    progress(`pass ${pass + 1} of ${PASSES}: ${PEERS[name].title}`);
    const group = await Group.open(name, { rooms: [ROOM], seats: PEOPLE });
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await play(group, [0, 0]);
    for (let round = 0; round < ROUNDS; round++)
      measured[names.indexOf(name)]!.push(await play(group, PAUSE_MS));
    await group.close();
  }
progressDone();

const pooled = measured.map((rounds) => rounds.flatMap(({ delays }) => delays));
const msOf = (delays: readonly Delay[]) => delays.map(({ ms }) => ms);
const [ours, oursAtOnce] = pooled.map((delays) => quantile(msOf(delays), 0.5)) as [number, number];
const rows = names.map((name, index) => {
  const delays = pooled[index]!;
  const p50 = quantile(msOf(delays), 0.5);
  const of = (type: string) => {
    const some = delays.filter((delay) => delay.type === type);
    return some.length === 0 ? "not told" : showNumber(quantile(msOf(some), 0.5));
  };
  return [
    PEERS[name].title,
    showSpread(
      spreadOf(
        measured[index]!.filter(({ delays }) => delays.length > 0).map(({ delays }) =>
          quantile(msOf(delays), 0.5),
        ),
      ),
    ),
    showNumber(quantile(msOf(delays), 0.99)),
    of("join"),
    of("update"),
    of("leave"),
    `${showNumber(p50 / ours)}×`,
    `${showNumber(p50 / oursAtOnce)}×`,
  ];
});
const quoted = (title: string, p50: number, p99: number) => [
  title,
  showNumber(p50),
  showNumber(p99),
  "",
  "",
  "",
  `${showNumber(p50 / ours)}×`,
  `${showNumber(p50 / oursAtOnce)}×`,
];
const unseen = names.flatMap((name, index) => {
  const count = measured[index]!.reduce((sum, round) => sum + round.unseen, 0);
  return count === 0
    ? []
    : [`${PEERS[name].title}: ${count} changes were not seen within ${SEEN_WITHIN_MS} ms.`];
});

report({
  caption:
    `From a change at one process to the watcher of another, in ms, each system alone on the machine: ${PASSES} times ${ROUNDS} rounds after ${WARM_UP_ROUNDS} without pauses that do not count, each of ${PEOPLE} people who join, ` +
    `change their meta and leave, one at a time, at random ${PAUSE_MS.join("–")} ms after each other. ` +
    "p50 is the median of the rounds' (least–most), p99 of all together; then p50 by kind of change; " +
    "the last columns say how many times as long it takes as with Presently.",
  columns: ["ms", "p50", "p99", "join", "update", "leave", "÷ default", "÷ flush 0"],
  rows: [
    ...rows,
    quoted("Phoenix.Tracker, default options †", 749, 1_480),
    quoted("Phoenix.Tracker, smallest flush interval †", 2.8, 5.7),
  ],
  notes: [
    "Presently sends the first change after a quiet spell at the end of its turn of the event loop, and those of the next 5 ms together (flushIntervalMs); with 0 it sends at the end of every turn.",
    "Redis and Socket.IO's redis-adapter need two hops, through the Redis server; awareness one, from its server to a browser; Socket.IO's cluster-adapter two, through the primary process.",
    "faye-presence has no joining at the server: its people come over a WebSocket of their own, which is in the figure. It tells nobody of a changed meta.",
    "Socket.IO tells no other server of a join: the application says it with serverSideEmit.",
    "† phoenix_pubsub 2.2 on OTP 25, joins only; not measured in this run, but elsewhere on such a 2-core machine.",
    ...unseen,
  ],
});

const SHARES = Array.from({ length: 100 }, (_, index) => (index + 1) / 100);
picture(
  "latency",
  "How many of the changes another process has seen after so many milliseconds, by system",
  lineChart({
    title: "Changes that another process has seen after so many ms",
    subtitle: `${PEOPLE * ROUNDS * PASSES} people join, change and leave; two processes, one machine`,
    x: { label: "ms after the change (logarithmic)", log: true },
    y: { label: "% of the changes", from: 0, to: 100 },
    series: names.map((name, index) => ({
      name: PEERS[name].title,
      points: SHARES.map((share) => [quantile(msOf(pooled[index]!), share), share * 100] as const),
    })),
  }),
);
