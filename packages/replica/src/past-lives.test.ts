/** Who is gone and may not come back: what is forgotten, older lives, and goodbyes. */
import { describe, expect, test } from "vitest";
import { B, C, D, Seen } from "../test/seen-membership.ts";
import { replicaId } from "./index.ts";

describe("a replica that is forgotten", () => {
  test("stays so by the copies of others, and returns when its counter advances", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.membership.learn({ replica: C, counter: 7, agoMs: 0 }, B, 0);
    seen.told;
    expect(seen.membership.evictNow(C)).toBe(true);
    expect(seen.told).toEqual(["evicted c@1 evicted"]);
    expect(seen.membership.evictNow(C)).toBe(false);
    for (const heard of [
      { replica: C, counter: 7, agoMs: 0 },
      { replica: C, counter: 3, agoMs: 0 },
      { replica: C, counter: 8, agoMs: 5_000 },
    ])
      seen.membership.learn(heard, B, 100);
    // A link alone is no sign either: its first heartbeat is.
    expect(seen.membership.linked(C, 200)).toBe(true);
    expect(seen.membership.knows(C)).toBe(false);
    expect(seen.told).toEqual([]);
    seen.membership.learn({ replica: C, counter: 8, agoMs: 4_999 }, B, 300);
    expect(seen.told).toEqual(["readmitted c@1", "shown c@1"]);
  });

  test("is remembered among replicasMax of them, the latest", () => {
    const seen = new Seen({ replicasMax: 3 });
    const ids = Array.from({ length: 5 }, (_, index) => replicaId(`n${index}`, 1));
    for (const id of ids) {
      seen.beat(5, 0, id);
      seen.membership.evictNow(id);
    }
    expect(seen.told.filter((call) => call.startsWith("readmitted"))).toEqual([
      "readmitted n0@1",
      "readmitted n1@1",
    ]);
    seen.beat(5, 100, ...ids);
    expect([...seen.membership.all()].map(({ id }) => id)).toEqual(["n0@1", "n1@1"]);
  });
});

describe("a newer life of a node", () => {
  test("ends the earlier ones, which never return", () => {
    const seen = new Seen();
    seen.link(0, B);
    expect(seen.membership.linked(replicaId("b", 2), 100)).toBe(true);
    expect(seen.told).toEqual(["evicted b@1 evicted", "shown b@2"]);
    expect(seen.membership.newestOf("b")).toBe(2);
    seen.membership.learn({ replica: B, counter: 1_000, agoMs: 0 }, C, 200);
    expect(seen.membership.linked(B, 200)).toBe(false);
    expect(seen.membership.knows(B)).toBe(false);
    expect(seen.told).toEqual([]);
    // Not even once the newer one is gone.
    seen.membership.evictNow(replicaId("b", 2));
    seen.beat(2_000, 300, B);
    expect(seen.membership.linked(B, 300)).toBe(false);
    expect(seen.membership.knows(B)).toBe(false);
  });

  test("that somebody only tells of ends no life that is itself heard, until that falls silent", () => {
    const seen = new Seen();
    seen.link(0, B, C);
    const lie = { replica: replicaId("b", 2), counter: 1, agoMs: 0 };
    for (let now = 0; now < 10_000; now += 1_000) {
      seen.beat(2 + now, now, B);
      seen.membership.learn({ ...lie, counter: now + 1 }, C, now);
    }
    expect([seen.told, seen.status(B), seen.membership.newestOf("b")]).toEqual([[], "up", 1]);
    seen.membership.learn({ ...lie, counter: 20_000 }, C, 12_000);
    expect(seen.told).toEqual(["evicted b@1 evicted", "shown b@2"]);
    // A link with it is its own word.
    seen.link(12_100, replicaId("b", 5));
    expect(seen.membership.newestOf("b")).toBe(5);
  });

  test("that was heard of first bars the earlier ones from the start", () => {
    const seen = new Seen();
    seen.beat(1, 0, replicaId("b", 10));
    seen.beat(50, 10, replicaId("b", 9));
    expect([...seen.membership.all()].map(({ id }) => id)).toEqual(["b@10"]);
  });

  test("leaves one that said goodbye to the end of its hand-off", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.membership.left(B, 2_000, 100);
    seen.beat(1, 500, replicaId("b", 2));
    expect(seen.told).toEqual(["shown b@2"]);
    expect(seen.status(B)).toBe("leaving");
    seen.beat(99, 600, B);
    expect(seen.run(600, 2_100)).toEqual(["2100 evicted b@1 left"]);
    expect(seen.status(replicaId("b", 2))).toBe("up");
  });

  test("of ourselves is said to us, and an older one of ourselves is not let in", () => {
    const seen = new Seen();
    expect(seen.membership.linked(replicaId("a", 0), 0)).toBe(false);
    expect(seen.told).toEqual([]);
    seen.beat(1, 0, replicaId("a", 7));
    expect(seen.told).toEqual(["newer life 7"]);
    expect(seen.membership.linked(replicaId("a", 8), 0)).toBe(false);
    expect(seen.told).toEqual(["newer life 8"]);
    seen.membership.rename(replicaId("a", 9));
    seen.beat(2, 0, replicaId("a", 7), replicaId("a", 9));
    expect(seen.told).toEqual([]);
    expect([...seen.membership.all()]).toEqual([]);
  });

  test("names are told apart by their last @", () => {
    const seen = new Seen();
    seen.link(0, replicaId("b@1", 5), replicaId("b", 1));
    seen.link(0, replicaId("b", 2));
    expect([...seen.membership.all()].map(({ id }) => id)).toEqual(["b@1@5", "b@2"]);
  });
});

