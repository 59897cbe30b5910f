/** What heartbeats carry, to whom and when, and what two digests show. */
import { type ReplicaId, replicaId } from "@presently/crdt";
import { describe, expect, test } from "vitest";
import { Content } from "./content.ts";
import { newCounters } from "./counters.ts";
import { compare, digestHash, hasAll } from "./digest.ts";
import { Entry } from "./entry.ts";
import { Gossip } from "./gossip.ts";
import { Membership } from "./membership.ts";
import type { HeartbeatMessage, OriginSummary } from "./messages.ts";
import { type ReplicaOptions, resolveReplicaOptions, seededRandom } from "./options.ts";
import { Peer } from "./peer.ts";

const [A, B, C, D] = ["a", "b", "c", "d"].map((name) => replicaId(name, 1)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
];

/** Replica a, which knows b, c and d. */
class Beating {
  readonly sent: { peers: readonly ReplicaId[]; message: HeartbeatMessage }[] = [];
  readonly content: Content;
  readonly membership: Membership;
  readonly gossip: Gossip;

  constructor(options: Partial<ReplicaOptions> = {}) {
    const settings = resolveReplicaOptions({
      name: "a",
      incarnation: 1,
      random: seededRandom("a"),
      ...options,
    });
    const nothing = () => undefined;
    this.content = new Content(A, settings, newCounters(), {
      counted: () => true,
      changed: nothing,
      wake: nothing,
      notice: nothing,
    });
    this.membership = new Membership(A, settings, {
      shown: nothing,
      hidden: nothing,
      evicted: (replica, reason) => this.content.forget(replica, reason),
      evictionForgotten: nothing,
      probe: nothing,
      redial: nothing,
      newerSelf: nothing,
      changed: nothing,
      notice: nothing,
    });
    this.gossip = new Gossip(this.content, this.membership, settings, (peers, message) =>
      this.sent.push({ peers, message }),
    );
    for (const replica of [B, C, D]) this.membership.learn({ replica, counter: 1, agoMs: 0 }, replica, 0);
  }

  /** Takes in `count` events of `origin`, of which the last `removed` are without an entry. */
  hear(origin: ReplicaId, count: number, removed = 0): void {
    const numbers = Array.from({ length: count - removed }, (_, index) => index + 1);
    const values = numbers.map((number) => new Entry(origin, number, "t", "k", {}, 0, number));
    this.content.set.apply({ origin, from: 0, to: count, numbers, values, removals: [] });
    this.gossip.touch();
  }

  beat(peers: readonly Peer[], now = 0) {
    this.gossip.beat(peers, now);
    return this.sent.splice(0);
  }

  /** What this replica would say of itself. */
  get word(): HeartbeatMessage {
    return this.beat([new Peer(D)])[0]!.message;
  }
}

const summary = (replica: ReplicaId, vector: number, hash: number): OriginSummary => ({
  replica,
  vector,
  hash,
});
const mapOf = (...summaries: OriginSummary[]) => new Map(summaries.map((one) => [one.replica, one]));
const everybody = () => true;

