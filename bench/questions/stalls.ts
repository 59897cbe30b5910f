/** Whom does a stalled event loop make leave? Nobody is gone: every leave that anybody is told is false. */
import { setTimeout as delay } from "node:timers/promises";
import { Group } from "../peers/group.ts";
import { progress, progressDone, report } from "../report.ts";

const SIZE = 3;
const PEOPLE = 100;
const STALLS_MS = [500, 1_000, 2_000, 4_000, 4_900, 8_000];
const ROOM = "room:lobby";
const JOINED_WITHIN_MS = 10_000;
/** After a stall, for whatever it has caused to show. */
const SETTLED_MS = 2_000;

// The clusters do not know of each other, and wait more than they work: they can do so at the same time.
progress(`stalls of up to ${Math.max(...STALLS_MS) / 1_000} s, all at once`);
const results = await Promise.all(STALLS_MS.map(stalled));
progressDone();

report({
  caption:
    `Leaves that are false when a process with ${PEOPLE} people blocks its event loop, in a cluster of ${SIZE} at default ` +
    "options: told to the watchers of the two others, and to its own of the people of another.",
  columns: ["event loop blocked for", "told to others", "told to its own watcher"],
  rows: STALLS_MS.map((forMs, index) => [
    `${forMs.toLocaleString("en")} ms`,
    `${results[index]!.others}`,
    `${results[index]!.own}`,
  ]),
  notes: [
    "A process that is silent for longer than downAfterMs (5 s) is taken for lost, whatever the reason: its people leave, and come back with it.",
    "A process that was itself blocked first lets fresh input come before it doubts others.",
  ],
});

async function stalled(forMs: number): Promise<{ others: number; own: number }> {
  const group = await Group.open("presently", { size: SIZE, rooms: [ROOM] });
  const [first, second] = [group.first, group.second];
  // The one that will be blocked watches as well: the people of the second are who it might miss.
  await first.ask("fill", { room: ROOM, count: PEOPLE });
  for (const member of group.others) await member.ask("seen", { count: PEOPLE, timeoutMs: JOINED_WITHIN_MS });
  await first.ask("watch", { rooms: [ROOM] });
  await second.ask("fill", { room: ROOM, count: PEOPLE });
  for (const member of group.members)
    await member.ask("seen", { count: PEOPLE, timeoutMs: JOINED_WITHIN_MS });
  await first.ask("stall", { forMs });
  await delay(SETTLED_MS);
  const leaves = await Promise.all(
    group.members.map(async (member) => {
      const seen = await member.ask("seen", { count: 0, timeoutMs: 0 });
      return seen.filter(([type]) => type === "leave").length;
    }),
  );
  await group.close();
  const [own, ...others] = leaves;
  return { own: own!, others: others.reduce((sum, count) => sum + count, 0) };
}
