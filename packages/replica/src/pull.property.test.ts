import { replicaId } from "@presently/crdt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { GIVERS, run, SETTINGS, Side, type Step } from "../test/givers.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { Giver } from "./giver.ts";
import type { PullMessage, SyncMessage } from "./messages.ts";
import { Peer } from "./peer.ts";
import { Puller } from "./puller.ts";

const at = fc.nat(GIVERS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom("add" as const, "add" as const, "update" as const, "remove" as const),
    at,
    nth: fc.nat(20),
  }),
  fc.record({ do: fc.constant("hear" as const), at, from: at, share: fc.integer({ min: 1, max: 4 }) }),
);
/** Parts that come before the link with a giver breaks; the giver who is asked next. */
const turn = fc.record({ giver: at, parts: fc.nat(6), steps: fc.array(step, { maxLength: 4 }) });

/** Asks one giver, over the wire, and takes in as much of the answer as comes before the link breaks. */
function pull(asker: Side, puller: Puller, pulls: PullMessage[], giver: Side, parts: number): void {
  const messages: SyncMessage[] = [];
  const giving = new Giver(giver.set, SETTINGS, {
    send: (_, message) => messages.push(decodeMessage(encodeMessage(message)) as SyncMessage),
    congested: () => false,
  });
  const peer = new Peer(giver.set.replica);
  puller.start(peer, 0);
  giving.serve(asker.set.replica, decodeMessage(encodeMessage(pulls.at(-1)!)) as PullMessage);
  while (giving.pump());
  for (const message of messages.slice(0, parts)) puller.receive(peer.id, message, 0);
  puller.abandon(peer.id);
}

test("whoever answers and wherever the link breaks, the asker ends with all that the last giver has", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60, size: "max" }),
      fc.array(turn, { maxLength: 5, size: "max" }),
      fc.tuple(at, fc.integer({ min: 1, max: 6 }), fc.boolean()),
      (steps, turns, [last, logSizeMax, early]) => {
        const sides = GIVERS.map((id) => new Side(id, logSizeMax));
        const asker = new Side(replicaId("d", 1), 4);
        const pulls: PullMessage[] = [];
        const outcomes: boolean[] = [];
        const puller = new Puller(asker.set, SETTINGS, {
          send: (_, message) => pulls.push(message),
          knows: () => true,
          linked: () => false,
          timedOut: () => undefined,
          merged: (_, complete) => outcomes.push(complete),
          progressed: () => undefined,
          finished: () => undefined,
        });
        for (const [index, step] of steps.entries()) {
          run(sides, step);
          // The asker may have been there from early on, and have missed what came later.
          if (early && index === 10) pull(asker, puller, pulls, sides[0]!, Number.POSITIVE_INFINITY);
        }
        for (const { giver, parts, steps } of turns) {
          pull(asker, puller, pulls, sides[giver]!, parts);
          for (const step of steps) run(sides, step);
        }
        const giver = sides[last]!;
        // How the pulls before ended says nothing of the last one, which may be answered without a full state.
        outcomes.length = 0;
        pull(asker, puller, pulls, giver, Number.POSITIVE_INFINITY);
        // What one giver had seen removed, and this one has not, takes another go.
        if (outcomes.at(-1) === false) pull(asker, puller, pulls, giver, Number.POSITIVE_INFINITY);
        expect(outcomes.at(-1)).not.toBe(false);
        for (const [id, vector] of giver.set.vector())
          expect(asker.set.vectorOf(id)).toBeGreaterThanOrEqual(vector);
        // All that others have as well, and nothing that somebody has seen removed.
        for (const id of giver.set.originIds()) {
          for (const number of giver.set.entriesOf(id).keys()) {
            const removed = sides.some(
              ({ set }) => set.vectorOf(id) >= number && !set.entriesOf(id).has(number),
            );
            expect(asker.set.entriesOf(id).has(number) || removed).toBe(true);
          }
        }
        for (const id of asker.set.originIds()) {
          for (const number of asker.set.entriesOf(id).keys())
            expect(asker.shown.get(`${id} ${number}`)!.number).toBe(number);
        }
        // Then from everybody: all agree, and nothing is left over.
        for (let round = 0; round < 2; round++)
          for (const side of sides) pull(asker, puller, pulls, side, Number.POSITIVE_INFINITY);
        const everything = new Side(replicaId("e", 1), 1);
        for (const { set } of sides) everything.set.merge(set.snapshot());
        expect(asker.set.digest()).toEqual(everything.set.digest());
        expect([...asker.shown.keys()].sort()).toEqual([...everything.shown.keys()].sort());
      },
    ),
    {
      numRuns: 300,
      examples: [
        // Found with seed -952834180: the last giver has nothing, and the one before it was asked for a full state.
        [
          [
            { do: "add", at: 2, nth: 0 },
            { do: "add", at: 0, nth: 0 },
            { do: "hear", at: 0, from: 2, share: 1 },
            { do: "add", at: 0, nth: 0 },
          ],
          [
            { giver: 0, parts: 0, steps: [{ do: "update", at: 2, nth: 0 }] },
            { giver: 2, parts: 1, steps: [] },
            { giver: 0, parts: 2, steps: [] },
          ],
          [1, 2, false],
        ],
      ],
    },
  );
});
