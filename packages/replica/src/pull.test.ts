/** Who is asked, when and for what; and how an answer is cut into parts, put together, and taken over by another peer. */
import { ObservedRemoveSet, type ReplicaId, replicaId } from "@presently/crdt";
import { describe, expect, test } from "vitest";
import { encodeMessage } from "./codec.ts";
import { Entry } from "./entry.ts";
import { ProtocolError } from "./errors.ts";
import { Giver } from "./giver.ts";
import type { PullMessage, SyncMessage } from "./messages.ts";
import { type ReplicaOptions, resolveReplicaOptions } from "./options.ts";
import { Peer } from "./peer.ts";
import { Puller } from "./puller.ts";

const [A, B, C, D] = ["a", "b", "c", "d"].map((name) => replicaId(name, 1)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
];

function newSet(id: ReplicaId, logSizeMax = 1): ObservedRemoveSet<Entry> {
  return new ObservedRemoveSet<Entry>(
    id,
    { inserted: () => undefined, deleted: () => undefined },
    { logSizeMax },
  );
}

/** Adds entries, each in a delta of its own, so that a short log forgets them. */
function fill(set: ObservedRemoveSet<Entry>, count: number): void {
  for (let index = 0; index < count; index++) {
    const number = set.nextNumber;
    set.add(new Entry(set.replica, number, "t", `k${number}`, { number }, 0, number));
    set.takeDelta();
  }
}

/** Makes `to` know everything of `from`. */
function copy(from: ObservedRemoveSet<Entry>, to: ObservedRemoveSet<Entry>): void {
  expect(to.merge(from.snapshot())).toBe("merged");
}

class Giving {
  readonly sent: { peer: ReplicaId; message: SyncMessage }[] = [];
  readonly congested = new Set<ReplicaId>();
  readonly giver: Giver;

  constructor(set: ObservedRemoveSet<Entry>, options: Partial<ReplicaOptions> = {}) {
    this.giver = new Giver(set, resolveReplicaOptions({ name: "x", incarnation: 1, ...options }), {
      send: (peer, message) => this.sent.push({ peer, message }),
      congested: (peer) => this.congested.has(peer),
    });
  }

  /** The whole answer to a pull. */
  answer(pull: PullMessage, peer = D): SyncMessage[] {
    expect(this.giver.serve(peer, pull)).toBe(true);
    while (this.giver.pump());
    return this.sent.splice(0).map(({ message }) => message);
  }
}

class Pulling {
  readonly set: ObservedRemoveSet<Entry>;
  readonly puller: Puller;
  readonly pulls: { peer: ReplicaId; message: PullMessage }[] = [];
  readonly told: string[] = [];
  readonly strangers = new Set<ReplicaId>();
  readonly links = new Set<ReplicaId>();

  constructor(id = D, options: Partial<ReplicaOptions> = {}) {
    this.set = newSet(id);
    this.puller = new Puller(this.set, resolveReplicaOptions({ name: "x", incarnation: 1, ...options }), {
      send: (peer, message) => this.pulls.push({ peer, message }),
      knows: (replica) => !this.strangers.has(replica),
      linked: (replica) => this.links.has(replica),
      timedOut: (peer) => this.told.push(`timed out ${peer}`),
      merged: (peer, complete) => this.told.push(`${complete ? "merged" : "incomplete"} ${peer}`),
      progressed: ({ entriesReceived, entriesExpected }) =>
        this.told.push(`${entriesReceived} of ${entriesExpected}`),
      finished: (peer) => this.told.push(`finished ${peer}`),
    });
  }

  /** A peer that claims all that `set` has. */
  peer(set: ObservedRemoveSet<Entry>): Peer {
    const peer = new Peer(set.replica);
    peer.take([...set.digest()].map(([replica, { vector, hash }]) => ({ replica, vector, hash })));
    return peer;
  }

  pull(peer: Peer, now = 0): PullMessage {
    this.puller.start(peer, now);
    return this.pulls.at(-1)!.message;
  }

  take(from: ReplicaId, messages: readonly SyncMessage[], now = 0): void {
    for (const message of messages) this.puller.receive(from, message, now);
  }
}

const entriesIn = (messages: readonly SyncMessage[]) =>
  messages.flatMap(({ entries }) => entries.flatMap(({ numbers }) => numbers));

