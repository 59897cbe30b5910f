/** How fast does one node say who is in a room, when everybody in it came through another node? */
import { Group } from "../peers/group.ts";
import { PEERS, type PeerName } from "../peers/index.ts";
import type { Queried } from "../processes/member-orders.ts";
import { progress, progressDone, report } from "../report.ts";
import { interleaved, showNumber, showSpread, spreadOf } from "../rounds.ts";

const FOR_MS = 150;
/**
 * Questions are asked one after the other, and several at a time, as a server has many who ask; in the large room not so,
 * for Socket.IO gives a question up after 5 s.
 */
const WORKLOADS = [
  { size: 100, severals: [16], rounds: 5 },
  { size: 10_000, severals: [], rounds: 3 },
];
const ROOM = "room:lobby";
const FILLED_WITHIN_MS = 60_000;
/** Have no count of their own: their lists are counted. */
const WITHOUT_COUNT: readonly PeerName[] = ["faye", "socket.io-redis", "socket.io-cluster"];

const names = (Object.keys(PEERS) as PeerName[]).filter((name) => name !== "presently-0");
for (const workload of WORKLOADS) await measure(workload);

async function measure({ size, severals, rounds }: (typeof WORKLOADS)[number]): Promise<void> {
  const groups: Group[] = [];
  for (const name of names) {
    progress(`${size} members: ${PEERS[name].title} fills the room`);
    groups.push(await filled(name, size));
  }
  const kinds = [
    { what: "list" as const, inFlight: 1, title: "list" },
    ...severals.map((inFlight) => ({
      what: "list" as const,
      inFlight,
      title: `list, ${inFlight} at a time`,
    })),
    { what: "count" as const, inFlight: 16, title: "count" },
  ];
  const measured = await interleaved(groups, rounds, async (group, round) => {
    progress(`${size} members, round ${round + 1} of ${rounds}: ${group.peer.title}`);
    const rates: number[] = [];
    for (const { what, inFlight } of kinds) {
      if (what === "count" && WITHOUT_COUNT.includes(group.peer.name)) continue;
      const queried = await group.second.ask("query", { what, room: ROOM, forMs: FOR_MS, inFlight });
      // Whoever did not answer in time has a rate of 0; a wrong answer is a mistake in this file.
      if (queried.queries > 0 && queried.members !== size)
        throw new Error(`${group.peer.title} gave ${queried.members} of ${size}`);
      rates.push(rateOf(queried));
    }
    return rates;
  });
  progressDone();
  await Promise.all(groups.map((group) => group.close()));

  const spreads = measured.map((rounds) =>
    kinds.map((_, kind) => {
      const rates = rounds.flatMap((rates) => rates[kind] ?? []);
      return rates.length === 0 ? undefined : spreadOf(rates);
    }),
  );
  const ours = spreads[0]!.map((spread) => spread!.median);
  const listedByPhoenix = size === 100 ? 21_000 : 275;
  const phoenix = [showNumber(listedByPhoenix), `${showNumber(ours[0]! / listedByPhoenix)}×`] as const;
  report({
    caption:
      `A room of ${size.toLocaleString("en")} people who all came through another process, asked a second: the list, ` +
      "touching everybody in it, one question after the other or several at a time; and the number of people, 16 at a " +
      `time. Medians of ${rounds} rounds (least–most). The last columns say how many times as often Presently answers.`,
    columns: ["a second", ...kinds.map(({ title }) => title), ...kinds.map(({ title }) => `÷ ${title}`)],
    rows: [
      ...groups.map(({ peer }, index) => [
        peer.title,
        ...spreads[index]!.map((spread) => (spread === undefined ? "as list" : showSpread(spread))),
        ...kinds.map((_, kind) => {
          const spread = spreads[index]![kind] ?? spreads[index]![kind - 1]!;
          return spread.median === 0 ? "no answer in time" : `${showNumber(ours[kind]! / spread.median)}×`;
        }),
      ]),
      [
        "Phoenix.Tracker †",
        ...kinds.map(({ inFlight, what }) =>
          what === "count" ? "as list" : inFlight === 1 ? phoenix[0] : "",
        ),
        ...kinds.map(({ inFlight, what }) => (what === "list" && inFlight === 1 ? phoenix[1] : "")),
      ],
    ],
    notes: [
      "Presently and awareness answer from the memory of the process that is asked; all others ask Redis or the other servers.",
      "Redis: HGETALL, the metas left as text, and HLEN, which costs what SCARD costs. faye-presence: its engine's getSubscribers. Socket.IO: fetchSockets, with a real socket for each person.",
      "† phoenix_pubsub 2.2 on OTP 25; not measured in this run, but elsewhere on such a 2-core machine.",
    ],
  });
}

/** A group whose second process sees everybody, and whose first holds them. */
async function filled(name: PeerName, size: number): Promise<Group> {
  // Faye's list is filled through its engine: a client each would change nothing in it but take minutes to come.
  const seats = name === "faye" ? 1 : size;
  const group = await Group.open(name, { rooms: [ROOM], seats });
  await group.first.ask("fill", { room: ROOM, count: size });
  if (name !== "faye") {
    const seen = await group.second.ask("seen", { count: size, timeoutMs: FILLED_WITHIN_MS });
    if (seen.length !== size)
      throw new Error(`${group.peer.title}: ${seen.length} of ${size} joins were seen`);
  }
  return group;
}

function rateOf({ queries, elapsedMs }: Queried): number {
  return (queries * 1_000) / elapsedMs;
}
