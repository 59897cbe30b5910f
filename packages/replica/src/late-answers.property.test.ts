/** Answers that come later than every time-out, twice, in part, or in another order: what a link that stood still, or a peer, can do. */
import { replicaId } from "@presently/crdt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { GIVERS, run, SETTINGS, Side, type Step } from "../test/givers.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { Giver } from "./giver.ts";
import type { PullMessage, SyncMessage } from "./messages.ts";
import { Peer } from "./peer.ts";
import { Puller } from "./puller.ts";

/** A giver, and what is on its way to it and from it, in order. */
class Link {
  readonly side: Side;
  readonly pulls: PullMessage[] = [];
  answers: SyncMessage[] = [];
  readonly giver: Giver;

  constructor(side: Side) {
    this.side = side;
    this.giver = new Giver(side.set, SETTINGS, {
      send: (_, message) => this.answers.push(decodeMessage(encodeMessage(message)) as SyncMessage),
      congested: () => false,
    });
  }

  /** What the asker knows of it. */
  get peer(): Peer {
    const peer = new Peer(this.side.set.replica);
    peer.take([...this.side.set.digest()].map(([replica, about]) => ({ replica, ...about })));
    return peer;
  }

  break(puller: Puller): void {
    this.pulls.length = 0;
    this.answers.length = 0;
    this.giver.stop(ASKER);
    puller.abandon(this.side.set.replica);
  }
}

const ASKER = replicaId("d", 1);

class Asking {
  readonly links: Link[];
  readonly asker = new Side(ASKER, 4);
  readonly puller: Puller;
  now = 0;

  constructor(logSizeMax: number) {
    this.links = GIVERS.map((id) => new Link(new Side(id, logSizeMax)));
    this.puller = new Puller(this.asker.set, SETTINGS, {
      send: (to, message) =>
        this.linkWith(to).pulls.push(decodeMessage(encodeMessage(message)) as PullMessage),
      knows: () => true,
      linked: () => false,
      timedOut: () => undefined,
      merged: () => undefined,
      progressed: ({ entriesReceived, entriesExpected }) =>
        expect(entriesReceived).toBeLessThanOrEqual(entriesExpected),
      finished: () => undefined,
    });
  }

  private linkWith(id: string): Link {
    return this.links.find(({ side }) => side.set.replica === id)!;
  }

  get sides(): Side[] {
    return this.links.map(({ side }) => side);
  }

  /** Time passes at the asker; it asks whoever has more, beginning with one of them. */
  pass(ms: number, first: number): void {
    this.now += ms;
    this.puller.tick(this.now);
    const peers = this.links.map(({ peer }) => peer);
    this.puller.consider([...peers.slice(first), ...peers.slice(0, first)], this.now);
  }

  /** One pull reaches its giver, or one part of an answer the asker. */
  deliver({ side, giver, pulls, answers }: Link, what: "pull" | "answer"): void {
    const pull = what === "pull" ? pulls.shift() : undefined;
    if (pull !== undefined) giver.serve(ASKER, pull);
    const answer = what === "answer" ? answers.shift() : undefined;
    if (answer !== undefined) this.puller.receive(side.set.replica, answer, this.now);
  }

  /** Nothing is late any more: each giver is asked in turn until all agree. */
  settle(): void {
    for (const link of this.links) link.break(this.puller);
    for (let round = 0; round < 4; round++) {
      for (const link of this.links) {
        this.puller.start(link.peer, this.now);
        this.deliver(link, "pull");
        while (link.giver.pump());
        while (link.answers.length > 0) this.deliver(link, "answer");
      }
    }
    const everything = new Side(replicaId("e", 1), 1);
    for (const { set } of this.sides) everything.set.merge(set.snapshot());
    expect(this.asker.set.digest()).toEqual(everything.set.digest());
    expect([...this.asker.shown.keys()].sort()).toEqual([...everything.shown.keys()].sort());
  }
}

