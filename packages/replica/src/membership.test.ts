/** Who is known and counts, and when: every verdict of one replica on the others, at explicit times. */
import { describe, expect, test } from "vitest";
import { A, B, C, D, NEVER, Seen } from "../test/seen-membership.ts";
import { replicaId } from "./index.ts";

describe("a replica becomes known", () => {
  test("by a link, before it has said anything", () => {
    const seen = new Seen();
    expect(seen.membership.linked(B, 0)).toBe(true);
    expect(seen.told).toEqual(["shown b@1"]);
    expect(seen.membership.knows(B)).toBe(true);
    expect(seen.membership.follows(B)).toBe(true);
    expect(seen.notices).toMatchObject([{ type: "replica-up", level: "info", replica: B, counter: 0 }]);
    seen.beat(1, 10, B);
    expect(seen.told).toEqual([]);
  });

  test("by hearsay, as old as it is", () => {
    const seen = new Seen();
    seen.membership.learn({ replica: C, counter: 7, agoMs: 1_200 }, B, 10_000);
    expect(seen.told).toEqual(["shown c@1"]);
    expect(seen.membership.get(C)).toMatchObject({ counter: 7, heardAt: 8_800, heardFrom: B, status: "up" });
  });

  test("by hearsay older than downAfterMs: as down, without being shown first", () => {
    const seen = new Seen();
    seen.membership.learn({ replica: C, counter: 7, agoMs: 5_000 }, B, 10_000);
    expect(seen.told).toEqual([]);
    expect(seen.changed).toEqual([C]);
    expect(seen.status(C)).toBe("down");
    expect(seen.membership.get(C)!.counted).toBe(false);
    expect(seen.run(10_000, 65_000)).toEqual(["65000 evicted c@1 evicted"]);
  });

  test("by hearsay older than evictAfterMs: not at all", () => {
    const seen = new Seen();
    seen.membership.learn({ replica: C, counter: 7, agoMs: 60_000 }, B, 100_000);
    seen.membership.learn({ replica: D, counter: 7, agoMs: 59_999 }, B, 100_000);
    expect(seen.membership.knows(C)).toBe(false);
    expect(seen.status(D)).toBe("down");
  });

  test("up to replicasMax of them, and says of the others that they are ignored", () => {
    const seen = new Seen({ replicasMax: 2 });
    seen.link(0, B, C);
    expect(seen.membership.linked(D, 0)).toBe(true);
    seen.beat(1, 0, D);
    expect(seen.told).toEqual([]);
    expect([...seen.membership.all()].map(({ id }) => id)).toEqual([B, C]);
    expect(seen.notices.at(-1)).toMatchObject({ type: "replicas-max", level: "error" });
    expect(seen.notices.at(-1)!.message).toContain(D);
    seen.membership.evictNow(B);
    seen.beat(2, 10, D);
    expect(seen.membership.knows(D)).toBe(true);
  });

  test("and says so once in a while only, however many a peer names", () => {
    const seen = new Seen({ replicasMax: 1 });
    seen.link(0, B);
    for (let index = 0; index < 2_000; index++) seen.beat(1, 0, replicaId(`stranger-${index}`, 1));
    const told = () => seen.notices.filter(({ type }) => type === "replicas-max").length;
    expect(told()).toBe(1);
    seen.beat(1, 60_000, D);
    expect(told()).toBe(2);
  });

  test("but never as itself", () => {
    const seen = new Seen();
    seen.beat(5, 0, A);
    expect(seen.membership.knows(A)).toBe(false);
    expect(seen.told).toEqual([]);
  });
});

