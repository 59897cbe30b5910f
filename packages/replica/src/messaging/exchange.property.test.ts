import assert from "node:assert/strict";
import type { ReplicaId } from "@presently/crdt";
import type { SimulatedProcess } from "@presently/testkit";
import fc from "fast-check";
import { describe, test } from "vitest";
import { VirtualCluster } from "../../../../test/helpers/virtual-cluster.ts";

const CHANNEL = "chat";
const NAMES = ["a", "b", "c", "d"];
/** So that parts are small, and a message of a few kilobytes has many. */
const FRAME_BYTES = 2_000;

type Disturbance = "cut" | "stall" | "mend" | "congest";

type Step =
  | { readonly do: "broadcast"; readonly node: number; readonly size: number }
  | { readonly do: "send" | "ask"; readonly node: number; readonly other: number; readonly size: number }
  | { readonly do: Disturbance; readonly node: number; readonly other: number }
  | { readonly do: "crash" | "start"; readonly node: number }
  | { readonly do: "advance"; readonly ms: number };

const node = fc.nat(NAMES.length - 1);
/** Some go in one frame, and some in up to 40. */
const size = fc.constantFrom(8, 100, 3_000, 60_000);
const disturbance = fc.constantFrom<Disturbance[]>("cut", "cut", "cut", "stall", "mend", "mend", "congest");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("broadcast" as const), node, size }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("send", "ask"), node, other: node, size }) },
  { weight: 5, arbitrary: fc.record({ do: disturbance, node, other: node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("crash", "start"), node }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 4, 20, 400, 3_000) }),
  },
);

/** What one process has heard. */
interface Seat {
  readonly process: SimulatedProcess;
  readonly heard: Set<number>;
  readonly last: Map<ReplicaId, number>;
}

/** A message says its number, and the rest of it can be told from that. */
function payloadOf(id: number, size: number): Buffer {
  const payload = Buffer.alloc(size, id % 251);
  payload.writeUInt32BE(id);
  return payload;
}

function idOf(payload: unknown): number {
  const bytes = Buffer.from(payload as Uint8Array);
  const id = bytes.readUInt32BE();
  assert.ok(bytes.equals(payloadOf(id, bytes.length)), "a message comes whole and unchanged");
  return id;
}

class World {
  readonly cluster = new VirtualCluster([], { replica: { frameBytesTarget: FRAME_BYTES } });
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
      const id = idOf(payload);
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
    } else if (step.do === "broadcast") this.broadcast(seat, step.size);
    else if (step.do === "crash") {
      this.cluster.crash(name);
      this.seats.delete(name);
    } else if ("other" in step && step.node !== step.other) {
      const other = NAMES[step.other]!;
      if ("size" in step) this.say(step.do, seat, other, step.size);
      else this.disturb(step.do, name, other);
    }
  }

  broadcast({ process }: Seat, size: number): number {
    const id = ++this.lastId;
    process.endpoint.replica.broadcast(CHANNEL, payloadOf(id, size));
    return id;
  }

  private say(what: "send" | "ask", { process }: Seat, other: string, size: number): void {
    const to = this.seats.get(other)?.process.id;
    if (to === undefined) return;
    const id = ++this.lastId;
    const payload = payloadOf(id, size);
    if (what === "send") {
      process.endpoint.replica.messenger.send(to, CHANNEL, payload);
      return;
    }
    const end = { asker: process, count: 0 };
    this.ends.push(end);
    process.endpoint.request(to, CHANNEL, payload, 5_000, (answer) => {
      end.count++;
      if (answer.ok) assert.equal(idOf(answer.payload), id, "an answer is that of its question");
    });
  }

  private disturb(what: Disturbance, name: string, other: string): void {
    if (what === "cut") {
      this.cuts.add(pair(name, other));
      this.cluster.cut(name, other);
    } else if (what === "mend") {
      this.cuts.delete(pair(name, other));
      this.cluster.mend(name, other);
    } else if (what === "stall") this.cluster.stall(name, other);
    else this.cluster.congest(name, other);
  }

  /** Cuts stay; all else is well, and has been for long. */
  settle(): void {
    this.cluster.mendAll();
    for (const cut of this.cuts) {
      const [one, other] = cut.split(" ") as [string, string];
      this.cluster.cut(one, other);
    }
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

  /** Everybody talks while all cuts are mended; nothing of it is lost among those who reached each other before. */
  talkThroughMending(sizes: readonly number[]): void {
    const said = new Map<string, number[]>([...this.seats.keys()].map((name) => [name, []]));
    const talk = () => {
      for (const [name, seat] of this.seats)
        said.get(name)!.push(this.broadcast(seat, sizes[this.lastId % sizes.length]!));
      this.cluster.time.advance(3);
    };
    for (let round = 0; round < 20; round++) talk();
    this.cluster.mendAll();
    for (let round = 0; round < 500; round++) talk();
    this.cluster.time.advance(5_000);
    for (const [name, ids] of said)
      for (const [other, { heard }] of this.seats)
        if (this.reaches(name, other))
          for (const id of ids) assert.ok(heard.has(id), `${other} has missed ${id} of ${name}`);
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
          const id = world.broadcast(seat, 60_000);
          world.cluster.time.advance(3_000);
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
      seen.relayed > 20 && seen.apart > 5,
      `histories reached what they are for: ${JSON.stringify(seen)}`,
    );
  });

  test("are not lost while their links come back", () => {
    let relayed = 0;
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom("a b", "a c", "b c", "c d"), { minLength: 1, maxLength: 2 }),
        fc.array(size, { minLength: 1, maxLength: 5 }),
        (cuts, sizes) => {
          const world = new World();
          for (const cut of cuts) {
            const [one, other] = cut.split(" ").map((name) => NAMES.indexOf(name)) as [number, number];
            world.take({ do: "cut", node: one, other });
          }
          world.settle();
          world.talkThroughMending(sizes.map((size) => Math.min(size, 3_000)));
          for (const { process } of world.seats.values())
            relayed += process.endpoint.replica.counters.messagesRelayed;
        },
      ),
      { numRuns: 10 },
    );
    assert.ok(relayed > 100, `messages were passed on: ${relayed}`);
  });
});
