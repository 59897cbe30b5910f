import { nameOf, type ReplicaId, replicaId } from "@presently/replica";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ConnectionEnd } from "./connection.ts";
import { Discovery } from "./discovery.ts";
import { type RefusalCode, refusal } from "./refusal.ts";

const b = replicaId("b", 1);

const BECAME_A_LINK = { type: "linked", roundTripMs: 1 } as ConnectionEnd;

const failed = (reason: string): ConnectionEnd => ({ type: "failed", reason });

function refusedWith(code: RefusalCode): ConnectionEnd {
  return { type: "refused", by: "us", refusal: refusal(code, ""), peer: undefined, proven: true };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A discovery on a clock that is driven by hand, what it dials, and what it reports. */
function setUp(configured: string[] = [], addressesMax = 100) {
  const dials: string[] = [];
  const reports: string[] = [];
  const linked = new Map<string, ReplicaId>();
  const refreshes: number[] = [];
  const discovery = new Discovery({
    node: "a",
    configured,
    addressesMax,
    dialMinMs: 100,
    dialMaxMs: 1000,
    handshakeTimeoutMs: 2000,
    random: () => 1,
    now: () => performance.now(),
    ownAddress: () => "ws://a:1",
    linked: (node) => linked.get(node),
    dial: (address) => dials.push(address),
    refreshNames: () => refreshes.push(performance.now()),
    unreachable: (peer, reason) => reports.push(`${peer}: ${reason}`),
  });
  return {
    discovery,
    dials,
    reports,
    refreshes,
    /** What was dialled within so many milliseconds. */
    dialsIn(ms: number): string[] {
      dials.length = 0;
      vi.advanceTimersByTime(ms);
      return [...dials];
    },
    link(peer: ReplicaId): void {
      linked.set(nameOf(peer), peer);
      discovery.linkUp(peer);
    },
    unlink(peer: ReplicaId, how: { livedMs?: number; refused?: boolean } = {}): void {
      linked.delete(nameOf(peer));
      discovery.linkDown(peer, { linkId: "link", livedMs: 60_000, refused: false, ...how });
    },
  };
}

describe("an address", () => {
  test("is dialled while the node behind it has no link, and left alone while it has", () => {
    const { discovery, dialsIn, link, unlink } = setUp(["ws://b:1"]);
    discovery.start();
    expect(dialsIn(0)).toEqual(["ws://b:1"]);
    discovery.answered("ws://b:1", b);
    discovery.ended("ws://b:1", BECAME_A_LINK);
    link(b);
    expect(dialsIn(60_000)).toEqual([]);
    unlink(b);
    expect(dialsIn(0)).toEqual(["ws://b:1"]);
  });

  test("of a node that dials us is found out, and then left alone", () => {
    const { discovery, dialsIn, link } = setUp(["ws://b:1"]);
    discovery.start();
    dialsIn(0);
    link(b);
    discovery.answered("ws://b:1", b);
    discovery.ended("ws://b:1", refusedWith("DUPLICATE"));
    expect(dialsIn(60_000)).toEqual([]);
  });

  test("that leads home is forgotten if it was learnt, and tried again much later if it was configured", () => {
    const { discovery, dialsIn } = setUp(["ws://balancer:1"]);
    discovery.start();
    discovery.learn([["b", "ws://learnt:1"]]);
    expect(dialsIn(0)).toEqual(["ws://balancer:1", "ws://learnt:1"]);
    discovery.ended("ws://balancer:1", refusedWith("SELF"));
    discovery.ended("ws://learnt:1", refusedWith("SELF"));
    expect(dialsIn(59_999)).toEqual([]);
    expect(dialsIn(1)).toEqual(["ws://balancer:1"]);
    discovery.learn([["b", "ws://learnt:1"]]);
    expect(dialsIn(1000)).toEqual([]);
  });

  test("that is learnt is dialled at once, unless it is ours or its node is linked", () => {
    const { discovery, dialsIn, link } = setUp();
    link(b);
    discovery.learn([
      ["a", "ws://elsewhere:1"],
      ["x", "ws://a:1"],
      ["b", "ws://b:1"],
      ["c", "ws://c:1"],
    ]);
    expect(dialsIn(0)).toEqual(["ws://c:1"]);
  });

  test("that is heard of again is dialled without waiting for the back-off", () => {
    const { discovery, dialsIn } = setUp();
    discovery.learn([["c", "ws://c:1"]]);
    for (let attempt = 0; attempt < 8; attempt += 1) {
      dialsIn(1000);
      discovery.ended("ws://c:1", failed("refused"));
    }
    discovery.learn([["c", "ws://c:1"]]);
    expect(dialsIn(100)).toEqual(["ws://c:1"]);
  });

  test("that was learnt and stays dead is dialled at a slower pace; a configured one is not", () => {
    const { discovery, dialsIn } = setUp(["ws://configured:1"]);
    discovery.start();
    discovery.learn([["c", "ws://c:1"]]);
    for (let attempt = 0; attempt < 610; attempt += 1) {
      for (const address of dialsIn(1000)) discovery.ended(address, failed("refused"));
    }
    const perMinute = { "ws://configured:1": 0, "ws://c:1": 0 } as Record<string, number>;
    for (let second = 0; second < 60; second += 1) {
      for (const address of dialsIn(1000)) {
        perMinute[address]! += 1;
        discovery.ended(address, failed("refused"));
      }
    }
    expect(perMinute["ws://configured:1"]).toBeGreaterThan(50);
    expect(perMinute["ws://c:1"]).toBe(2);
  });
});

describe("a node whose link is gone", () => {
  test("is reported once a round: when every address of it has failed", () => {
    const { discovery, reports, dialsIn, link, unlink } = setUp();
    link(b);
    discovery.learn([
      ["b", "ws://b:1"],
      ["b", "ws://b:2"],
    ]);
    unlink(b);
    expect(dialsIn(0)).toEqual(["ws://b:1", "ws://b:2"]);
    discovery.ended("ws://b:1", failed("refused"));
    discovery.ended("ws://b:1", failed("refused"));
    expect(reports).toEqual([]);
    discovery.ended("ws://b:2", failed("timed out"));
    expect(reports).toEqual(["b@1: timed out"]);
    discovery.ended("ws://b:2", failed("timed out"));
    discovery.ended("ws://b:1", failed("refused"));
    expect(reports).toEqual(["b@1: timed out", "b@1: refused"]);
  });

  test("is not dialled at once if its link was short or it was refused: that would be to spin", () => {
    const { discovery, dialsIn, link, unlink } = setUp(["ws://b:1"]);
    discovery.start();
    dialsIn(0);
    discovery.answered("ws://b:1", b);
    discovery.ended("ws://b:1", BECAME_A_LINK);
    link(b);
    unlink(b, { livedMs: 5 });
    expect(dialsIn(99)).toEqual([]);
    expect(dialsIn(1)).toEqual(["ws://b:1"]);
    discovery.ended("ws://b:1", BECAME_A_LINK);
    link(b);
    unlink(b, { refused: true });
    discovery.redial(b);
    expect(dialsIn(999)).toEqual([]);
    expect(dialsIn(1)).toEqual(["ws://b:1"]);
  });

  test("and of which no address is known is reported after a grace, in which it may dial us", () => {
    const { discovery, reports, link, unlink } = setUp();
    link(b);
    unlink(b);
    for (let ms = 0; ms < 299; ms += 1) {
      discovery.redial(b);
      vi.advanceTimersByTime(1);
    }
    expect(reports).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reports).toEqual(["b@1: no address of b@1 is known"]);
    unlink(b);
    link(b);
    vi.advanceTimersByTime(10_000);
    expect(reports).toHaveLength(1);
  });

  test("is reported when another node answers at its last address", () => {
    const { discovery, reports, dialsIn, link, unlink } = setUp();
    link(b);
    discovery.learn([["b", "ws://b:1"]]);
    unlink(b);
    dialsIn(0);
    discovery.answered("ws://b:1", replicaId("c", 1));
    expect(reports).toEqual(["b@1: another node, c@1, answers at ws://b:1"]);
  });

  test("is reported when a newer life of it takes its place", () => {
    const { discovery, reports, link, unlink } = setUp();
    link(b);
    unlink(b);
    link(replicaId("b", 2));
    expect(reports).toEqual(["b@1: b@2 runs in its place"]);
    discovery.redial(b);
    expect(reports).toEqual(["b@1: b@2 runs in its place", "b@1: b@2 runs in its place"]);
  });

  test("has its lost link remembered until there is another", () => {
    const { discovery, link, unlink } = setUp();
    expect(discovery.lostLinkId(b)).toBeUndefined();
    link(b);
    unlink(b);
    expect(discovery.lostLinkId(b)).toBe("link");
    expect(discovery.lostLinkId(replicaId("b", 2))).toBeUndefined();
    link(b);
    expect(discovery.lostLinkId(b)).toBeUndefined();
  });

  test("is neither dialled nor reported once it is forgotten", () => {
    const { discovery, reports, dialsIn, link, unlink } = setUp();
    link(b);
    discovery.learn([["b", "ws://b:1"]]);
    unlink(b);
    expect(dialsIn(0)).toEqual(["ws://b:1"]);
    discovery.forget("b");
    discovery.ended("ws://b:1", failed("refused"));
    expect(dialsIn(60_000)).toEqual([]);
    expect(reports).toEqual([]);
  });
});

