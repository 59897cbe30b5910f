/** What does a topic of 100,000 members cost, alone and with watchers? */
import type { TopicChange } from "presently";
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";
import { breathe, ENTRIES, metaOf, nodeAlone, people, timed } from "../workload.ts";

const ROUNDS = 7;
const CHANGES = 1_000;
const WATCHERS = 100;
const everybody = people(ENTRIES, 1);
const { topic } = everybody[0]!;

const results = new Map<string, number[]>();
function put(name: string, value: number): void {
  const values = results.get(name);
  if (values === undefined) results.set(name, [value]);
  else values.push(value);
}

async function round(): Promise<void> {
  const node = await nodeAlone();
  const sessions = everybody.map(() => node.session());
  const fill = timed(() => {
    for (let index = 0; index < ENTRIES; index++)
      sessions[index]!.track(topic, everybody[index]!.key, everybody[index]!.meta);
  });
  put("track, µs each", (fill / ENTRIES) * 1_000);
  await breathe();
  const someAt = (index: number) => (index * 97) % ENTRIES;
  const changes = (name: string, work: (index: number) => void) => {
    const ms = timed(() => {
      for (let index = 0; index < CHANGES; index++) work(someAt(index));
    });
    put(`${name}, µs each`, (ms / CHANGES) * 1_000);
  };
  changes(
    "update",
    (index) => void sessions[index]!.update(topic, everybody[index]!.key, metaOf(index, "away")),
  );
  changes("untrack", (index) => void sessions[index]!.untrack(topic, everybody[index]!.key));
  put(
    "list, ms",
    timed(() => node.list(topic)),
  );
  changes(
    "track again",
    (index) => void sessions[index]!.track(topic, everybody[index]!.key, everybody[index]!.meta),
  );
  changes("count", () => void node.count(topic));
  let told = 0;
  const listener = ({ type }: TopicChange) => {
    if (type === "diff") told++;
  };
  put(
    "a watcher's first state, ms",
    timed(() => void node.watch(topic, listener)),
  );
  changes(
    "update, watched by one",
    (index) => void sessions[index]!.update(topic, everybody[index]!.key, metaOf(index, "back")),
  );
  if (told !== CHANGES) throw new Error(`${told} diffs came of ${CHANGES}`);
  // Each of them is given a list of its own at first, which is let go of at once.
  for (let index = 1; index < WATCHERS; index++) node.watch(topic, listener);
  changes(
    "update, watched by 100",
    (index) => void sessions[index]!.update(topic, everybody[index]!.key, metaOf(index, "away")),
  );
  put(
    "1,000 updates as one batch, ms",
    timed(() =>
      node.batch(() => {
        for (let index = 0; index < CHANGES; index++)
          sessions[someAt(index)]!.update(topic, everybody[someAt(index)]!.key, metaOf(index, "here"));
      }),
    ),
  );
  put(
    "untrack everybody, µs each",
    (timed(() => {
      for (let index = 0; index < ENTRIES; index++) sessions[index]!.close();
    }) /
      ENTRIES) *
      1_000,
  );
  await node.stop();
}

await round();
results.clear();
for (let index = 0; index < ROUNDS; index++) {
  progress(`large-topic: round ${index + 1} of ${ROUNDS}`);
  await round();
}
progressDone();
report({
  caption: `A topic with 100,000 members on one node, a session each: median (least–most) of ${ROUNDS} rounds`,
  columns: ["operation", "Presently"],
  rows: [...results].map(([name, values]) => [name, showSpread(spreadOf(values))]),
  notes: ["The last is while 100 watchers are told of every leave. No peer publishes such figures."],
});