describe("asking", () => {
  test("one peer at a time, the first that has more, and nobody who has nothing new", () => {
    const [a, b] = [newSet(A), newSet(B)];
    fill(b, 3);
    const pulling = new Pulling();
    const peers = [pulling.peer(a), pulling.peer(b), pulling.peer(b)];
    pulling.puller.consider([peers[0]!], 0);
    expect(pulling.pulls).toEqual([]);
    pulling.puller.consider(peers, 0);
    pulling.puller.consider(peers, 0);
    pulling.puller.start(peers[2]!, 0);
    expect(pulling.pulls).toEqual([
      { peer: B, message: { type: "pull", id: 1, vector: [], staged: [], full: false } },
    ]);
    pulling.take(B, new Giving(b).answer(pulling.pulls[0]!.message));
    expect(pulling.told).toEqual([`merged ${B}`, `finished ${B}`]);
    expect(pulling.puller.hasCaughtUpWith(peers[1]!)).toBe(true);
    pulling.puller.consider(peers, 0);
    expect(pulling.pulls).toHaveLength(1);
  });

  test("for the whole state where a peer has the same events and another state, and only once", () => {
    const b = newSet(B);
    fill(b, 3);
    const pulling = new Pulling();
    copy(b, pulling.set);
    const peer = pulling.peer(b);
    peer.diverges = true;
    pulling.puller.consider([peer], 0);
    expect(pulling.pulls[0]!.message).toEqual({
      type: "pull",
      id: 1,
      vector: [[B, 3]],
      staged: [],
      full: true,
    });
    pulling.take(B, new Giving(b).answer(pulling.pulls[0]!.message));
    pulling.puller.consider([peer], 0);
    expect(pulling.pulls).toHaveLength(1);
  });

  test("waits for deltas of a replica that we are linked with, until a second digest claims them", () => {
    const [a, b] = [newSet(A), newSet(B)];
    fill(a, 2);
    copy(a, b);
    const pulling = new Pulling();
    pulling.links.add(A).add(B);
    const peer = pulling.peer(b);
    pulling.puller.consider([peer], 0);
    expect(pulling.pulls).toEqual([]);
    peer.take(undefined);
    pulling.puller.consider([peer], 0);
    expect(pulling.pulls).toHaveLength(1);
    // What a peer says of itself needs no second word; nor what it says of one that cannot reach us.
    for (const [set, links] of [
      [a, [A]],
      [b, [B]],
    ] as const) {
      const other = new Pulling();
      for (const link of links) other.links.add(link);
      other.puller.consider([other.peer(set)], 0);
      expect(other.pulls).toHaveLength(1);
    }
  });

  test("does not ask for events of a replica that does not count", () => {
    const b = newSet(B);
    fill(b, 2);
    const pulling = new Pulling();
    pulling.strangers.add(B);
    const peer = pulling.peer(b);
    pulling.puller.consider([peer], 0);
    expect(pulling.pulls).toEqual([]);
    expect(pulling.puller.hasCaughtUpWith(peer)).toBe(true);
  });
});