test("what is missed and what is known stays bounded", () => {
  const { discovery, reports } = setUp([], 10);
  for (let number = 0; number < 1000; number += 1) {
    discovery.redial(replicaId(`node ${number}`, 1));
    discovery.learn([[`node ${number}`, `ws://n${number}:1`]]);
  }
  vi.advanceTimersByTime(300);
  expect(reports.length).toBeLessThanOrEqual(10);
  discovery.stop();
  expect(vi.getTimerCount()).toBe(0);
});

describe("addresses behind names", () => {
  const x = "ws://x:1";
  const named = (...addresses: string[]) => new Map(addresses.map((address) => [address, "mesh"]));

  test("are dialled at once, and no more once the name does not stand for them", () => {
    const { discovery, dialsIn } = setUp();
    discovery.start();
    discovery.takeNames(named(x, "ws://y:1"));
    expect(dialsIn(0)).toEqual([x, "ws://y:1"]);
    expect(discovery.nameFor(x)).toBe("mesh");
    discovery.takeNames(named("ws://y:1"));
    discovery.ended(x, failed("gone"));
    discovery.ended("ws://y:1", failed("late"));
    expect(new Set(dialsIn(60_000))).toEqual(new Set(["ws://y:1"]));
    expect(discovery.nameFor(x)).toBeUndefined();
  });

  test("stay when somebody answered there, until that node is forgotten", () => {
    const { discovery, dialsIn, link, unlink } = setUp();
    discovery.takeNames(named(x));
    expect(dialsIn(0)).toEqual([x]);
    discovery.answered(x, b);
    discovery.ended(x, BECAME_A_LINK);
    link(b);
    discovery.takeNames(named());
    unlink(b);
    expect(dialsIn(100)).toEqual([x]);
    discovery.forget("b");
    discovery.ended(x, failed("gone"));
    expect(dialsIn(600_000)).toEqual([]);
  });

  test("of a node that is forgotten are dialled as long as the name stands for them", () => {
    const { discovery, dialsIn, link, unlink } = setUp();
    discovery.takeNames(named(x));
    expect(dialsIn(0)).toEqual([x]);
    discovery.answered(x, b);
    discovery.ended(x, BECAME_A_LINK);
    link(b);
    unlink(b);
    discovery.forget("b");
    expect(dialsIn(100)).toEqual([x]);
    discovery.takeNames(named());
    discovery.ended(x, failed("gone"));
    expect(dialsIn(600_000)).toEqual([]);
  });

  test("are asked for again when a peer is lost or missed, and when one of them fails", () => {
    const { discovery, dialsIn, refreshes, link, unlink } = setUp(["ws://configured:1"]);
    discovery.takeNames(named(x));
    expect(dialsIn(0)).toEqual([x]);
    discovery.ended("ws://configured:1", failed("refused"));
    expect(refreshes).toHaveLength(0);
    discovery.ended(x, failed("refused"));
    expect(refreshes).toHaveLength(1);
    link(b);
    unlink(b);
    expect(refreshes).toHaveLength(2);
    discovery.redial(b);
    expect(refreshes).toHaveLength(3);
  });

  test("that lead to ourselves are left alone for a minute", () => {
    const { discovery, dialsIn } = setUp();
    discovery.takeNames(named(x));
    expect(dialsIn(0)).toEqual([x]);
    discovery.ended(x, refusedWith("SELF"));
    expect(dialsIn(59_000)).toEqual([]);
    expect(dialsIn(1_000)).toEqual([x]);
  });

  test("do not make the book grow beyond its bound", () => {
    const { discovery, dialsIn } = setUp([], 3);
    discovery.takeNames(named("ws://1:1", "ws://2:1", "ws://3:1", "ws://4:1"));
    expect(dialsIn(0)).toHaveLength(3);
  });
});