const at = fc.nat(GIVERS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom("add" as const, "add" as const, "update" as const, "remove" as const),
    at,
    nth: fc.nat(20),
  }),
  fc.record({ do: fc.constant("hear" as const), at, from: at, share: fc.integer({ min: 1, max: 4 }) }),
);
type Move =
  | { do: "deliver"; at: number; what: "pull" | "answer" }
  | { do: "give"; at: number }
  | { do: "break"; at: number }
  | { do: "pass"; ms: number; first: number };
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      at,
      what: fc.constantFrom("pull" as const, "answer" as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("give" as const), at }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 500, 2_500), first: at }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("break" as const), at }) },
);
const history = fc.array(fc.oneof(step, move), { maxLength: 120, size: "max" });

function play(asking: Asking, steps: readonly (Move | Step)[]): void {
  for (const step of steps) {
    if (step.do === "pass") asking.pass(step.ms, step.first);
    else if (step.do === "deliver") asking.deliver(asking.links[step.at]!, step.what);
    else if (step.do === "give") asking.links[step.at]!.giver.pump();
    else if (step.do === "break") asking.links[step.at]!.break(asking.puller);
    else run(asking.sides, step);
  }
}

test("however late answers come, and whatever was given up meanwhile, one exchange with each giver later all agree", () => {
  fc.assert(
    fc.property(history, fc.integer({ min: 1, max: 6 }), (steps, logSizeMax) => {
      const asking = new Asking(logSizeMax);
      play(asking, steps);
      asking.settle();
    }),
    { numRuns: 300 },
  );
});

test("an answer that comes whole, however late, brings all that its giver then had", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60, size: "max" }),
      fc.integer({ min: 1, max: 6 }),
      at,
      fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 20 }),
      (steps, logSizeMax, giver, waits) => {
        const asking = new Asking(logSizeMax);
        for (const step of steps) run(asking.sides, step);
        const link = asking.links[giver]!;
        asking.puller.start(link.peer, asking.now);
        asking.deliver(link, "pull");
        while (link.giver.pump());
        for (let index = 0; link.answers.length > 0; index++) {
          // Others are asked, and asked again, before each part comes.
          asking.pass(waits[index % waits.length]!, giver);
          asking.deliver(link, "answer");
        }
        for (const [id, vector] of link.side.set.vector())
          expect(asking.asker.set.vectorOf(id)).toBeGreaterThanOrEqual(vector);
      },
    ),
    { numRuns: 200 },
  );
});

test("parts that are doubled, missing, in another order, or another's, throw nothing, and bring no event that nobody made", () => {
  const mess = fc.array(
    fc.record({ from: at, by: at, nth: fc.nat(30), copies: fc.integer({ min: 0, max: 2 }) }),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(history, mess, fc.integer({ min: 1, max: 6 }), (steps, parts, logSizeMax) => {
      const asking = new Asking(logSizeMax);
      for (const [index, { from, by, nth, copies }] of parts.entries()) {
        play(asking, steps.slice((index * steps.length) / 10, ((index + 1) * steps.length) / 10));
        const { answers } = asking.links[from]!;
        const [part] = answers.splice(nth % Math.max(1, answers.length), 1);
        const sender = asking.links[by]!.side.set.replica;
        for (let copy = 0; part !== undefined && copy < copies; copy++)
          asking.puller.receive(sender, part, asking.now);
      }
      for (const link of asking.links) link.break(asking.puller);
      for (const side of asking.sides) {
        // What such a peer made us believe shows as equal vectors with unequal hashes: then the whole is compared.
        const peer = new Peer(side.set.replica);
        peer.diverges = true;
        const link = asking.links.find((other) => other.side === side)!;
        asking.puller.start(peer, asking.now);
        asking.deliver(link, "pull");
        while (link.giver.pump());
        while (link.answers.length > 0) asking.deliver(link, "answer");
      }
      for (const [id, vector] of asking.asker.set.vector())
        expect(vector).toBeLessThanOrEqual(Math.max(...asking.sides.map(({ set }) => set.vectorOf(id))));
    }),
    { numRuns: 300 },
  );
});
