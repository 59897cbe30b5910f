/** Doubts: a link that closes, what others say of whom we lost, and what we say of whom they lost. */
import { describe, expect, test } from "vitest";
import { B, C, D, E, Seen } from "../test/seen-membership.ts";
import { replicaId } from "./index.ts";

describe("a link that closes", () => {
  test("is a hint: redial, and ask the peers that are up", () => {
    const seen = new Seen();
    seen.link(0, B, C, D, E);
    seen.membership.unlinked(D, 500);
    seen.told;
    seen.membership.unlinked(B, 1_000);
    expect(seen.told).toEqual(["redial b@1", "ask c@1 e@1 about b@1"]);
    expect(seen.status(B)).toBe("suspect");
    // Once more, while it is doubted: only a redial.
    seen.membership.unlinked(B, 1_050);
    expect(seen.told).toEqual(["redial b@1"]);
    seen.membership.unlinked(replicaId("stranger", 1), 1_050);
    expect(seen.told).toEqual([]);
  });

  test("asks no more peers than heartbeatFanout", () => {
    const seen = new Seen({ heartbeatFanout: 2 });
    seen.link(0, B, C, D, E);
    seen.membership.unlinked(B, 1_000);
    expect(seen.told).toEqual(["redial b@1", "ask c@1 d@1 about b@1"]);
  });

  test("and a peer that cannot be reached is down once everybody who was asked denies it, and three probes have passed", () => {
    const seen = new Seen();
    seen.link(0, B, C, D);
    seen.membership.unlinked(B, 1_000);
    seen.deny(B, 1_010, C);
    seen.membership.unreachable(B, 1_020);
    seen.beat(2, 1_020, C, D);
    seen.told;
    expect(seen.run(1_020, 1_290)).toEqual(["1100 ask c@1 d@1 about b@1", "1200 ask c@1 d@1 about b@1"]);
    seen.deny(B, 1_295, D);
    expect(seen.run(1_295, 1_299)).toEqual([]);
    expect(seen.run(1_300, 1_300)).toEqual(["1300 ask c@1 d@1 about b@1", "1300 hidden b@1"]);
    expect(seen.status(B)).toBe("down");
    expect(seen.notices.at(-1)!.message).toContain("cannot be reached");
  });

  test("and a peer that cannot be reached is down after three probes where nobody else is there to ask", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.membership.unlinked(B, 1_000);
    seen.membership.unreachable(B, 1_010);
    expect(seen.told).toEqual(["redial b@1"]);
    expect(seen.run(1_010, 3_000)).toEqual(["1300 hidden b@1"]);
  });

  test("says nothing while nobody has tried to reach the peer: silence decides", () => {
    const seen = new Seen();
    seen.link(0, B, C);
    seen.membership.unlinked(B, 1_000);
    for (let now = 1_000; now < 5_000; now += 500) {
      seen.beat(now, now, C);
      seen.deny(B, now, C);
    }
    expect(seen.run(1_000, 5_000).at(-1)).toBe("5000 hidden b@1");
  });

  test("says nothing while somebody vouches for the peer, and its counter advances", () => {
    const seen = new Seen();
    seen.link(0, B, C, D);
    seen.membership.unlinked(B, 1_000);
    seen.membership.unreachable(B, 1_010);
    seen.deny(B, 1_020, C);
    for (let now = 1_100; now < 20_000; now += 100) {
      if (now % 1_000 === 0) seen.beat(now, now, C, D);
      if (seen.status(B) === "suspect") {
        seen.deny(B, now, C);
        seen.answer(
          { replica: B, counter: Math.floor(now / 1_000), agoMs: now % 1_000, vouches: true },
          now,
          D,
        );
      }
      expect(seen.run(now, now + 99).filter((line) => line.includes("hidden"))).toEqual([]);
    }
    // The voucher itself falls silent about it, and then denies it.
    seen.beat(30_000, 20_000, C, D);
    seen.run(20_000, 22_000);
    seen.deny(B, 22_000, C, D);
    seen.membership.unreachable(B, 22_000);
    expect(seen.told).toContain("hidden b@1");
  });

  test("is not undone by a heartbeat that was heard before it closed", () => {
    const seen = new Seen();
    seen.link(0, B, C);
    seen.membership.unlinked(B, 1_000);
    seen.told;
    // Sent before it crashed, and passed on since.
    seen.membership.learn({ replica: B, counter: 2, agoMs: 150 }, C, 1_100);
    expect(seen.status(B)).toBe("suspect");
    seen.membership.learn({ replica: B, counter: 3, agoMs: 50 }, C, 1_100);
    expect(seen.status(B)).toBe("up");
    expect(seen.told).toEqual([]);
  });

  test("and opens again makes the peer up at once, and what was denied no longer counts", () => {
    const seen = new Seen();
    seen.link(0, B, C);
    seen.membership.unlinked(B, 1_000);
    seen.deny(B, 1_010, C);
    seen.membership.linked(B, 1_200);
    expect(seen.status(B)).toBe("up");
    seen.told;
    seen.membership.unreachable(B, 1_300);
    expect(seen.run(1_200, 2_000)).toEqual([]);
    seen.membership.unlinked(B, 2_000);
    seen.membership.unreachable(B, 2_010);
    seen.beat(2, 2_010, C);
    expect(seen.run(2_010, 3_000).filter((line) => line.includes("hidden"))).toEqual([]);
  });

  test("of a peer that is down, leaving or forgotten is no news", () => {
    const seen = new Seen();
    seen.link(0, B, C, D);
    seen.beat(2, 5_000, C, D);
    seen.run(5_000, 5_000);
    expect(seen.status(B)).toBe("down");
    seen.membership.left(C, 1_000, 5_000);
    seen.membership.evictNow(D);
    seen.told;
    for (const replica of [B, C, D]) {
      seen.membership.unlinked(replica, 5_100);
      seen.membership.unreachable(replica, 5_100);
    }
    expect(seen.told).toEqual([]);
  });
});