describe("a heartbeat", () => {
  test("carries the digest once to each peer, and its hash while nothing changes", () => {
    const beating = new Beating();
    beating.hear(B, 3);
    const [b, c] = [new Peer(B), new Peer(C)];
    const [first] = beating.beat([b]);
    expect(first!.peers).toEqual([B]);
    expect(first!.message.digest).toMatchObject([{ replica: B, vector: 3 }]);
    const second = beating.beat([b, c]);
    expect(second.map(({ peers, message }) => [peers, message.digest === undefined])).toEqual([
      [[C], false],
      [[B], true],
    ]);
    for (const { message } of second) expect(message.digestHash).toBe(first!.message.digestHash);
    const third = beating.beat([b, c]);
    expect(third.map(({ peers, message }) => [peers, message.digest])).toEqual([[[B, C], undefined]]);
    beating.hear(C, 1);
    const [fourth] = beating.beat([b, c]);
    expect(fourth!.peers).toEqual([B, C]);
    expect(fourth!.message.digest).toHaveLength(2);
    expect(fourth!.message.digestHash).not.toBe(first!.message.digestHash);
    expect(beating.beat([])).toEqual([]);
  });

  test("counts up, whoever it goes to", () => {
    const beating = new Beating();
    const peers = [new Peer(B), new Peer(C)];
    const counters = [peers, peers.slice(0, 1), peers].flatMap((peers) =>
      beating.beat(peers).map(({ message }) => message.counter),
    );
    expect(counters).toEqual([1, 2, 3]);
  });

  test("says of others what advanced since the last round, and everything to whom it gives the digest", () => {
    const beating = new Beating();
    const b = new Peer(B);
    const round = (now: number) => {
      beating.gossip.tick([b], now);
      return beating.sent
        .splice(0)
        .map(({ message }) => message.heard.map(({ replica, agoMs }) => [replica, agoMs]));
    };
    const start = beating.gossip.tick([b], 0);
    expect(start).toBeLessThanOrEqual(1_000);
    expect(round(start)).toEqual([
      [
        [B, start],
        [C, start],
        [D, start],
      ],
    ]);
    beating.membership.learn({ replica: C, counter: 2, agoMs: 0 }, C, start + 600);
    expect(round(start + 1_000)).toEqual([[[C, 400]]]);
    expect(round(start + 2_000)).toEqual([[]]);
  });

  test("says nothing of those who were forgotten, and of those who are leaving only what they have left", () => {
    const beating = new Beating();
    for (const replica of [B, C, D]) beating.hear(replica, 2);
    beating.membership.left(B, 60_000, 0);
    beating.membership.evictNow(C);
    beating.gossip.touch();
    const { heard, digest } = beating.word;
    expect(heard.map(({ replica }) => replica)).toEqual([D]);
    expect(digest!.map(({ replica }) => replica)).toEqual([B, D]);
  });

  test("says of one that is down what it knows: it is followed until it is forgotten", () => {
    const beating = new Beating();
    beating.hear(B, 2);
    beating.membership.tick(5_000);
    expect(beating.membership.get(B)!.status).toBe("down");
    const { message } = beating.beat([new Peer(D)], 6_000)[0]!;
    expect(message.heard).toContainEqual({ replica: B, counter: 1, agoMs: 6_000 });
    expect(message.digest).toMatchObject([{ replica: B, vector: 2 }]);
  });

  test("goes out once every interval, first at some time within it, and not for every tick", () => {
    const firsts = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const beating = new Beating({ random: seededRandom(`${seed}`) });
      const first = beating.gossip.tick([new Peer(B)], 100);
      expect(first).toBeGreaterThanOrEqual(100);
      expect(first).toBeLessThanOrEqual(1_100);
      firsts.add(first);
      if (first === 100) continue;
      expect(beating.gossip.tick([new Peer(B)], first - 1)).toBe(first);
      expect(beating.sent).toEqual([]);
      expect(beating.gossip.tick([new Peer(B)], first)).toBe(first + 1_000);
      expect(beating.gossip.tick([new Peer(B)], first + 10)).toBe(first + 1_000);
      expect(beating.sent).toHaveLength(1);
    }
    expect(firsts.size).toBeGreaterThan(25);
  });

  test("goes to all peers of a small cluster, and to a few others each time in a large one", () => {
    const peers = Array.from({ length: 20 }, (_, index) => new Peer(replicaId(`n${index}`, 1)));
    for (const heartbeatFanout of [1, 5, 19, 20, 30]) {
      const beating = new Beating({ heartbeatFanout });
      const reached = new Map<ReplicaId, number>();
      const rounds = 200;
      for (let now = beating.gossip.tick(peers, 0), round = 0; round < rounds; round++) {
        now = beating.gossip.tick(peers, now);
        const partners = beating.sent.splice(0).flatMap(({ peers }) => peers);
        expect(new Set(partners).size).toBe(Math.min(heartbeatFanout, peers.length));
        expect(partners).toHaveLength(Math.min(heartbeatFanout, peers.length));
        for (const partner of partners) reached.set(partner, (reached.get(partner) ?? 0) + 1);
      }
      // Nobody is forgotten, and nobody preferred.
      const expected = (rounds * Math.min(heartbeatFanout, peers.length)) / peers.length;
      for (const { id } of peers) expect(Math.abs(reached.get(id)! - expected)).toBeLessThanOrEqual(expected);
    }
  });
});