describe("a replica lives", () => {
  test("as long as its counter advances by any path", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.membership.learn({ replica: C, counter: 1, agoMs: 0 }, B, 0);
    seen.told;
    for (let second = 1; second <= 100; second++) {
      const now = second * 1_000;
      seen.beat(second + 1, now, B);
      seen.membership.learn({ replica: C, counter: second + 1, agoMs: 900 }, B, now);
      expect(seen.run(now, now + 999)).toEqual([]);
    }
    expect([seen.status(B), seen.status(C)]).toEqual(["up", "up"]);
  });

  test("not by what has been heard before, however often it is said", () => {
    const seen = new Seen();
    seen.link(0, B, D);
    seen.membership.learn({ replica: C, counter: 3, agoMs: 0 }, B, 0);
    seen.told;
    for (let second = 1; second < 5; second++) {
      seen.beat(second + 1, second * 1_000, B, D);
      for (const peer of [B, D])
        seen.membership.learn({ replica: C, counter: 3, agoMs: 0 }, peer, second * 1_000);
    }
    const log = seen.run(0, 5_000);
    expect(log.filter((line) => !line.includes("ask"))).toEqual(["2500 redial c@1", "5000 hidden c@1"]);
    expect(log).toContain("2500 ask b@1 d@1 about c@1");
  });

  test("by an old word of it only as long as that is young enough", () => {
    const seen = new Seen();
    seen.membership.learn({ replica: C, counter: 1, agoMs: 0 }, B, 0);
    seen.membership.learn({ replica: C, counter: 2, agoMs: 3_000 }, B, 4_000);
    // The word is older than what we had; its counter is newer all the same.
    expect(seen.membership.get(C)).toMatchObject({ counter: 2, heardAt: 1_000 });
    expect(seen.run(4_000, 6_000).at(-1)).toBe("6000 hidden c@1");
    seen.membership.learn({ replica: C, counter: 3, agoMs: 5_000 }, B, 10_000);
    expect(seen.status(C)).toBe("down");
    seen.membership.settleReturns(() => true);
    expect(seen.status(C)).toBe("down");
    seen.membership.learn({ replica: C, counter: 4, agoMs: 4_999 }, B, 10_000);
    seen.membership.settleReturns(() => true);
    expect(seen.status(C)).toBe("up");
    expect(seen.told).toEqual(["shown c@1"]);
  });

  test("is told late rather than never: a word does not make it older than it is", () => {
    const seen = new Seen();
    seen.link(4_000, C);
    seen.membership.learn({ replica: C, counter: 2, agoMs: 3_000 }, B, 5_000);
    expect(seen.membership.get(C)).toMatchObject({ counter: 2, heardAt: 4_000 });
  });
});

