import assert from "node:assert/strict";
import type { ReplicaId } from "@presently/crdt";
import type { SimulatedProcess } from "@presently/testkit";
import fc from "fast-check";
import { describe, test } from "vitest";
import { VirtualCluster } from "../../../../test/helpers/virtual-cluster.ts";

const CHANNEL = "chat";
const NAMES = ["a", "b", "c", "d"];

type Step =
  | { readonly do: "broadcast"; readonly node: number }
  | {
      readonly do: "send" | "ask" | "cut" | "mend" | "congest";
      readonly node: number;
      readonly other: number;
    }
  | { readonly do: "crash" | "start"; readonly node: number }
  | { readonly do: "advance"; readonly ms: number };

const node = fc.nat(NAMES.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("broadcast" as const), node }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("send", "ask"), node, other: node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("cut", "mend", "congest"), node, other: node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("crash", "start"), node }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 4, 20, 400, 3_000) }),
  },
);

/** What one process has heard, and what became of what it asked. */
interface Seat {
  readonly process: SimulatedProcess;
  readonly heard: Set<number>;
  readonly last: Map<ReplicaId, number>;
}

class World {
  readonly cluster = new VirtualCluster([]);
  readonly seats = new Map<string, Seat>();
  /** How often each request has ended. */
  readonly ends: { readonly asker: SimulatedProcess; count: number }[] = [];
  private readonly cuts = new Set<string>();
  private lastId = 0;

  constructor() {
    for (const name of NAMES) this.start(name);
    this.cluster.time.advance(2_000);
  }

  private start(name: string): void {
    const process = this.cluster.start(name);
    const seat: Seat = { process, heard: new Set(), last: new Map() };
    this.seats.set(name, seat);
    const { messenger } = process.endpoint.replica;
    const hear = (payload: unknown, from: ReplicaId) => {
      const id = payload as number;
      assert.ok(id > (seat.last.get(from) ?? 0), "what comes of a node comes in order, and once");
      seat.last.set(from, id);
      seat.heard.add(id);
    };
    messenger.onBroadcast(CHANNEL, hear);
    messenger.onMessage(CHANNEL, hear);
    messenger.onRequest(CHANNEL, (payload, from, responder) => {
      hear(payload, from);
      responder.reply(payload);
    });
  }

  take(step: Step): void {
    if (step.do === "advance") {
      this.cluster.time.advance(step.ms);
      return;
    }
    const name = NAMES[step.node]!;
    const seat = this.seats.get(name);
    if (seat === undefined) {
      if (step.do === "start") this.start(name);
    } else if (step.do === "broadcast") this.broadcast(seat);
    else if (step.do === "crash") {
      this.cluster.crash(name);
      this.seats.delete(name);
    } else if ("other" in step && step.node !== step.other)
      this.between(step.do, seat, name, NAMES[step.other]!);
  }

  broadcast({ process }: Seat): number {
    const id = ++this.lastId;
    process.endpoint.replica.broadcast(CHANNEL, id);
    return id;
  }

  private between(
    what: "send" | "ask" | "cut" | "mend" | "congest",
    seat: Seat,
    name: string,
    other: string,
  ): void {
    const { endpoint } = seat.process;
    const to = this.seats.get(other)?.process.id;
    if (what === "send" && to !== undefined) endpoint.replica.messenger.send(to, CHANNEL, ++this.lastId);
    else if (what === "ask" && to !== undefined) {
      const end = { asker: seat.process, count: 0 };
      this.ends.push(end);
      const id = ++this.lastId;
      endpoint.request(to, CHANNEL, id, 5_000, (answer) => {
        end.count++;
        if (answer.ok) assert.equal(answer.payload, id, "an answer is that of its question");
      });
    } else if (what === "cut") {
      this.cuts.add(pair(name, other));
      this.cluster.cut(name, other);
    } else if (what === "mend") {
      this.cuts.delete(pair(name, other));
      this.cluster.mend(name, other);
    } else if (what === "congest") this.cluster.congest(name, other);
  }

  /** Cuts stay; all else is well, and has been for long. */
  settle(): void {
    for (const one of NAMES) for (const other of NAMES) if (one !== other) this.cluster.drain(one, other);
    this.cluster.time.advance(20_000);
  }

  /** Whether one of them reaches the other, over a third node at most. */
  reaches(one: string, other: string): boolean {
    const linked = (from: string, to: string) => !this.cuts.has(pair(from, to));
    return (
      linked(one, other) || [...this.seats.keys()].some((third) => linked(one, third) && linked(third, other))
    );
  }
}

function pair(one: string, other: string): string {
  return [one, other].sort().join(" ");
}

describe("messages between nodes of which some have no links", () => {
  test("come once and in order, and reach whom a third node reaches; every request ends once", () => {
    const seen = { relayed: 0, apart: 0 };
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), (steps) => {
        const world = new World();
        for (const one of steps) world.take(one);
        world.settle();
        for (const { asker, count } of world.ends)
          if (!asker.ended) assert.equal(count, 1, "a request ends exactly once");
        for (const [name, seat] of world.seats) {
          const id = world.broadcast(seat);
          world.cluster.time.advance(2_000);
          for (const [other, { heard }] of world.seats) {
            if (!world.reaches(name, other)) seen.apart++;
            assert.equal(heard.has(id), world.reaches(name, other), `${other} hears ${name}`);
          }
          seen.relayed += seat.process.endpoint.replica.counters.messagesRelayed;
        }
      }),
      { numRuns: 60 },
    );
    assert.ok(
      seen.relayed > 20 && seen.apart > 10,
      `histories reached what they are for: ${JSON.stringify(seen)}`,
    );
  });
});