describe("hearing one", () => {
  const agreed = (beating: Beating, peer: Peer, message: HeartbeatMessage, now = 100) => [
    beating.gossip.hear(peer, message, now),
    peer.agrees,
    peer.agreedAt,
  ];

  test("with our own hash, the two agree", () => {
    const [here, there] = [new Beating(), new Beating()];
    for (const beating of [here, there]) beating.hear(C, 3);
    const peer = new Peer(B);
    expect(agreed(here, peer, there.word)).toEqual(["same", true, 100]);
    expect(agreed(here, peer, { ...there.word, digest: undefined }, 200)).toEqual(["same", true, 200]);
  });

  test("with more or fewer events, they do not; with the same events and another state, they diverge", () => {
    const here = new Beating();
    here.hear(C, 3);
    for (const [count, removed, finding] of [
      [4, 0, undefined],
      [2, 0, undefined],
      [3, 1, "diverging"],
    ] as const) {
      const there = new Beating();
      there.hear(C, count, removed);
      const peer = new Peer(B);
      expect(agreed(here, peer, there.word)).toEqual([finding, false, undefined]);
      // The digest need not be sent again to be told by its hash.
      expect(agreed(here, peer, { ...there.word, digest: undefined })).toEqual([finding, false, undefined]);
    }
  });

  test("with other words for what no longer counts here, they agree", () => {
    const [here, there] = [new Beating(), new Beating()];
    for (const beating of [here, there]) beating.hear(C, 3);
    there.hear(D, 5);
    here.membership.left(D, 0, 0);
    expect(agreed(here, new Peer(B), there.word)).toEqual([undefined, true, 100]);
  });

  test("that knows more of us than we have done is of an earlier life of ours", () => {
    const [here, there] = [new Beating(), new Beating()];
    here.content.locals.open(undefined).track("t", "k", {});
    here.content.set.takeDelta();
    here.gossip.touch();
    const { digest, ...word } = there.word;
    for (const [vector, finding] of [
      [1, undefined],
      [2, "knows-more-of-us"],
    ] as const) {
      const claims = [...digest!, summary(A, vector, 5)];
      expect(here.gossip.hear(new Peer(B), { ...word, digestHash: 1, digest: claims }, 100)).toBe(
        vector === 1 ? "diverging" : finding,
      );
    }
  });

  test("advances the counters of all that it tells of", () => {
    const here = new Beating();
    const word = { ...here.word, counter: 9, heard: [{ replica: C, counter: 7, agoMs: 300 }] };
    here.gossip.hear(new Peer(B), word, 2_000);
    expect(here.membership.get(B)).toMatchObject({ counter: 9, heardAt: 2_000, heardFrom: B });
    expect(here.membership.get(C)).toMatchObject({ counter: 7, heardAt: 1_700, heardFrom: B });
  });

  test("what a peer no longer claims, it is no longer asked for", () => {
    const here = new Beating();
    const peer = new Peer(B);
    const word = here.word;
    here.gossip.hear(peer, { ...word, digestHash: 1, digest: [summary(C, 5, 1), summary(D, 2, 1)] }, 100);
    peer.claim(D, 3);
    peer.claim(D, 1);
    expect([...peer.claims]).toEqual([
      [C, 5],
      [D, 3],
    ]);
    here.gossip.hear(peer, { ...word, digestHash: 2, digest: [summary(D, 4, 1)] }, 200);
    expect([...peer.claims]).toEqual([[D, 4]]);
    expect([...peer.olderClaims]).toEqual([
      [C, 5],
      [D, 3],
    ]);
  });
});

