/** What the dashboard makes of what it is told: rates, facts, the verdict, the feed. No browser, no clock. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FactsOnPage, pageModule } from "./page-modules.ts";

const { RateMeter, RateMeters, History, LastMinute } = await pageModule("dashboard/rates.js");
const { runsOf } = await pageModule("dashboard/sparkline.js");
const { ClusterFacts } = await pageModule("dashboard/cluster-facts.js");
const { healthOf } = await pageModule("dashboard/health.js");
const { Notices } = await pageModule("dashboard/notices.js");
const { visible } = await pageModule("visible.js");
const { bytes, short, milliseconds, plural } = await pageModule("numbers.js");

describe("a rate", () => {
  it("is never negative and never invented, whatever the counter and the clock do", () => {
    const step = fc.record({ waitMs: fc.integer({ min: 0, max: 9_000 }), value: fc.nat(1_000_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const meter = new RateMeter();
        let nowMs = 0;
        for (const { waitMs, value } of steps) {
          nowMs += waitMs;
          meter.add(nowMs, value);
          const rate = meter.perSecond(nowMs);
          if (rate !== undefined) expect(rate >= 0 && Number.isFinite(rate)).toBe(true);
          expect(meter.perSecond(nowMs + 4_001)).toBeUndefined();
        }
      }),
    );
  });

  it("is the average of the last seconds", () => {
    const meter = new RateMeter();
    for (let second = 0; second <= 20; second++)
      meter.add(second * 1_000, second < 10 ? 0 : (second - 10) * 100);
    expect(meter.perSecond(20_000)).toBe(100);
  });

  it("starts again with another life of the counter", () => {
    const meter = new RateMeter();
    meter.add(0, 1_000, "a");
    meter.add(1_000, 5_000, "b");
    expect(meter.perSecond(1_000)).toBeUndefined();
    meter.add(2_000, 5_010, "b");
    expect(meter.perSecond(2_000)).toBe(10);
  });

  it("of something that is not told of any more is forgotten", () => {
    const meters = new RateMeters();
    meters.add(0, [
      ["a", 0],
      ["b", 0],
    ]);
    meters.add(1_000, [
      ["a", 7],
      ["b", 1],
    ]);
    expect(meters.totalPerSecond(1_000)).toBe(8);
    meters.add(2_000, [["a", 7]]);
    expect([meters.size, meters.perSecond("b", 2_000)]).toEqual([1, undefined]);
  });

  it("leaves a bounded history, with gaps where nothing was known", () => {
    const history = new History({ spanMs: 10_000, pointsMax: 8 });
    for (let second = 0; second < 1_000; second++)
      history.add(second * 1_000, second % 4 === 0 ? undefined : second);
    expect(history.points).toHaveLength(8);
    expect(runsOf(history.points).map((run) => run.map(({ atMs }) => atMs / 1_000))).toEqual([
      [993, 994, 995],
      [997, 998, 999],
    ]);
    expect(
      runsOf([
        { atMs: 0, value: 1 },
        { atMs: 60_000, value: 1 },
      ]),
    ).toHaveLength(2);
  });

  it("of the last minute forgets what is older", () => {
    const minute = new LastMinute();
    for (let second = 0; second < 600; second++) minute.add(second * 1_000, 2);
    expect(minute.count(599_000)).toBe(120);
    expect(minute.count(700_000)).toBe(0);
  });
});

const counters = { divergences: 0, nameConflicts: 0 };

function replica(id: string, status: string, more: object = {}) {
  const linked = status === "up";
  const facts = { events: 10, entries: 2, heardAgoMs: 100, linked, agrees: linked ? true : null };
  return { ...facts, replica: id, node: id.split("@")[0], status, agreedAgoMs: linked ? 100 : null, ...more };
}

const link = (id: string, bytesSent: number, openForMs: number) => ({
  replica: id,
  bytesSent,
  bytesReceived: 2 * bytesSent,
  openForMs,
  bufferedBytes: 0,
});

function reportOf(replicas: object[], more: object = {}) {
  const self = replica("n1@1", "self", { linked: false, agrees: null, agreedAgoMs: null });
  return {
    node: "n1",
    replica: "n1@1",
    ready: true,
    links: [],
    counters,
    sync: null,
    replicas: [self, ...replicas],
    ...more,
  };
}

function outlook(
  id: string,
  sees: readonly (readonly [string, string, boolean, number?])[],
  more: object = {},
) {
  return {
    ...{ replica: id, roundTripMs: 1.5, askedAgoMs: 0, failure: null },
    outlook: {
      ...{ version: "0.1.0", ready: true, sync: null },
      sees: sees.map(([seen, status, linked, events = 10]) => ({ replica: seen, status, linked, events })),
      ...more,
    },
  };
}

function factsOf(replicas: object[], more: object = {}, peers: object[] = []): FactsOnPage {
  const facts = new ClusterFacts(0);
  facts.reported(reportOf(replicas, more), 1_000);
  facts.surveyed({ version: "0.1.0", peers }, 1_000);
  return facts;
}

describe("the facts", () => {
  it("put this node first, then what needs looking at, then the others by name", () => {
    const facts = factsOf([
      replica("n10@1", "up"),
      replica("n2@1", "up"),
      replica("n3@1", "down"),
      replica("n3@2", "up", { linked: false }),
      replica("n4@1", "suspect"),
      replica("n5@1", "down"),
    ]);
    const order = facts.replicas(1_000).map((each) => each.replica);
    expect(order).toEqual(["n1@1", "n5@1", "n4@1", "n3@2", "n2@1", "n10@1", "n3@1"]);
    expect(facts.entries()).toBe(2 * 5);
  });

  it("let ages grow while the node answers, and freeze and doubt everything once it does not", () => {
    const facts = factsOf([replica("n2@1", "up")], {}, [outlook("n2@1", [["n2@1", "self", false, 14]])]);
    const [, fresh] = facts.replicas(3_000);
    expect(fresh).toMatchObject({
      heardAgoMs: 2_100,
      agrees: true,
      roundTripMs: 1.5,
      behind: 4,
      silent: false,
    });
    const [, stale] = facts.replicas(60_000);
    expect(stale).toMatchObject({
      heardAgoMs: 100,
      agrees: undefined,
      roundTripMs: undefined,
      behind: undefined,
      silent: true,
    });
    expect(facts.mesh(60_000).nodes.map(({ status }) => status)).toEqual(["silent", "unknown"]);
    expect(facts.sentPerSecond(60_000)).toBeUndefined();
  });

  it("give rates of links, and none across a new link", () => {
    const facts = new ClusterFacts(0);
    const at = (nowMs: number, bytesSent: number, openForMs: number) =>
      facts.reported(
        reportOf([replica("n2@1", "up")], { links: [link("n2@1", bytesSent, openForMs)] }),
        nowMs,
      );
    at(1_000, 500, 1_000);
    at(2_000, 1_500, 2_000);
    expect(facts.replicas(2_000)[1]).toMatchObject({ outPerSecond: 1_000, inPerSecond: 2_000 });
    expect(facts.sentPerSecond(2_000)).toBe(1_000);
    // It was lost and opened anew, and has sent more than the one before in the meantime.
    at(8_000, 9_000, 2_000);
    expect(facts.replicas(8_000)[1]).toMatchObject({ outPerSecond: undefined });
  });

  it("tell of links between others what they say, and nothing of those who say nothing", () => {
    const up = [replica("n2@1", "up"), replica("n3@1", "up"), replica("n4@1", "up")];
    const facts = factsOf(up, {}, [
      outlook("n2@1", [["n3@1", "up", false]]),
      outlook("n3@1", [["n2@1", "up", false]]),
    ]);
    const links = facts.mesh(1_000).links.map(({ a, b, status }) => `${a} ${b} ${status}`);
    expect(links).toEqual(["n1 n2 up", "n1 n3 up", "n1 n4 up", "n2 n3 indirect"]);
    expect(facts.mesh(12_000).links.some(({ a }) => a === "n2")).toBe(false);
  });
});

describe("the verdict", () => {
  const of = (replicas: object[], more?: object, peers?: object[], nowMs = 1_500) => {
    const { level, title, concerns } = healthOf(factsOf(replicas, more, peers), nowMs);
    return [level, title, ...concerns.map(({ text }) => text)];
  };
  const n2 = replica("n2@1", "up");

  it.each<[string, object[], object, object[], string[]]>([
    ["all is well", [n2], {}, [], ["good", "All 2 replicas are up and agree with n1"]],
    ["it is alone", [], {}, [], ["good", "n1 is the only replica it knows"]],
    ["one is down", [replica("n2@1", "down")], {}, [], ["bad", "n2 is down"]],
    [
      "the worst comes first",
      [replica("n2@1", "suspect"), replica("n3@1", "down")],
      {},
      [],
      ["bad", "n3 is down", "n2 is suspected to be down"],
    ],
    ["it is not ready", [n2], { ready: false, notReadyReason: "…" }, [], ["warn", "n1 is not ready"]],
    [
      "one is relayed",
      [replica("n2@1", "up", { linked: false })],
      {},
      [],
      ["warn", "n1 has no link with n2"],
    ],
    [
      "one differs for long",
      [replica("n2@1", "up", { agrees: false, agreedAgoMs: 9_000 })],
      {},
      [],
      ["warn", "n2 and n1 do not agree"],
    ],
    [
      "one differs while changes travel",
      [replica("n2@1", "up", { agrees: false, agreedAgoMs: 500 })],
      {},
      [],
      ["good", "All 2 replicas are up and agree with n1"],
    ],
    [
      "an earlier life is remembered",
      [replica("n2@1", "down"), replica("n2@2", "up")],
      {},
      [],
      ["good", "All 2 replicas are up and agree with n1", "An earlier life of n2 is still remembered"],
    ],
    [
      "another one is catching up",
      [n2],
      {},
      [outlook("n2@1", [], { ready: false, sync: { from: "n1@1", entriesReceived: 1, entriesExpected: 9 } })],
      ["warn", "n2 is not ready"],
    ],
    [
      "versions differ",
      [n2],
      {},
      [outlook("n2@1", [], { version: "0.2.0" })],
      ["good", "All 2 replicas are up and agree with n1", "Replicas run different versions: 0.1.0, 0.2.0"],
    ],
    [
      "states diverged",
      [n2],
      { counters: { ...counters, divergences: 2 } },
      [],
      [
        "good",
        "All 2 replicas are up and agree with n1",
        "Replicas with the same events held different states",
      ],
    ],
    [
      "two others have no link",
      [n2, replica("n3@1", "up")],
      {},
      [outlook("n2@1", [["n3@1", "up", false]])],
      ["warn", "n2 and n3 have no link with each other"],
    ],
  ])("when %s", (_, replicas, more, peers, expected) => {
    expect(of(replicas, more, peers)).toEqual(expected);
  });

  it("is that nothing is known once the node is silent, and says since when", () => {
    const facts = factsOf([n2]);
    const { level, title, detail, concerns } = healthOf(facts, 21_000);
    expect([level, title, concerns]).toEqual(["bad", "n1 is not answering", []]);
    expect(detail).toMatch(/^for 20 s/);
    expect(healthOf(new ClusterFacts(0), 1_000).level).toBe("unknown");
    expect(healthOf(new ClusterFacts(0), 10_000)).toMatchObject({ level: "bad", detail: "for 10 s" });
  });
});

describe("the feed", () => {
  const notice = (number: number, type: string, atMs = 1_000, more: object = {}) => ({
    ...{ number, atMs, type, level: "info", message: `${type} ${number}`, facts: {}, skipped: 0 },
    ...more,
  });

  it("is the state and the notices after it, newest first, and takes none after a gap", () => {
    const notices = new Notices();
    notices.reset(
      { number: 2, nowMs: 5_000, notices: [notice(1, "replica-up"), notice(2, "synced")] },
      5_000,
    );
    expect(notices.apply(notice(3, "replica-down", 6_000))).toBe(true);
    expect(notices.apply(notice(5, "replica-up", 7_000))).toBe(false);
    expect(notices.list().map(({ message }) => message)).toEqual([
      "replica-down 3",
      "synced 2",
      "replica-up 1",
    ]);
    expect(notices.list("sync").map(({ message }) => message)).toEqual(["synced 2"]);
    expect([notices.count("ups", 7_000), notices.count("downs", 7_000)]).toEqual([1, 1]);
    expect(notices.count("nodes", 70_000)).toBe(0);
  });

  it("shows the times of a node whose clock is wrong by the clock of the page", () => {
    const notices = new Notices();
    notices.reset({ number: 1, nowMs: 1_000_000, notices: [notice(1, "synced", 999_000)] }, 50_000);
    expect(notices.list()[0]?.atMs).toBe(49_000);
  });

  it("says once what is told twice, and keeps what was done here", () => {
    const notices = new Notices();
    notices.did({ ok: true, message: "n2 was forgotten" }, 900);
    notices.reset({ number: 2, nowMs: 0, notices: [notice(1, "peer-linked"), notice(2, "linked")] }, 0);
    expect(notices.list().map(({ message }) => message)).toEqual(["linked 2", "n2 was forgotten"]);
    expect(notices.list("actions")).toHaveLength(1);
  });

  it("stays bounded, and counts what was left out of a flood", () => {
    const notices = new Notices();
    notices.reset({ number: 0, nowMs: 0, notices: [] }, 0);
    for (let number = 1; number <= 1_000; number++) notices.apply(notice(number, "refused", number));
    expect(notices.list()).toHaveLength(200);
    notices.apply(notice(1_001, "refused", 1_001, { skipped: 5_000 }));
    expect(notices.count("other", 1_001)).toBe(5_000);
  });
});

describe("words", () => {
  it("of others show what cannot be seen", () => {
    expect(visible("a\u202eb\u0000c\u200bd")).toBe("a⟨202e⟩b⟨0000⟩c⟨200b⟩d");
    expect(visible("👩‍👩‍👧 Zoë <b> مرحبا \ud800")).toBe("👩‍👩‍👧 Zoë <b> مرحبا ⟨d800⟩");
  });

  it.each([
    [bytes(0), "0 B"],
    [bytes(999), "999 B"],
    [bytes(1_449), "1.4 kB"],
    [bytes(999_960), "1.0 MB"],
    [bytes(123_456_789), "123 MB"],
    [milliseconds(0.4), "0.40 ms"],
    [milliseconds(9.997), "10 ms"],
    [milliseconds(2_340), "2.3 s"],
    [short(0.04), "0"],
    [short(3.14), "3.1"],
    [short(5_000), "5,000"],
    [short(12_345), "12.3K"],
    [plural(1, "key"), "1 key"],
    [plural(2_000, "entry", "entries"), "2,000 entries"],
  ])("for numbers are short: %s", (said, expected) => {
    expect(said).toBe(expected);
  });
});
