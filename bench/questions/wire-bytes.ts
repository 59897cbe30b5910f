/** How many bytes does a change cost on the wire: alone, and as one of a thousand? Two nodes, one link, over loopback. */
import { createNode, type PresentlyNode } from "presently";
import { report } from "../report.ts";
import { metaOf, people, TRACKER_NOTE } from "../workload.ts";

const MANY = 1_000;

const open = (name: string, peers: readonly string[]) =>
  createNode({
    name,
    cluster: "bench",
    // No heartbeat comes between two looks at the counter.
    heartbeatIntervalMs: 600_000,
    downAfterMs: 1_200_000,
    evictAfterMs: 2_400_000,
    mesh: { port: 0, peers: [...peers] },
    logLevel: "silent",
  });

const sent = (node: PresentlyNode) => node.links().reduce((sum, { bytesSent }) => sum + bytesSent, 0);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const one = await open("one", []);
const other = await open("other", [one.meshUrl!]);
await other.whenReady();
await until(() => one.links().length === 1);

/** Bytes on the link for what `work` does, which the other node shows once `shown` holds. */
async function bytesOf(work: () => void, shown: () => boolean): Promise<number> {
  // Whatever the link has to say of itself is said by now.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = sent(one);
  work();
  await until(shown);
  return sent(one) - before;
}

const rows: string[][] = [];
const add = (what: string, bytes: number, target: string, tracker: string) =>
  rows.push([what, bytes.toFixed(1), target, tracker]);
const entries = (topic: string) => other.count(topic).entries;

const alone = one.session();
const [first] = people(1);
const { key, meta } = first!;
add(
  "1 join alone",
  await bytesOf(
    () => alone.track("alone", key, meta),
    () => entries("alone") === 1,
  ),
  "130",
  "480",
);
add(
  "1 update alone",
  await bytesOf(
    () => alone.update("alone", key, metaOf(0, "away")),
    () => other.get("alone", key)[0]?.meta.status === "away",
  ),
  "",
  "none given",
);
add(
  "1 leave alone",
  await bytesOf(
    () => alone.close(),
    () => entries("alone") === 0,
  ),
  "",
  "none given",
);

for (const topics of [1, 100]) {
  const many = people(MANY, topics);
  const sessions = many.map(() => one.session());
  const names = [...new Set(many.map(({ topic }) => topic))];
  const shown = (count: number) => names.reduce((sum, topic) => sum + entries(topic), 0) === count;
  const where = topics === 1 ? "on one topic" : `over ${topics} topics`;
  const each = async (work: (index: number) => void, isShown: () => boolean) =>
    (await bytesOf(() => {
      for (let index = 0; index < MANY; index++) work(index);
    }, isShown)) / MANY;
  add(
    `each of ${MANY.toLocaleString("en")} joins ${where}`,
    await each(
      (index) => sessions[index]!.track(many[index]!.topic, many[index]!.key, many[index]!.meta),
      () => shown(MANY),
    ),
    "42",
    "155",
  );
  add(
    "each of as many updates",
    await each(
      (index) => sessions[index]!.update(many[index]!.topic, many[index]!.key, metaOf(index, "away")),
      () => many.every(({ topic, key }) => other.get(topic, key)[0]?.meta.status === "away"),
    ),
    "45",
    "220",
  );
  // Of those who come after each other only the first and the number are told; so every third stays for a while.
  const leaving = sessions.filter((_, index) => index % 3 !== 0);
  const bytes = await bytesOf(
    () => {
      for (const session of leaving) session.close();
    },
    () => shown(MANY - leaving.length),
  );
  add("each of 666 leaves, every third one stays", bytes / leaving.length, "3", "44");
  for (const session of sessions) session.close();
}
await Promise.all([one.stop(), other.stop()]);
report({
  caption: "Bytes on the link between two nodes for changes made in one go, as the mesh counts its frames",
  columns: ["change", "Presently", "target", "Phoenix.Tracker"],
  rows,
  notes: [TRACKER_NOTE, "The headers of WebSocket (2 to 8 bytes a frame) and TCP are not counted."],
});