describe("two digests", () => {
  test("show who lacks what, and whether something is wrong", () => {
    const own = mapOf(summary(A, 3, 30), summary(B, 2, 20));
    const table: readonly [ReturnType<typeof mapOf>, Partial<ReturnType<typeof compare>>][] = [
      [own, { lacking: false, agreeing: true, diverging: false }],
      [mapOf(summary(B, 2, 20), summary(A, 3, 30)), { agreeing: true }],
      [mapOf(summary(A, 4, 40), summary(B, 2, 20)), { lacking: true, agreeing: false, diverging: false }],
      [mapOf(...own.values(), summary(C, 1, 10)), { lacking: true, agreeing: false, diverging: false }],
      [mapOf(summary(A, 2, 20), summary(B, 2, 20)), { lacking: false, agreeing: false, diverging: false }],
      [mapOf(summary(A, 3, 30)), { lacking: false, agreeing: false, diverging: false }],
      [mapOf(), { lacking: false, agreeing: false, diverging: false }],
      [mapOf(summary(A, 3, 31), summary(B, 2, 20)), { lacking: false, agreeing: false, diverging: true }],
      // Other hashes say nothing while other events do.
      [mapOf(summary(A, 3, 31), summary(B, 3, 20)), { lacking: true, agreeing: false, diverging: false }],
      [mapOf(summary(A, 3, 31), summary(B, 1, 20)), { lacking: false, agreeing: false, diverging: false }],
    ];
    for (const [theirs, expected] of table) expect(compare(own, theirs, everybody)).toMatchObject(expected);
    // Who does not count makes no difference on either side.
    const withoutB = (replica: ReplicaId) => replica !== B;
    expect(compare(own, mapOf(summary(A, 3, 30), summary(B, 9, 1)), withoutB).agreeing).toBe(true);
    expect(compare(own, mapOf(summary(A, 3, 30)), withoutB).agreeing).toBe(true);
    // An origin without events is as good as none.
    expect(compare(mapOf(summary(A, 0, 0)), mapOf(), everybody).agreeing).toBe(true);
    expect(compare(mapOf(), mapOf(summary(A, 0, 0)), everybody)).toMatchObject({ lacking: false });
  });

  test("have one hash if they say the same, in whatever order, and hardly ever if not", () => {
    const summaries = [A, B, C, D].map((replica, index) => summary(replica, index + 1, index * 7));
    expect(digestHash([...summaries].reverse())).toBe(digestHash(summaries));
    expect(digestHash([])).toBe(0);
    const hashes = new Set<number>();
    let count = 0;
    for (const replica of [A, B, C]) {
      for (let vector = 1; vector < 40; vector++) {
        for (let hash = 0; hash < 40; hash++) {
          hashes.add(digestHash([summary(replica, vector, hash), summary(D, hash, vector)]));
          count++;
        }
      }
    }
    expect(hashes.size).toBe(count);
    expect([...hashes].every((hash) => Number.isSafeInteger(hash) && hash >= 0)).toBe(true);
  });

  test("are covered by a set that has all their events", () => {
    const { content } = new Beating();
    content.set.apply({ origin: B, from: 0, to: 3, numbers: [], values: [], removals: [] });
    expect(hasAll(content.set, [[B, 3]], everybody)).toBe(true);
    expect(hasAll(content.set, [[B, 4]], everybody)).toBe(false);
    expect(hasAll(content.set, [[C, 1]], everybody)).toBe(false);
    expect(hasAll(content.set, [[C, 1]], (replica) => replica !== C)).toBe(true);
    expect(hasAll(content.set, [], everybody)).toBe(true);
  });
});
