/** What if one session holds everything: 100,000 entries tracked, updated and untracked, and one of 8,000 entries closed? */
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";
import { breathe, ENTRIES, metaOf, nodeAlone, people, TRACKER_NOTE, timed } from "../workload.ts";

const ROUNDS = 9;
const HELD = 8_000;
const UNTRACKED = 1_000;
const everybody = people();
const updated = everybody.map((_, index) => metaOf(index, "away"));

const MEASURES = ["track", "update", "untrack", "untrack one", "close"] as const;
type Results = Record<(typeof MEASURES)[number], number[]>;
const newResults = (): Results => ({ track: [], update: [], untrack: [], "untrack one": [], close: [] });

async function round(results: Results): Promise<void> {
  const node = await nodeAlone();
  const session = node.session();
  const rate = (ms: number) => (ENTRIES / ms) * 1_000;
  const track = timed(() => {
    for (const { topic, key, meta } of everybody) session.track(topic, key, meta);
  });
  await breathe();
  const update = timed(() => {
    for (const [index, { topic, key }] of everybody.entries()) session.update(topic, key, updated[index]!);
  });
  await breathe();
  const untrack = timed(() => {
    for (const { topic, key } of everybody) session.untrack(topic, key);
  });
  results.track.push(rate(track));
  results.update.push(rate(update));
  results.untrack.push(rate(untrack));
  await breathe();
  await large(results);
  await node.stop();

  /** A session of 8,000 entries on a node that holds 100,000 of others. */
  async function large(results: Results): Promise<void> {
    for (const { topic, key, meta } of everybody) node.session().track(topic, `other ${key}`, meta);
    const held = node.session();
    const own = everybody.slice(0, HELD + UNTRACKED);
    for (const { topic, key, meta } of own) held.track(topic, key, meta);
    await breathe();
    const some = timed(() => {
      for (const { topic, key } of own.slice(0, UNTRACKED)) held.untrack(topic, key);
    });
    await breathe();
    results["untrack one"].push((some / UNTRACKED) * 1_000);
    results.close.push(timed(() => held.close()));
  }
}

const results = newResults();
for (let index = 0; index < 2; index++) await round(newResults());
for (let index = 0; index < ROUNDS; index++) {
  progress(`one-session: round ${index + 1} of ${ROUNDS}`);
  await round(results);
}
progressDone();

const spread = (name: keyof Results, unit = "") => showSpread(spreadOf(results[name]), unit);
report({
  caption: `All entries on one session: median (least–most) of ${ROUNDS} rounds`,
  columns: ["operation", "Presently", "target", "Phoenix.Tracker"],
  rows: [
    ["track, 100,000 entries, a second", spread("track"), "300,000", "none given"],
    ["update, a second", spread("update"), "250,000", "none given"],
    ["untrack, a second", spread("untrack"), "300,000", "exceeds its 5 s time-out"],
    ["untrack one of 8,000 entries", spread("untrack one", "µs"), "5 µs", "809 ms"],
    ["close a session of 8,000 entries", spread("close", "ms"), "10 ms", "611 ms (4,000 entries)"],
  ],
  notes: [
    TRACKER_NOTE,
    "The session of 8,000 entries is on a node that holds 100,000 entries of other sessions.",
  ],
});