describe("asked by a peer that lost its link with a replica, it", () => {
  test("vouches for one that it has a link with, or that others have told it of lately", () => {
    const seen = new Seen();
    seen.link(0, B, C);
    seen.membership.learn({ replica: D, counter: 7, agoMs: 0 }, C, 0);
    seen.told;
    expect(seen.membership.probed(B, C, 1_900)).toEqual({
      type: "probe-ack",
      replica: B,
      counter: 1,
      agoMs: 1_900,
      vouches: true,
    });
    expect(seen.membership.probed(D, B, 1_999)).toMatchObject({ counter: 7, agoMs: 1_999, vouches: true });
    expect(seen.told).toEqual([]);
  });

  test("does not vouch to the one that it has it from, nor with an old word; it doubts it as well", () => {
    for (const [asker, now] of [
      [C, 500],
      [B, 2_000],
    ] as const) {
      const seen = new Seen();
      seen.link(0, B, C);
      seen.membership.learn({ replica: D, counter: 7, agoMs: 0 }, C, 0);
      seen.told;
      expect(seen.membership.probed(D, asker, now)).toMatchObject({ counter: 7, vouches: false });
      expect(seen.told).toEqual(["redial d@1", "ask b@1 c@1 about d@1"]);
      expect(seen.status(D)).toBe("suspect");
      expect(seen.membership.probed(D, asker, now)).toMatchObject({ vouches: false });
      expect(seen.told).toEqual([]);
    }
  });

  test("says of a stranger that it has not been heard for ever", () => {
    const seen = new Seen();
    expect(seen.membership.probed(D, B, 500)).toMatchObject({ counter: 0, agoMs: 60_000, vouches: false });
    expect(seen.membership.knows(D)).toBe(false);
    expect(seen.told).toEqual([]);
  });

  test("does not count a replica's own silence as a word about another", () => {
    const seen = new Seen();
    seen.link(0, B);
    seen.membership.unlinked(B, 1_000);
    seen.told;
    expect(seen.membership.probed(B, C, 1_500)).toMatchObject({ vouches: false });
    expect(seen.told).toEqual([]);
  });
});
