/** How many presences can one node track, update and untrack in a second, with a session each? No links: bookkeeping only. */
import { BareLists } from "../peers/bare.ts";
import { progress, progressDone, report } from "../report.ts";
import { showNumber, showSpread, spreadOf } from "../rounds.ts";
import { breathe, ENTRIES, metaOf, nodeAlone, people, TRACKER_NOTE, timed } from "../workload.ts";

const ROUNDS = 9;
const everybody = people();
const updated = everybody.map((_, index) => metaOf(index, "away"));

interface Rates {
  readonly track: number[];
  readonly update: number[];
  readonly untrack: number[];
}

/** What is measured of a system: the `index`th person comes, changes and goes. */
interface Subject {
  track(index: number): unknown;
  update(index: number): unknown;
  untrack(index: number): unknown;
  stop?(): Promise<void>;
}

async function presently(): Promise<Subject> {
  const node = await nodeAlone();
  const sessions = everybody.map(() => node.session());
  return {
    track: (index) => sessions[index]!.track(topicOf(index), keyOf(index), everybody[index]!.meta),
    update: (index) => sessions[index]!.update(topicOf(index), keyOf(index), updated[index]!),
    untrack: (index) => sessions[index]!.untrack(topicOf(index), keyOf(index)),
    stop: () => node.stop(),
  };
}

async function bare(): Promise<Subject> {
  const lists = new BareLists();
  return {
    track: (index) => lists.put(topicOf(index), keyOf(index), everybody[index]!.meta),
    update: (index) => lists.put(topicOf(index), keyOf(index), updated[index]!),
    untrack: (index) => lists.take(topicOf(index), keyOf(index)),
  };
}

function topicOf(index: number): string {
  return everybody[index]!.topic;
}

function keyOf(index: number): string {
  return everybody[index]!.key;
}

async function round(rates: Rates, open: () => Promise<Subject>): Promise<void> {
  const subject = await open();
  for (const operation of ["track", "update", "untrack"] as const) {
    const ms = timed(() => {
      for (let index = 0; index < ENTRIES; index++) subject[operation](index);
    });
    await breathe();
    rates[operation].push((ENTRIES / ms) * 1_000);
  }
  await subject.stop?.();
}

const nothing = (): Rates => ({ track: [], update: [], untrack: [] });
const [rates, least] = [nothing(), nothing()];
for (let index = -2; index < ROUNDS; index++) {
  progress(`local-operations: round ${index + 1} of ${ROUNDS}`);
  await round(index < 0 ? nothing() : rates, presently);
  await round(index < 0 ? nothing() : least, bare);
}
progressDone();

const row = (name: keyof Rates, tracker: string, target: string, limit: string) => {
  const [ours, floor] = [spreadOf(rates[name]), spreadOf(least[name])];
  const share = `${showNumber((ours.median / floor.median) * 100)} %`;
  return [name, showSpread(ours), target, showSpread(floor), share, limit, tracker];
};
report({
  caption: `Local operations a second on one node without links: 100,000 entries over 100 topics, a session each; median (least–most) of ${ROUNDS} rounds`,
  columns: [
    "operation",
    "Presently",
    "target",
    "nothing but maps",
    "Presently of that",
    "the same, elsewhere",
    "Phoenix.Tracker",
  ],
  rows: [
    row("track", "27,000", "500,000", "800,000"),
    row("update", "14,000", "350,000", "500,000"),
    row("untrack", "28,000", "500,000", "1,300,000"),
  ],
  notes: [
    TRACKER_NOTE,
    "Nothing but maps: an object for each entry, in a map by key and in one by number, measured in the same rounds; and the figure by which the targets were set, on such a machine at another time.",
    "Sessions and metas are made beforehand; one call after the other, in one turn of the event loop.",
  ],
});