describe("silence", () => {
  test("is doubted after half of downAfterMs or two heartbeats, asked about, and believed after downAfterMs", () => {
    for (const [options, suspectAfterMs, downAfterMs] of [
      [{}, 2_500, 5_000],
      [{ downAfterMs: 3_000 }, 2_000, 3_000],
      [{ heartbeatIntervalMs: 100, downAfterMs: 1_000, probeIntervalMs: 200 }, 500, 1_000],
    ] as const) {
      const seen = new Seen(options);
      seen.link(0, B, C);
      const keepC = () => seen.beat(seen.membership.get(C)!.counter + 1, downAfterMs - 1, C);
      expect(seen.run(0, suspectAfterMs - 1)).toEqual([]);
      seen.beat(2, suspectAfterMs - 1, C);
      const log = seen.run(suspectAfterMs, downAfterMs - 1);
      // Its link is open: there is nothing to redial.
      expect(log[0]).toBe(`${suspectAfterMs} ask c@1 about b@1`);
      const probes = Math.ceil(
        (downAfterMs - suspectAfterMs) / (options.heartbeatIntervalMs === 100 ? 200 : 100),
      );
      expect(log).toHaveLength(probes);
      expect(seen.status(B)).toBe("suspect");
      expect(seen.membership.get(B)!.counted).toBe(true);
      keepC();
      expect(seen.run(downAfterMs, downAfterMs)).toEqual([`${downAfterMs} hidden b@1`]);
      expect(seen.status(B)).toBe("down");
      expect(seen.notices.at(-1)).toMatchObject({ type: "replica-down", level: "warn", replica: B });
    }
  });

  test("that ends makes it up again, and shows what was hidden once it is known what has become of that", () => {
    const seen = new Seen();
    seen.link(0, B, C);
    seen.run(0, 3_000);
    expect(seen.status(B)).toBe("suspect");
    seen.beat(2, 3_000, B);
    expect(seen.status(B)).toBe("up");
    expect(seen.told).toEqual([]);
    seen.run(3_000, 9_000);
    expect([seen.status(B), seen.status(C)]).toEqual(["down", "down"]);
    seen.beat(3, 9_000, B);
    seen.membership.settleReturns(() => false);
    expect(seen.told).toEqual([]);
    seen.membership.settleReturns((replica) => replica === B);
    expect(seen.told).toEqual(["shown b@1"]);
    expect([seen.status(B), seen.status(C)]).toEqual(["up", "down"]);
    expect(seen.run(9_000, 11_499)).toEqual([]);
  });

  test("that ends shows what was hidden after pullTimeoutMs at the latest", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.run(0, 8_000);
    for (const now of [8_000, 9_000]) seen.beat(now, now, B);
    expect(seen.run(8_000, 10_000)).toEqual(["10000 shown b@1"]);
    expect(seen.status(B)).toBe("up");
  });

  test("that ends and begins again at once shows nothing: by a link that is lost, or by time", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.run(0, 6_000);
    seen.beat(2, 6_000, B);
    seen.membership.unlinked(B, 6_500);
    seen.membership.settleReturns(() => true);
    expect([seen.status(B), seen.run(6_500, 9_000)]).toEqual(["down", []]);
    const patient = new Seen({ pullTimeoutMs: 60_000, evictAfterMs: 120_000 });
    patient.link(0, B);
    patient.run(0, 6_000);
    patient.beat(2, 6_000, B);
    expect(patient.run(6_000, 70_000)).toEqual([]);
    expect(patient.status(B)).toBe("down");
  });

  test("of evictAfterMs makes it forgotten", () => {
    const seen = new Seen();
    seen.link(100, B);
    expect(seen.run(100, 5_100).at(-1)).toBe("5100 hidden b@1");
    expect(seen.run(5_100, 60_099)).toEqual([]);
    expect(seen.run(60_100, 60_100)).toEqual(["60100 evicted b@1 evicted"]);
    expect(seen.membership.knows(B)).toBe(false);
    expect(seen.membership.nextDeadline).toBe(NEVER);
    expect(seen.notices.at(-1)).toMatchObject({
      type: "replica-evicted",
      replica: B,
      counter: 1,
      reason: "evicted",
    });
  });
});

describe("a process that stood still", () => {
  test("passes no verdict for a full heartbeat, and none on those who are heard by then", () => {
    const seen = new Seen();
    seen.link(0, B, C);
    seen.membership.stalled(20_000);
    expect(seen.run(20_000, 20_000).filter((line) => line.includes("hidden"))).toEqual([]);
    seen.beat(20, 20_500, B);
    const log = seen.run(20_500, 21_000);
    expect(log.filter((line) => line.includes("hidden"))).toEqual(["21000 hidden c@1"]);
    expect(seen.status(B)).toBe("up");
  });

  test("does not believe the denials of that time either", () => {
    const seen = new Seen();
    seen.link(0, B, C);
    seen.membership.unlinked(B, 900);
    seen.membership.stalled(1_000);
    seen.membership.unreachable(B, 1_100);
    seen.beat(2, 1_100, C);
    seen.deny(B, 1_400, C);
    expect(seen.run(1_400, 1_999).filter((line) => line.includes("hidden"))).toEqual([]);
    expect(seen.run(2_000, 2_100).filter((line) => line.includes("hidden"))).toHaveLength(1);
  });
});
