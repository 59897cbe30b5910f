/** Two processes of one name, whatever is said of either: at most one stops, and only if the other answers. */
import { type ReplicaId, replicaId } from "@presently/crdt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newCounters } from "./counters.ts";
import { Life } from "./life.ts";
import { Membership } from "./membership.ts";
import type { Message, NamesakeMessage } from "./messages.ts";
import { resolveReplicaOptions } from "./options.ts";
import type { Outbox } from "./outbox.ts";

/** One process named `a`, and what it wants sent. */
class Process {
  readonly life: Life;
  readonly sent: { to: ReplicaId; message: Message }[] = [];
  readonly renames: { id: ReplicaId; at: number }[] = [];
  readonly redials: ReplicaId[] = [];
  readonly notices: string[] = [];
  stoppedBy: ReplicaId | undefined;
  now: number;

  constructor(incarnation: number, startedAt: number) {
    this.now = startedAt;
    const settings = resolveReplicaOptions({ name: "a", incarnation });
    const ignore = () => undefined;
    const listener = {
      ...{ shown: ignore, hidden: ignore, evicted: ignore, evictionForgotten: ignore, probe: ignore },
      ...{ redial: ignore, newerSelf: ignore, changed: ignore, notice: ignore },
    };
    const outbox: Outbox = {
      sendFrame: () => undefined,
      send: (peers, message) => {
        for (const to of peers) this.sent.push({ to, message });
      },
      congested: () => false,
      redial: (peer) => this.redials.push(peer),
      refuse: () => expect.unreachable(),
      wake: (delayMs) => expect(delayMs).toBeGreaterThanOrEqual(0),
      renamed: ignore,
      superseded: (by) => {
        this.stoppedBy = by;
      },
      notice: ({ type }) => this.notices.push(type),
    };
    const membership = new Membership(replicaId("a", incarnation), settings, listener);
    this.life = new Life(membership, settings, newCounters(), outbox, (id) =>
      this.renames.push({ id, at: this.now }),
    );
    this.life.start(startedAt);
  }

  get id(): ReplicaId {
    return replicaId("a", this.life.incarnation);
  }

  /** Does what is due until then. */
  pass(until: number): void {
    while (this.life.nextDeadline <= until && !this.life.over) {
      this.now = Math.max(this.now, this.life.nextDeadline);
      this.life.settle(this.now);
    }
    this.now = until;
  }

  hearOf(incarnation: number): void {
    this.life.hearOf(incarnation);
    this.life.settle(this.now);
  }
}

const pause = fc.integer({ min: 0, max: 3_000 });

describe("hearsay", () => {
  test("stops nobody, and costs a rename a minute in the long run", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ pause, ahead: fc.integer({ min: 0, max: 1_000_000 }) }), {
          minLength: 50,
          maxLength: 200,
        }),
        (sayings) => {
          const process = new Process(1, 0);
          for (const { pause, ahead } of sayings) {
            process.pass(process.now + pause);
            process.hearOf(process.life.incarnation + ahead);
          }
          expect(process.stoppedBy).toBeUndefined();
          expect(process.life.over).toBe(false);
          const pauses = process.renames.slice(1).map(({ at }, index) => at - process.renames[index]!.at);
          // Three at once, and then twice as long each time, up to a minute.
          expect(pauses.slice(2).every((pause, index) => pause >= Math.min(5_000 * 2 ** index, 60_000))).toBe(
            true,
          );
          expect(process.renames.map(({ id }) => id)).toEqual([
            ...new Set(process.renames.map(({ id }) => id)),
          ]);
        },
      ),
    );
  });

  test("is believed at once just after the start, and after a look for its process later", () => {
    const [young, old] = [new Process(1, 0), new Process(1, 0)];
    young.pass(9_999);
    young.hearOf(50);
    expect(young.life.incarnation).toBeGreaterThan(50);
    old.pass(10_000);
    old.hearOf(50);
    expect(old.redials).toEqual([replicaId("a", 50)]);
    old.pass(10_999);
    expect(old.life.incarnation).toBe(1);
    old.pass(11_000);
    expect(old.life.incarnation).toBeGreaterThan(50);
    // Long afterwards a first rename is a first one again.
    old.pass(200_000);
    old.hearOf(old.life.incarnation);
    old.pass(201_000);
    expect(old.renames).toHaveLength(2);
  });
});

