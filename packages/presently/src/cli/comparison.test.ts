import { describe, expect, test } from "vitest";
import type { ReplicaJson } from "../http/cluster-api.ts";
import { differencesOf, type NodeView, type ViewPair } from "./comparison.ts";

type Entries = Readonly<Record<string, readonly [ref: string, meta?: object][]>>;

function replica(id: string, differing: Partial<ReplicaJson> = {}): ReplicaJson {
  const base = { replica: id, node: id.split("@")[0]!, status: "up", entries: 1, events: 1, heardAgoMs: 0 };
  return { ...base, linked: true, agrees: true, agreedAgoMs: 0, address: null, ...differing } as ReplicaJson;
}

/** What a node says whose lobby holds these entries. */
function view(node: string, replicas: readonly ReplicaJson[], lobby: Entries = {}): NodeView {
  const presences = Object.fromEntries(
    Object.entries(lobby).map(([key, entries]) => [
      key,
      { metas: entries.map(([ref, meta = {}]) => ({ ref, node: "n9", meta })) },
    ]),
  );
  const keys = Object.keys(lobby).length;
  const topics = new Map(keys === 0 ? [] : [["lobby", { topic: "lobby", keys, entries: keys, presences }]]);
  return { cluster: { node, replicas }, topics } as unknown as NodeView;
}

const lines = (pair: ViewPair) => differencesOf(pair).map(({ line }) => line);

describe("a comparison of two nodes", () => {
  test("finds nothing where both say the same, each from its own side", () => {
    const lobby: Entries = { alice: [["r1", { away: false }]], bob: [["r2"], ["r3"]] };
    const one = view("n1", [replica("n1@1", { status: "self" }), replica("n2@1", { heardAgoMs: 9 })], lobby);
    const other = view(
      "n2",
      [replica("n2@1", { status: "self" }), replica("n1@1", { status: "suspect" })],
      lobby,
    );
    expect(lines([one, other])).toEqual([]);
  });

  test("names replicas that only one knows, or that they hold for something else", () => {
    const one = view("n1", [replica("n1@1"), replica("n3@1", { status: "down" }), replica("n4@1")]);
    const other = view("n2", [replica("n1@1"), replica("n3@1")]);
    expect(lines([one, other])).toEqual([
      "replica n3@1: down at n1, up at n2",
      "replica n4@1: known at n1, not at n2",
    ]);
  });

  test("names what only one has applied, and what both have applied with another outcome", () => {
    const ofNode = (replicas: readonly [events: number, entries: number, hash: number]) => {
      const [events, entries, hash] = replicas;
      return [replica("n3@1", { events }), replica("n4@1", { entries }), replica("n5@1", { hash })];
    };
    const one = view("n1", ofNode([7, 2, 1]));
    const other = view("n2", ofNode([5, 3, 2]));
    expect(lines([one, other])).toEqual([
      "replica n3@1: 7 events at n1, 5 at n2",
      "replica n4@1: 2 entries at n1, 3 at n2, after the same events",
      "replica n5@1: other entries at n1 than at n2, after the same events",
    ]);
  });

  test("names entries that one does not show, or shows otherwise, and obeys no control character", () => {
    const one = view("n1", [], { alice: [["r1"]], bob: [["r2", { away: true }]] });
    const other = view("n2", [], { bob: [["r2", { away: false }]], "\u001b[31mmallory": [["r4"]] });
    expect(lines([one, other])).toEqual([
      "lobby: alice on n9, shown at n1, not at n2",
      "lobby: bob on n9, has another meta at n1 than at n2",
      "lobby: \\u{1b}[31mmallory on n9, shown at n2, not at n1",
    ]);
  });

  test("takes what goes away by itself for a change on its way", () => {
    const behind = view("n2", [replica("n3@1", { events: 5 })], {});
    const first: ViewPair = [view("n1", [replica("n3@1", { events: 7 })], { alice: [["r1"]] }), behind];
    const [events, entry] = differencesOf(first);
    expect([events!.topic, entry!.topic]).toEqual([undefined, "lobby"]);
    // The first goes on meanwhile: what counts is that the second has come as far as the first had.
    const ahead = view("n1", [replica("n3@1", { events: 90 })], { alice: [["r1"]] });
    const caughtUp = view("n2", [replica("n3@1", { events: 7 })], { alice: [["r1"]] });
    expect([events!.remains([ahead, caughtUp]), entry!.remains([ahead, caughtUp])]).toEqual([false, false]);
    expect([events!.remains([ahead, behind]), entry!.remains([ahead, behind])]).toEqual([true, true]);
    const gone = view("n1", []);
    expect([events!.remains([gone, view("n2", [])]), entry!.remains([gone, view("n2", [])])]).toEqual([
      false,
      false,
    ]);
  });
});
