/** How many joins a second reach another process, from the first join to the last that its watchers see? */
import { openGroups } from "../peers/group.ts";
import { PEERS, type PeerName } from "../peers/index.ts";
import { progress, progressDone, report } from "../report.ts";
import { interleaved, showNumber, showSpread, spreadOf } from "../rounds.ts";

const ROUNDS = 3;
const ROOMS = Array.from({ length: 100 }, (_, index) => `room:${index}`);
const JOINS = 20_000;
/** Of those whose people need a connection or a document each: their rate does not depend on it, but their start does. */
const JOINS_OF: Partial<Record<PeerName, number>> = {
  awareness: 10_000,
  "socket.io-redis": 10_000,
  "socket.io-cluster": 10_000,
  faye: 1_000,
};
const SEEN_WITHIN_MS = 30_000;

const names = (Object.keys(PEERS) as PeerName[]).filter((name) => name !== "presently-0");
progress(`starting ${names.length} systems`);
const groups = await openGroups(names, (name) => ({ rooms: ROOMS, seats: joinsOf(name) / ROOMS.length }));

const incomplete = new Map<PeerName, number>();
const measured = await interleaved(groups, ROUNDS, async (group, round) => {
  const { name, title } = group.peer;
  progress(`round ${round + 1} of ${ROUNDS}: ${title}`);
  const count = joinsOf(name);
  await group.forget();
  const seeing = group.second.ask("seen", { count, timeoutMs: SEEN_WITHIN_MS });
  const { startedMs } = await group.first.ask("burst", { type: "join", rooms: ROOMS, count });
  const seen = await seeing;
  if (seen.length < count) incomplete.set(name, (incomplete.get(name) ?? 0) + count - seen.length);
  const rate = (seen.length * 1_000) / (seen.at(-1)![2] - startedMs);
  await group.first.ask("burst", { type: "leave", rooms: ROOMS, count });
  await group.second.ask("seen", { count, timeoutMs: SEEN_WITHIN_MS });
  return rate;
});
progressDone();
await Promise.all(groups.map((group) => group.close()));

const spreads = measured.map(spreadOf);
const ours = spreads[0]!.median;
report({
  caption:
    `Joins a second from one process to the watchers of another: ${JOINS.toLocaleString("en")} joins over ${ROOMS.length} ` +
    "rooms as fast as the first process makes them, from the first join to the last that is seen. " +
    `Medians of ${ROUNDS} rounds (least–most).`,
  columns: ["", "joins a second", "Presently ÷ it"],
  rows: [
    ...groups.map(({ peer }, index) => [
      peer.title,
      showSpread(spreads[index]!),
      `${showNumber(ours / spreads[index]!.median)}×`,
    ]),
    ["Phoenix.Tracker †", showNumber(17_000), `${showNumber(ours / 17_000)}×`],
  ],
  notes: [
    "One session a person for Presently, a pipeline of two commands a person for Redis; for Socket.IO, awareness and Faye the people's connections are there before.",
    `${Object.entries(JOINS_OF)
      .map(([name, joins]) => `${PEERS[name as PeerName].title}: ${joins.toLocaleString("en")} joins`)
      .join("; ")}. Those of faye-presence come over ${joinsOf("faye") / ROOMS.length} WebSockets.`,
    "† 100,000 joins; phoenix_pubsub 2.2 on OTP 25; not measured in this run, but elsewhere on such a 2-core machine.",
    ...[...incomplete].map(
      ([name, count]) =>
        `${PEERS[name].title}: ${count} joins were not seen within ${SEEN_WITHIN_MS / 1_000} s.`,
    ),
  ],
});

function joinsOf(name: PeerName): number {
  return JOINS_OF[name] ?? JOINS;
}