describe("a process that says that it has our name", () => {
  const message: fc.Arbitrary<NamesakeMessage> = fc.record({
    type: fc.constant("namesake" as const),
    token: fc.nat(),
    repeats: fc.nat(),
    upMs: fc.nat(),
    stops: fc.constantFrom("nobody" as const, "sender" as const, "receiver" as const),
  });

  test("stops nobody with anything but the number that was asked for on this very link: it may be our past", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), fc.nat(20), (messages, reopenedAfter) => {
        const process = new Process(1_000, 0);
        const past = replicaId("a", 2_000);
        process.pass(60_000);
        process.life.meet(past, process.now);
        const asked = process.sent[0]!.message as NamesakeMessage;
        expect(asked).toMatchObject({ type: "namesake", repeats: 0, upMs: 60_000, stops: "nobody" });
        for (const [index, message] of messages.entries()) {
          if (index === reopenedAfter) {
            process.life.part(past);
            process.life.meet(past, process.now);
          }
          // What was right once is not right on the next link.
          const repeats = index >= reopenedAfter ? asked.token : message.repeats;
          process.life.hear(past, { ...message, repeats }, process.now);
        }
        expect(process.stoppedBy).toBeUndefined();
      }),
    );
  });

  test("and answers: one of both stops, the one that has run longer, whatever they have renamed themselves to", () => {
    const step = fc.record({ pause, to: fc.boolean(), say: fc.option(fc.nat(5_000), { freq: 6 }) });
    fc.assert(
      fc.property(
        fc.tuple(fc.nat(5_000), fc.nat(5_000), fc.integer({ min: 1, max: 300_000 })),
        fc.array(step, { maxLength: 40 }),
        ([incarnation, otherIncarnation, apartMs], steps) => {
          fc.pre(incarnation !== otherIncarnation);
          const [older, newer] = [new Process(incarnation, 0), new Process(otherIncarnation, apartMs)];
          older.pass(apartMs);
          const stopped = () => [older, newer].filter(({ stoppedBy }) => stoppedBy !== undefined);
          let ids: ReplicaId[] = [];
          /** A link ends with the id of either end. */
          const link = () => {
            if (ids[0] === older.id && ids[1] === newer.id) return;
            for (const process of [older, newer]) {
              for (const id of ids) process.life.part(id);
              process.sent.length = 0;
            }
            ids = [older.id, newer.id];
            if (older.id === newer.id) {
              // As the one that is dialled tells the dialler.
              older.hearOf(older.life.incarnation);
              return;
            }
            older.life.meet(newer.id, older.now);
            newer.life.meet(older.id, newer.now);
          };
          const deliver = (from: Process, to: Process) => {
            const item = from.sent.shift();
            if (item !== undefined && !to.life.over) to.life.hear(from.id, item.message, to.now);
            to.life.settle(to.now);
          };
          for (const { pause, to, say } of steps) {
            if (stopped().length > 0) break;
            link();
            for (const process of [older, newer]) process.pass(process.now + pause);
            if (say !== null) (to ? older : newer).hearOf(say);
            if (ids.includes(older.id) && ids.includes(newer.id))
              deliver(to ? older : newer, to ? newer : older);
          }
          // Now nothing more is said of either, and all arrives.
          for (let turn = 0; turn < 40 && stopped().length === 0; turn++) {
            link();
            deliver(older, newer);
            deliver(newer, older);
            for (const process of [older, newer]) process.pass(process.now + 3_000);
          }
          // What the one that stops has sent still arrives.
          while (older.sent.length + newer.sent.length > 0) {
            deliver(older, newer);
            deliver(newer, older);
          }
          expect(stopped()).toHaveLength(1);
          // Who stood still with what it was told may have started within that time.
          if (apartMs > 130_000) expect(stopped()).toEqual([older]);
        },
      ),
      { numRuns: 500 },
    );
  });
});
