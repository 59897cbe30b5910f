/** How many bytes go over the wire for somebody who joins, changes or leaves, and how many when nothing happens? */
import { setTimeout as delay } from "node:timers/promises";
import { type Group, openGroups } from "../peers/group.ts";
import { PEERS, type PeerName } from "../peers/index.ts";
import type { ChangeType } from "../peers/member.ts";
import { progress, progressDone, report } from "../report.ts";
import { showNumber, showSpread, spreadOf } from "../rounds.ts";

const ROUNDS = 3;
/** One after the other, each on its own way. */
const ALONE = 10;
const TOGETHER = 1_000;
const ROOMS = Array.from({ length: 10 }, (_, index) => `room:${index}`);
const SEEN_WITHIN_MS = 10_000;
/** Awareness says that everybody is still there every 15 s. */
const IDLE_MS = 30_000;
const IDLE_PEOPLE = 100;
const TYPES: readonly ChangeType[] = ["join", "update", "leave"];

interface Bytes {
  /** Of one change, by its type. */
  readonly alone: number[];
  readonly together: number[];
}

const names = (Object.keys(PEERS) as PeerName[]).filter((name) => name !== "presently-0");
progress(`starting ${names.length} systems`);
const groups = await openGroups(names, () => ({ rooms: ROOMS, seats: TOGETHER / ROOMS.length }));

const measured: Bytes[][] = [];
for (const group of groups) {
  const rounds: Bytes[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    progress(`${group.peer.title}, round ${round + 1} of ${ROUNDS}`);
    rounds.push(await changes(group));
  }
  measured.push(rounds);
}

progress(`${IDLE_PEOPLE} people everywhere, and nothing happens for ${IDLE_MS / 1_000} s`);
for (const group of groups) {
  await group.first.ask("burst", { type: "join", rooms: ROOMS, count: IDLE_PEOPLE });
  await seen(group, IDLE_PEOPLE);
}
const before = await Promise.all(groups.map((group) => group.bytes()));
await delay(IDLE_MS);
const idle = await Promise.all(groups.map(async (group, index) => (await group.bytes()) - before[index]!));
progressDone();
await Promise.all(groups.map((group) => group.close()));

const cell = (index: number, of: (bytes: Bytes) => number | undefined) => {
  const values = measured[index]!.flatMap((bytes) => of(bytes) ?? []);
  return values.length === 0 ? "not told" : showSpread(spreadOf(values));
};
const median = (index: number, of: (bytes: Bytes) => number) => spreadOf(measured[index]!.map(of)).median;
const ratio = (index: number) =>
  `${showNumber(median(index, ({ together }) => together[0]!) / median(0, ({ together }) => together[0]!))}×`;

report({
  caption:
    "Bytes that TCP carries between two processes, and between them and Redis, both ways, for one change: alone, and each of " +
    `${TOGETHER.toLocaleString("en")} over ${ROOMS.length} rooms, made at once. Meta: name, online_at, status. Medians of ` +
    `${ROUNDS} rounds (least–most).`,
  columns: [
    "bytes",
    "join alone",
    "update",
    "leave",
    `join, each of ${showNumber(TOGETHER)}`,
    "update",
    "leave",
    "join ÷ ours",
  ],
  rows: [
    ...groups.map(({ peer }, index) => [
      peer.title,
      ...TYPES.map((_, type) => cell(index, ({ alone }) => alone[type])),
      ...TYPES.map((_, type) => cell(index, ({ together }) => together[type])),
      ratio(index),
    ]),
    [
      "Phoenix.Tracker †",
      "480",
      "",
      "",
      "155",
      "220",
      "44",
      `${showNumber(155 / median(0, ({ together }) => together[0]!))}×`,
    ],
  ],
  notes: [
    "Whatever else goes over the connections in that time is counted: heartbeats, acknowledgements, replies.",
    "Presently, awareness: one connection between the processes. Redis, @colyseus/redis-presence, redis-adapter: those of both processes with Redis, with Redis' replies; a third process that watches adds the way from Redis to it.",
    "Socket.IO's cluster-adapter: JSON over Node's channel, to the primary process and on to the other worker.",
    "faye-presence: the first server's connections with Redis, and the watcher's WebSocket; what the people's own WebSockets carry is not counted.",
    "† phoenix_pubsub 2.2 on OTP 25; not measured in this run, but elsewhere on such a 2-core machine.",
  ],
});
report({
  caption: `Bytes a node and second while ${IDLE_PEOPLE} people are present and nothing happens, over ${IDLE_MS / 1_000} s: two nodes.`,
  columns: ["", "bytes a node and second", "÷ Presently"],
  rows: groups.map(({ peer }, index) => [
    peer.title,
    showNumber(perNode(index)),
    `${showNumber(perNode(index) / perNode(0))}×`,
  ]),
  notes: [
    "Awareness renews every person every 15 s; without that they are taken for gone after 30 s.",
    "What is kept in Redis needs no traffic to stay there, nor does it go away with the process that put it there: see crash.",
  ],
});

function perNode(index: number): number {
  return idle[index]! / groups[index]!.members.length / (IDLE_MS / 1_000);
}

async function changes(group: Group): Promise<Bytes> {
  await group.forget();
  const [alone, together]: [number[], number[]] = [[], []];
  for (const type of typesOf(group)) {
    const before = await group.bytes();
    for (let index = 0; index < ALONE; index++) {
      await group.first.ask("one", { type, room: ROOMS[0]!, index: TOGETHER + index });
      await seen(group, 1);
    }
    alone.push(((await group.bytes()) - before) / ALONE);
  }
  for (const type of typesOf(group)) {
    const before = await group.bytes();
    await group.first.ask("burst", { type, rooms: ROOMS, count: TOGETHER });
    await seen(group, TOGETHER);
    together.push(((await group.bytes()) - before) / TOGETHER);
  }
  return group.peer.name === "faye"
    ? { alone: spaced(alone), together: spaced(together) }
    : { alone, together };
}

/** The kinds of change that the others are told of. */
function typesOf(group: Group): ChangeType[] {
  return TYPES.filter((type) => type !== "update" || group.peer.name !== "faye");
}

/** With a hole where an update would stand. */
function spaced([join, leave]: readonly number[]): number[] {
  return [join, undefined, leave] as number[];
}

async function seen(group: Group, count: number): Promise<void> {
  const { length } = await group.second.ask("seen", { count, timeoutMs: SEEN_WITHIN_MS });
  if (length !== count) throw new Error(`${group.peer.title}: ${length} of ${count} changes were seen`);
}