describe("an answer", () => {
  test("is deltas as far as the log reaches, else the full form; and one empty message if nothing is new", () => {
    const a = newSet(A, 100);
    fill(a, 5);
    const pull = { type: "pull", id: 7, staged: [], full: false } as const;
    const [deltas] = new Giving(a).answer({ ...pull, vector: [[A, 2]] });
    expect(deltas).toMatchObject({ pull: 7, last: true, full: false, entries: [], live: [] });
    // Those that follow each other are one.
    expect(deltas!.deltas.map(({ from, to, numbers }) => [from, to, numbers])).toEqual([[2, 5, [3, 4, 5]]]);
    const [nothing, ...more] = new Giving(a).answer({ ...pull, vector: [[A, 5]] });
    expect(nothing).toMatchObject({ pull: 7, last: true, full: false, deltas: [], entries: [], live: [] });
    expect(more).toEqual([]);
    const short = newSet(A);
    fill(short, 5);
    const full = new Giving(short).answer({ ...pull, vector: [[A, 2]] });
    expect(full.every((message) => message.full && message.deltas.length === 0)).toBe(true);
    expect(entriesIn(full)).toEqual([3, 4, 5]);
    expect(full.at(-1)!.live).toMatchObject([{ replica: A, vector: 5, ranges: [1, 5] }]);
    expect(entriesIn(new Giving(a).answer({ ...pull, vector: [[A, 5]], full: true }))).toEqual([]);
  });

  test("marks its last part, and no other", () => {
    const a = newSet(A);
    fill(a, 300);
    const messages = new Giving(a, { frameBytesTarget: 300 }).answer({
      type: "pull",
      id: 1,
      vector: [],
      staged: [],
      full: false,
    });
    expect(messages.length).toBeGreaterThan(10);
    expect(messages.map(({ last }) => last)).toEqual(
      messages.map((_, index) => index === messages.length - 1),
    );
    expect(entriesIn(messages)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
  });

  test("of deltas comes in frames of about the size that is aimed at, which together do what one would", () => {
    const a = newSet(A, 1_000);
    fill(a, 300);
    for (let number = 1; number <= 100; number++) {
      a.remove([{ origin: A, numbers: [number] }]);
      a.takeDelta();
    }
    const pull = { type: "pull", id: 1, vector: [[A, 10]], staged: [], full: false } as const;
    const frameBytesTarget = 1_000;
    const messages = new Giving(a, { frameBytesTarget }).answer(pull);
    expect(messages.every(({ full, deltas }) => !full && deltas.length === 1)).toBe(true);
    expect(messages.map(({ last }) => last)).toEqual(messages.map((_, at) => at === messages.length - 1));
    const sizes = messages.map((message) => encodeMessage(message).length);
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThan(2 * frameBytesTarget);
    const beginning = newSet(A, 100);
    fill(beginning, 10);
    const asker = newSet(B);
    copy(beginning, asker);
    for (const { deltas } of messages) for (const delta of deltas) expect(asker.apply(delta)).toBe("applied");
    expect(asker.digest()).toEqual(a.digest());
    // Smaller frames are more of them.
    const small = new Giving(a, { frameBytesTarget: frameBytesTarget / 4 }).answer(pull);
    expect(small.length).toBeGreaterThan(2 * messages.length);
  });

  test("tells many ranges in several parts, which are put together again", () => {
    const a = newSet(A);
    fill(a, 20_001);
    for (let number = 2; number <= 20_000; number += 2) a.remove([{ origin: A, numbers: [number] }]);
    a.takeDelta();
    const pulling = new Pulling();
    const messages = new Giving(a).answer(pulling.pull(pulling.peer(a)));
    const parts = messages.flatMap(({ live }) => live);
    expect(parts.length).toBeGreaterThan(1);
    for (const { live } of messages)
      expect(live.reduce((sum, { ranges }) => sum + ranges.length, 0)).toBeLessThan(8_001);
    pulling.take(A, messages);
    expect(pulling.told).toEqual([`merged ${A}`, `finished ${A}`]);
    expect(pulling.set.digest()).toEqual(a.digest());
  });

  test("is of the moment of the question, although the set goes on", () => {
    const a = newSet(A);
    fill(a, 100);
    const pulling = new Pulling();
    const giving = new Giving(a, { frameBytesTarget: 300 });
    expect(giving.giver.serve(D, pulling.pull(pulling.peer(a)))).toBe(true);
    giving.giver.pump();
    a.remove([{ origin: A, numbers: [1, 50, 100] }]);
    fill(a, 10);
    while (giving.giver.pump());
    pulling.take(
      A,
      giving.sent.map(({ message }) => message),
    );
    expect(pulling.told).toEqual([`merged ${A}`, `finished ${A}`]);
    expect(pulling.set.vectorOf(A)).toBe(100);
    expect(pulling.set.entriesOf(A).size).toBe(100);
  });

  test("goes out in turns, and none to a peer that does not keep up", () => {
    const a = newSet(A);
    fill(a, 200);
    const giving = new Giving(a, { frameBytesTarget: 300 });
    const pull: PullMessage = { type: "pull", id: 1, vector: [], staged: [], full: false };
    giving.giver.serve(B, pull);
    giving.giver.serve(C, pull);
    expect(giving.giver.pump()).toBe(true);
    const to = (peer: ReplicaId) => giving.sent.filter((sent) => sent.peer === peer).length;
    expect(to(B)).toBe(to(C));
    expect(to(B)).toBeLessThan(6);
    giving.congested.add(C);
    const before = to(C);
    while (giving.giver.pump());
    expect(to(C)).toBe(before);
    expect(giving.sent.filter(({ peer }) => peer === B).at(-1)!.message.last).toBe(true);
    giving.congested.delete(C);
    while (giving.giver.pump());
    expect(giving.sent.filter(({ peer }) => peer === C).at(-1)!.message.last).toBe(true);
    expect(giving.giver.pump()).toBe(false);
  });

  test("goes to syncsMax peers at a time; a newer question of one takes the place of the one before", () => {
    const a = newSet(A);
    fill(a, 50);
    const giving = new Giving(a, { syncsMax: 2, frameBytesTarget: 300 });
    const pull = (id: number): PullMessage => ({ type: "pull", id, vector: [], staged: [], full: false });
    expect(giving.giver.serve(B, pull(1))).toBe(true);
    expect(giving.giver.serve(C, pull(1))).toBe(true);
    expect(giving.giver.serve(D, pull(1))).toBe(false);
    expect(giving.giver.serve(B, pull(2))).toBe(true);
    giving.giver.stop(C);
    expect(giving.giver.serve(D, pull(1))).toBe(true);
    while (giving.giver.pump());
    expect(
      giving.sent.every(({ peer, message }) => peer !== C && message.pull === (peer === B ? 2 : 1)),
    ).toBe(true);
    expect(giving.giver.serve(C, pull(3))).toBe(true);
  });
});

describe("taking in an answer", () => {
  function twoGivers() {
    const [a, b] = [newSet(A), newSet(B)];
    fill(a, 300);
    copy(a, b);
    return { a, b, pulling: new Pulling() };
  }

  test("a pull that makes no progress for pullTimeoutMs is given up, and what comes of it later counts all the same", () => {
    const { a, b, pulling } = twoGivers();
    const [fromA, fromB] = [pulling.peer(a), pulling.peer(b)];
    const parts = new Giving(a, { frameBytesTarget: 1_000 }).answer(pulling.pull(fromA, 100));
    expect(pulling.puller.tick(100)).toBe(2_100);
    pulling.take(A, parts.slice(0, 2), 1_000);
    expect(pulling.puller.tick(2_100)).toBe(3_000);
    expect(pulling.puller.tick(2_999)).toBe(3_000);
    expect(pulling.told).toEqual([]);
    expect(pulling.puller.tick(3_500)).toBe(Number.POSITIVE_INFINITY);
    expect(pulling.told).toEqual([`timed out ${A}`]);
    expect(pulling.puller.tick(9_000)).toBe(Number.POSITIVE_INFINITY);

    pulling.puller.consider([fromB, fromA], 3_500);
    expect(pulling.pulls.map(({ peer }) => peer)).toEqual([A, B]);
    // Whoever answers must have been asked, and what.
    const answer = new Giving(b).answer(pulling.pulls[1]!.message);
    pulling.take(A, answer, 3_600);
    pulling.take(
      B,
      answer.map((message) => ({ ...message, pull: 1 })),
      3_600,
    );
    expect(pulling.puller.tick(3_600)).toBe(5_500);
    expect(pulling.told).toEqual([`timed out ${A}`]);
    pulling.take(A, parts.slice(2), 3_600);
    expect(pulling.told).toEqual([`timed out ${A}`, `merged ${A}`, `finished ${A}`]);
    expect(pulling.set.digest()).toEqual(b.digest());
    // What was asked of the other is still waited for, and changes nothing any more.
    expect(pulling.puller.tick(3_600)).toBe(5_500);
    pulling.take(B, answer, 3_700);
    expect(pulling.told.slice(3)).toEqual([`merged ${B}`, `finished ${B}`]);
    expect(pulling.puller.tick(3_700)).toBe(Number.POSITIVE_INFINITY);
    expect(pulling.set.digest()).toEqual(b.digest());
  });

  test("an answer whose every part comes after its pull was given up is merged, and its progress is told", () => {
    const a = newSet(A);
    fill(a, 100_001);
    const pulling = new Pulling();
    const peer = pulling.peer(a);
    const parts = new Giving(a).answer(pulling.pull(peer, 0));
    pulling.puller.tick(2_000);
    // Once with no pull under way, and once with another one of the same peer.
    const half = parts.findIndex((_, index) => entriesIn(parts.slice(0, index)).length > 60_000);
    pulling.take(A, parts.slice(0, half), 3_000);
    expect(pulling.puller.progress).toBe(undefined);
    expect(pulling.told[1]).toMatch(/^5\d{4} of 100001$/);
    pulling.pull(peer, 3_000);
    pulling.take(A, parts.slice(half), 4_500);
    expect(pulling.told[2]).toMatch(/^100\d{3} of 100001$/);
    expect(pulling.told.slice(3)).toEqual([`merged ${A}`, `finished ${A}`]);
    expect(pulling.set.digest()).toEqual(a.digest());
    // Who still answers an earlier pull has not come to the newer one: that one is waited for, twice as long as
    // the last answer took to begin.
    expect(pulling.puller.tick(5_000)).toBe(4_500 + 2 * 3_000);
  });

  test("a peer whose answers begin late is waited for as long, up to eight times pullTimeoutMs, until its link is lost", () => {
    const { a, pulling } = twoGivers();
    const peer = pulling.peer(a);
    const giving = new Giving(a);
    for (const [took, patience] of [
      [500, 2_000],
      [5_000, 10_000],
      [60_000, 16_000],
    ] as const) {
      const answer = giving.answer(pulling.pull(peer, 0));
      if (took > 2_000) pulling.puller.tick(20_000);
      pulling.take(A, answer, took);
      fill(a, 1);
      giving.answer(pulling.pull(peer, took));
      expect(pulling.puller.tick(took)).toBe(took + patience);
      pulling.puller.tick(took + patience);
    }
    pulling.puller.abandon(A);
    pulling.pull(peer, 0);
    expect(pulling.puller.tick(0)).toBe(2_000);
  });

  test("progress counts no entry twice, and none beyond what is expected", () => {
    const { a, pulling } = twoGivers();
    const peer = pulling.peer(a);
    const giving = new Giving(a, { frameBytesTarget: 1_000 });
    const first = giving.answer(pulling.pull(peer, 0));
    pulling.puller.tick(2_000);
    const second = giving.answer(pulling.pull(peer, 2_000));
    pulling.take(A, first.slice(0, 3), 2_100);
    pulling.take(A, second.slice(0, 5), 2_100);
    const entriesReceived = entriesIn(second.slice(0, 5)).length;
    expect(pulling.puller.progress).toEqual({ from: A, entriesReceived, entriesExpected: 300 });
  });

  test("the dots of one that becomes known between two parts of them are not merged in part", () => {
    const a = newSet(A);
    fill(a, 20_001);
    for (let number = 2; number <= 20_000; number += 2) a.remove([{ origin: A, numbers: [number] }]);
    a.takeDelta();
    const pulling = new Pulling();
    const messages = new Giving(a).answer(pulling.pull(pulling.peer(a)));
    pulling.strangers.add(A);
    pulling.take(A, messages.slice(0, -1));
    pulling.strangers.delete(A);
    pulling.take(A, messages.slice(-1));
    expect(pulling.told).toEqual([`incomplete ${A}`, `finished ${A}`]);
    expect(pulling.set.vectorOf(A)).toBe(0);
    pulling.take(A, new Giving(a).answer(pulling.pull(pulling.peer(a))));
    expect(pulling.set.digest()).toEqual(a.digest());
  });

  test("of pulls that nobody answers 32 are remembered, and none whose peer has gone", () => {
    const { a, b, pulling } = twoGivers();
    const peer = pulling.peer(a);
    const giving = new Giving(a);
    const answers = Array.from({ length: 34 }, (_, index) => {
      const answer = giving.answer(pulling.pull(peer, index * 2_000));
      pulling.puller.tick((index + 1) * 2_000);
      return answer;
    });
    const told = pulling.told.length;
    pulling.take(A, answers[1]!);
    expect(pulling.set.entriesOf(A).size).toBe(0);
    pulling.puller.abandon(A);
    pulling.take(A, answers[33]!);
    expect(pulling.set.entriesOf(A).size).toBe(0);
    expect(pulling.told).toHaveLength(told);
    pulling.take(B, new Giving(b).answer(pulling.pull(pulling.peer(b))));
    expect(pulling.set.digest()).toEqual(b.digest());
  });

  test("a giver that goes in the middle: the next is told what has come, and does not repeat it", () => {
    const { a, b, pulling } = twoGivers();
    const parts = new Giving(a, { frameBytesTarget: 1_000 }).answer(pulling.pull(pulling.peer(a)));
    pulling.take(A, parts.slice(0, 3));
    const come = entriesIn(parts.slice(0, 3));
    expect(come.length).toBeGreaterThan(50);
    expect([...pulling.set.entriesOf(A).keys()]).toEqual(come);
    expect(pulling.set.vectorOf(A)).toBe(0);
    pulling.puller.abandon(B);
    expect(pulling.puller.tick(0)).toBe(2_000);
    pulling.puller.abandon(A);
    expect(pulling.puller.tick(0)).toBe(Number.POSITIVE_INFINITY);

    const pull = pulling.pull(pulling.peer(b));
    expect(pull).toMatchObject({ vector: [], staged: [[A, come.at(-1)]] });
    const rest = new Giving(b).answer(pull);
    expect(entriesIn(rest)).toEqual(
      Array.from({ length: 300 - come.length }, (_, index) => come.length + index + 1),
    );
    pulling.take(B, rest);
    expect(pulling.told).toEqual([`merged ${B}`, `finished ${B}`]);
    expect(pulling.set.digest()).toEqual(b.digest());
    // Once merged, nothing is staged any more.
    fill(b, 1);
    expect(pulling.pull(pulling.peer(b))).toMatchObject({ vector: [[A, 300]], staged: [] });
  });

  test("what one giver had seen removed, and the next has not, is asked for again from the start", () => {
    const { a, b, pulling } = twoGivers();
    a.remove([{ origin: A, numbers: [10] }]);
    a.takeDelta();
    const parts = new Giving(a, { frameBytesTarget: 1_000 }).answer(pulling.pull(pulling.peer(a)));
    pulling.take(A, parts.slice(0, 3));
    pulling.puller.abandon(A);
    const rest = new Giving(b).answer(pulling.pull(pulling.peer(b)));
    pulling.take(B, rest);
    expect(pulling.told).toEqual([`incomplete ${B}`, `finished ${B}`]);
    expect(pulling.set.vectorOf(A)).toBe(0);
    const again = pulling.pull(pulling.peer(b));
    expect(again.staged).toEqual([]);
    pulling.take(B, new Giving(b).answer(again));
    expect(pulling.told.slice(2)).toEqual([`merged ${B}`, `finished ${B}`]);
    expect(pulling.set.digest()).toEqual(b.digest());
  });

  test("what is said of replicas that do not count is left out, and the rest is taken", () => {
    const { a, b, pulling } = twoGivers();
    fill(b, 5);
    pulling.strangers.add(B);
    pulling.take(B, new Giving(b).answer(pulling.pull(pulling.peer(b))));
    expect(pulling.told).toEqual([`merged ${B}`, `finished ${B}`]);
    expect(pulling.set.vectorOf(B)).toBe(0);
    expect(pulling.set.entriesOf(B).size).toBe(0);
    expect(pulling.set.digest()).toEqual(a.digest());
    const long = newSet(C, 1_000);
    fill(long, 3);
    pulling.strangers.add(C);
    pulling.take(C, new Giving(long).answer(pulling.pull(pulling.peer(long))));
    expect(pulling.set.vectorOf(C)).toBe(0);
  });

  test("more ranges than syncRangesMax break the protocol", () => {
    const a = newSet(A);
    fill(a, 40);
    for (let number = 1; number <= 40; number += 2) a.remove([{ origin: A, numbers: [number] }]);
    a.takeDelta();
    const strict = new Pulling(D, { syncRangesMax: 39 });
    const messages = new Giving(a).answer(strict.pull(strict.peer(a)));
    expect(() => strict.take(A, messages)).toThrow(ProtocolError);
    expect(() => strict.take(A, messages)).toThrow(expect.objectContaining({ code: "SYNC_TOO_LARGE" }));
    expect(strict.set.vectorOf(A)).toBe(0);
    const lenient = new Pulling(D, { syncRangesMax: 40 });
    lenient.take(A, new Giving(a).answer(lenient.pull(lenient.peer(a))));
    expect(lenient.set.digest()).toEqual(a.digest());
  });

  test("own entries that the answer says nothing of, or less of, stay", () => {
    const a = newSet(A);
    const pulling = new Pulling();
    fill(pulling.set, 3);
    copy(pulling.set, a);
    fill(a, 3);
    fill(pulling.set, 2);
    pulling.take(A, new Giving(a).answer(pulling.pull(pulling.peer(a))));
    expect(pulling.told).toEqual([`merged ${A}`, `finished ${A}`]);
    expect([...pulling.set.entriesOf(D).keys()]).toEqual([1, 2, 3, 4, 5]);
    expect(pulling.set.vectorOf(A)).toBe(3);
  });
});