describe("a goodbye", () => {
  test("without a hand-off ends it at once, and for good", () => {
    const seen = new Seen();
    seen.link(0, B);
    expect(seen.membership.left(B, 0, 100)).toBe(true);
    expect(seen.told).toEqual(["evicted b@1 left"]);
    expect(seen.membership.left(B, 0, 110)).toBe(false);
    seen.beat(1_000, 200, B);
    seen.membership.linked(B, 200);
    expect(seen.membership.knows(B)).toBe(false);
    expect(seen.told).toEqual([]);
  });

  test("with a hand-off ends it when that is over, whatever is said of it meanwhile", () => {
    const seen = new Seen();
    seen.link(0, B);
    expect(seen.membership.left(B, 30_000, 100)).toBe(true);
    expect(seen.membership.left(B, 90_000, 150)).toBe(false);
    expect([seen.status(B), seen.membership.get(B)!.counted]).toEqual(["leaving", true]);
    expect([seen.membership.knows(B), seen.membership.follows(B)]).toEqual([true, false]);
    seen.beat(9, 200, B);
    seen.membership.linked(B, 300);
    seen.membership.unlinked(B, 400);
    seen.membership.unreachable(B, 400);
    expect(seen.run(100, 30_099)).toEqual([]);
    expect(seen.run(30_100, 30_100)).toEqual(["30100 evicted b@1 left"]);
    seen.beat(10, 30_200, B);
    expect(seen.membership.knows(B)).toBe(false);
  });

  test("keeps nobody waiting for longer than evictAfterMs", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.membership.left(B, 10_000_000, 0);
    expect(seen.run(0, 70_000)).toEqual(["60000 evicted b@1 left"]);
  });

  test("of one that is down has nothing to hand off; that of one that nobody knew is for its time that of a newcomer", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.run(0, 5_000);
    expect(seen.membership.left(B, 30_000, 5_000)).toBe(true);
    expect(seen.told).toEqual(["evicted b@1 left"]);
    expect(seen.membership.left(C, 30_000, 5_000)).toBe(true);
    expect([seen.told, seen.status(C), seen.membership.get(C)!.counted]).toEqual([[], "leaving", true]);
    expect(seen.membership.leaving(10_000)).toEqual([{ replica: C, handoffMs: 25_000 }]);
    seen.beat(1, 5_100, C);
    expect(seen.membership.left(C, 90_000, 5_200)).toBe(false);
    expect(seen.run(5_200, 35_000)).toEqual(["35000 evicted c@1 left"]);
    expect(seen.membership.leaving(35_000)).toEqual([]);
    seen.beat(2, 35_100, C);
    expect(seen.membership.knows(C)).toBe(false);
    expect(seen.membership.left(D, 0, 35_200)).toBe(true);
    expect(seen.membership.knows(D)).toBe(false);
  });

  test("of one that is doubted keeps its entries: nobody need find it any more", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.membership.unlinked(B, 1_000);
    seen.told;
    seen.membership.left(B, 10_000, 1_050);
    seen.membership.unreachable(B, 1_060);
    expect(seen.run(1_060, 11_050)).toEqual(["11050 evicted b@1 left"]);
  });
});
