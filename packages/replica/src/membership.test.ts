/** Who counts, and when: every verdict of one replica on the others, at explicit times. */
import { describe, expect, test } from "vitest";
import { type Notice, type ReplicaId, type ReplicaOptions, replicaId } from "./index.ts";
import { Membership } from "./membership.ts";
import { resolveReplicaOptions } from "./options.ts";

const [A, B, C, D, E] = ["a", "b", "c", "d", "e"].map((name) => replicaId(name, 1)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
];
const NEVER = Number.POSITIVE_INFINITY;

/** Replica a, and all that it wants done and said. */
class Seen {
  readonly membership: Membership;
  private calls: string[] = [];
  readonly notices: Notice[] = [];
  /** Whom followers are told of. */
  readonly changed: ReplicaId[] = [];

  constructor(options: Partial<ReplicaOptions> = {}) {
    const settings = resolveReplicaOptions({ name: "a", incarnation: 1, evictAfterMs: 60_000, ...options });
    const say = (call: string) => void this.calls.push(call);
    this.membership = new Membership(A, settings, {
      shown: (replica) => say(`shown ${replica}`),
      hidden: (replica) => say(`hidden ${replica}`),
      evicted: (replica, reason) => say(`evicted ${replica} ${reason}`),
      evictionForgotten: (replica) => say(`readmitted ${replica}`),
      probe: (peers, replica) => say(`ask ${peers.join(" ")} about ${replica}`),
      redial: (replica) => say(`redial ${replica}`),
      newerSelf: (incarnation) => say(`newer life ${incarnation}`),
      changed: (replica) => this.changed.push(replica),
      notice: (notice) => this.notices.push(notice),
    });
  }

  /** What was wanted since the last call. */
  get told(): string[] {
    return this.calls.splice(0);
  }

  /** Own heartbeats of these replicas. */
  beat(counter: number, now: number, ...replicas: readonly ReplicaId[]): void {
    for (const replica of replicas) this.membership.learn({ replica, counter, agoMs: 0 }, replica, now);
  }

  /** Links with these, each with a first heartbeat. */
  link(now: number, ...replicas: readonly ReplicaId[]): void {
    for (const replica of replicas) expect(this.membership.linked(replica, now)).toBe(true);
    this.beat(1, now, ...replicas);
    this.told;
  }

  deny(replica: ReplicaId, now: number, ...from: readonly ReplicaId[]): void {
    this.answer({ replica, counter: 0, agoMs: 0, vouches: false }, now, ...from);
  }

  answer(
    ack: { replica: ReplicaId; counter: number; agoMs: number; vouches: boolean },
    now: number,
    ...from: readonly ReplicaId[]
  ): void {
    for (const peer of from) this.membership.answered({ type: "probe-ack", ...ack }, peer, now);
  }

  status(replica: ReplicaId): string | undefined {
    return this.membership.get(replica)?.status;
  }

  /** Runs the clock as a shell would, and collects the times at which something was wanted. */
  run(from: number, to: number): string[] {
    const log: string[] = [];
    for (let now = from; now <= to; ) {
      const next = this.membership.tick(now);
      for (const call of this.told) log.push(`${now} ${call}`);
      expect(next).toBe(this.membership.nextDeadline);
      now = Math.max(now + 1, Math.min(next, to + 1));
    }
    return log;
  }
}

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
