/** How long after `kill -9` of a process do the others still list its people? */
import { Group, openGroups } from "../peers/group.ts";
import { PEERS, type PeerName } from "../peers/index.ts";
import { nowMs } from "../peers/member.ts";
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";

const ROOM = "room:lobby";
const PEOPLE = 100;
/** Nobody is waited for longer: awareness' own time-out is 30 s, and what is in Redis has none. */
const BOUND_MS = 15_000;
const JOINED_WITHIN_MS = 20_000;

interface Crash {
  /** Nothing if they were still listed at the bound. */
  readonly ms: number | undefined;
  /** Questions to the survivors that were not answered meanwhile. */
  readonly failures: number;
  /** For how long a survivor's event loop stood still at most, the time of one look included. */
  readonly stallMs: number;
}

const ours: { title: string; crashes: Crash[] }[] = [];
for (const [size, people, rounds] of [
  [2, 1, 5],
  [3, 1, 5],
  [5, 1, 5],
  [3, 100_000, 3],
] as const) {
  const title = `Presently, ${size} nodes, ${people.toLocaleString("en")} ${people === 1 ? "person" : "people"} lost`;
  const crashes: Crash[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`${title}, round ${round + 1} of ${rounds}`);
    const group = await Group.open("presently", { size, rooms: [ROOM] });
    crashes.push(await crash(group, people));
  }
  ours.push({ title, crashes });
}

const names = (Object.keys(PEERS) as PeerName[]).filter(
  (name) => !name.startsWith("presently") && name !== "bare",
);
progress(`the others, all at once, for at most ${BOUND_MS / 1_000} s`);
const groups = await openGroups(names, () => ({ rooms: [ROOM], seats: PEOPLE }));
const theirs = await Promise.all(
  groups.map(async (group) => ({
    title: `${group.peer.title}, 2 processes, ${PEOPLE} people lost`,
    crashes: [await crash(group, PEOPLE)],
  })),
);
progressDone();

report({
  caption:
    "From kill -9 of a process until no survivor lists any of its people, asked every millisecond: default options, medians of " +
    `5 rounds, of 3 with 100,000 people (least–most); the other systems once each, for at most ${BOUND_MS / 1_000} s.`,
  columns: ["", "ms", "longest stall of a survivor, ms"],
  rows: [
    ...[...ours, ...theirs].map(({ title, crashes }) => {
      const times = crashes.flatMap(({ ms }) => ms ?? []);
      const failures = crashes.reduce((sum, crash) => sum + crash.failures, 0);
      const silent = failures === 0 ? "" : `, ${failures} questions unanswered until then`;
      const shown =
        times.length < crashes.length ? `not within ${BOUND_MS / 1_000} s` : showSpread(spreadOf(times));
      return [title, `${shown}${silent}`, showSpread(spreadOf(crashes.map(({ stallMs }) => stallMs)))];
    }),
    ["Phoenix.Tracker, 100,000 people lost †", "26,700", "390"],
  ],
  notes: [
    "Redis, @colyseus/redis-presence and faye-presence: whoever was put into Redis stays there, with nobody to take them out.",
    "Awareness, as y-websocket wires it, takes away what came over a socket when that closes, so a process that is killed shows at once; one that falls silent with its socket open, after 30 s.",
    "Socket.IO asks the servers that are left. A question that is asked while it still counts on the one that is gone fails after 5 s; the cluster-adapter counts on it for 10 s.",
    "The targets for 100,000 people are 1,000 ms and a stall of 50. A stall is the longest time between two looks at the list, which waits for a timer of 1 ms and, for those who have no count, for the list itself.",
    "† phoenix_pubsub 2.2 on OTP 25, default options; not measured in this run, but elsewhere on such a 2-core machine.",
  ],
});

/** Kills the first process with its people, and closes the group. */
async function crash(group: Group, people: number): Promise<Crash> {
  await group.forget();
  await group.first.ask("fill", { room: ROOM, count: people });
  // Faye fills its list through the engine, which tells nobody.
  if (group.peer.name !== "faye")
    for (const seen of await Promise.all(
      group.others.map((member) => member.ask("seen", { count: people, timeoutMs: JOINED_WITHIN_MS })),
    ))
      if (seen.length < people)
        throw new Error(`${group.peer.title}: ${seen.length} of ${people} joins were seen`);
  const emptied = group.others.map((member) =>
    member.ask("counted", { room: ROOM, count: 0, timeoutMs: BOUND_MS }),
  );
  const killedAtMs = nowMs();
  await group.first.kill();
  const answers = await Promise.all(emptied);
  await group.close();
  const failures = answers.reduce((sum, answer) => sum + answer.failures, 0);
  const times = answers.flatMap(({ atMs }) => atMs ?? []);
  const ms = times.length < answers.length ? undefined : Math.max(...times) - killedAtMs;
  return { ms, failures, stallMs: Math.max(...answers.map(({ stallMs }) => stallMs)) };
}
