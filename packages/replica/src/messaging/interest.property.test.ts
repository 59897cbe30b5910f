import assert from "node:assert/strict";
import { replicaId } from "@presently/crdt";
import type { End, SimulatedProcess } from "@presently/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../../test/helpers/virtual-cluster.ts";
import { decodeMessage } from "../codec.ts";
import { Endpoint } from "../endpoint.ts";
import type { Transport } from "../transport.ts";

const CHANNEL = "chat";
const TOPICS = ["red", "green", "blue"];
const NAMES = ["a", "b", "c", "d"];

type Step =
  | { readonly do: "subscribe" | "unsubscribe" | "publish"; readonly node: number; readonly topic: number }
  | { readonly do: "cut" | "mend" | "congest" | "drain"; readonly node: number; readonly other: number }
  | { readonly do: "crash" | "start"; readonly node: number }
  | { readonly do: "advance"; readonly ms: number };

const node = fc.nat(NAMES.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("subscribe" as const), node, topic: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), node, topic: fc.nat(2) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), node, topic: fc.nat(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("cut", "mend", "congest", "drain"), node, other: node }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("crash", "start"), node }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 4, 20, 400) }),
  },
);

/** What one process wants, what was settled of it, and what it has heard. */
interface Seat {
  readonly process: SimulatedProcess;
  readonly wants: Map<string, { effective: boolean; end: () => void }>;
  readonly everWanted: Set<string>;
  readonly heard: Map<number, number>;
  readonly order: Map<string, number>;
}

interface Publication {
  readonly id: number;
  readonly topic: string;
  readonly to: Seat;
  readonly link: End;
  readonly must: boolean;
}

/** Interests are told in no time here, unless something is wrong: a link that is older than this knows them. */
const TOLD_WITHIN_MS = 100;

class World {
  readonly cluster: VirtualCluster;
  readonly seats = new Map<string, Seat>();
  readonly publications: Publication[] = [];
  readonly linkedAt = new WeakMap<End, number>();
  readonly congested = new Set<string>();
  private lastId = 0;

  constructor(interestsMax: number) {
    // Subscriptions are settled by what peers say alone.
    this.cluster = new VirtualCluster([], { replica: { interestsMax, interestTimeoutMs: 1_000_000 } });
    this.cluster.observe({
      linked: (end) => {
        this.linkedAt.set(end, this.cluster.time.now);
        this.linkedAt.set(end.other, this.cluster.time.now);
      },
    });
    for (const name of NAMES) this.start(name);
    this.cluster.time.advance(1_000);
  }

  start(name: string): void {
    const process = this.cluster.start(name);
    const seat: Seat = {
      process,
      wants: new Map(),
      everWanted: new Set(),
      heard: new Map(),
      order: new Map(),
    };
    this.seats.set(name, seat);
    process.endpoint.replica.onBroadcast(CHANNEL, (payload, from) => {
      const id = payload as number;
      seat.heard.set(id, (seat.heard.get(id) ?? 0) + 1);
      assert.ok(id > (seat.order.get(from) ?? 0), "broadcasts of a node come in order, and once");
      seat.order.set(from, id);
    });
  }

  take(step: Step): void {
    if (step.do === "advance") {
      this.cluster.time.advance(step.ms);
      return;
    }
    const name = NAMES[step.node]!;
    const seat = this.seats.get(name);
    if (step.do === "start" && seat === undefined) this.start(name);
    if (seat === undefined) return;
    if (step.do === "crash") {
      this.cluster.crash(name);
      this.seats.delete(name);
    } else if ("topic" in step) this.talk(step.do, name, seat, TOPICS[step.topic]!);
    else if ("other" in step && step.node !== step.other) this.disturb(step.do, name, NAMES[step.other]!);
  }

  private talk(what: "subscribe" | "unsubscribe" | "publish", name: string, seat: Seat, topic: string): void {
    const { endpoint } = seat.process;
    if (what === "publish") this.publish(name, topic);
    else if (what === "unsubscribe") {
      seat.wants.get(topic)?.end();
      seat.wants.delete(topic);
    } else if (!seat.wants.has(topic)) {
      const { whenKnown, end } = endpoint.subscribe(CHANNEL, topic);
      const wish = { effective: false, end };
      seat.wants.set(topic, wish);
      seat.everWanted.add(topic);
      whenKnown(() => {
        wish.effective = true;
      });
    }
  }

  private disturb(what: "cut" | "mend" | "congest" | "drain", one: string, other: string): void {
    this.cluster[what](one, other);
    if (what === "congest") this.congested.add(`${one} ${other}`).add(`${other} ${one}`);
  }

  publish(name: string, topic: string): number {
    const id = ++this.lastId;
    const { process } = this.seats.get(name)!;
    for (const [other, seat] of this.seats) {
      const link = process.endAt(other);
      if (other === name || link === undefined || link.other.process !== seat.process) continue;
      const isWhole = link.open && link.other.open && !link.out.path.congested && !link.out.congested;
      const must = isWhole && seat.wants.get(topic)?.effective === true;
      this.publications.push({ id, topic, to: seat, link, must });
    }
    process.endpoint.replica.broadcast(CHANNEL, id, { topics: [topic] });
    return id;
  }

  /** Whoever wants a topic, and knows that the others know, gets all of it; who never wanted it gets none. */
  check(): void {
    for (const { id, topic, to, link, must } of this.publications) {
      const stayed = link.open && link.other.open;
      if (must && stayed)
        assert.equal(to.heard.get(id), 1, `${to.process.id} has not heard ${id} on ${topic}`);
    }
  }

  heal(): void {
    this.cluster.mendAll();
    for (const one of NAMES) for (const other of NAMES) if (one !== other) this.cluster.drain(one, other);
    this.cluster.time.advance(10_000);
  }

  /** Everybody publishes on every topic: exactly those who want it hear it, `everything` or not. */
  checkWhole(isExact: boolean): void {
    for (const name of this.seats.keys())
      for (const topic of TOPICS) {
        const id = this.publish(name, topic);
        this.cluster.time.advance(100);
        const heard = [...this.seats].filter(([, seat]) => seat.heard.get(id) === 1).map(([other]) => other);
        const wanted = [...this.seats]
          .filter(([other, seat]) => other === name || seat.wants.get(topic)?.effective)
          .map(([other]) => other);
        if (isExact) assert.deepEqual(heard, wanted);
        else for (const other of wanted) assert.ok(heard.includes(other));
      }
  }
}

describe("broadcasts by topic", () => {
  test("reach whoever's subscription is in force while its link lasts, and after all is mended exactly those who want them", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.constantFrom(1, 2, 100),
        (steps, interestsMax) => {
          const world = new World(interestsMax);
          for (const step of steps) world.take(step);
          world.heal();
          world.check();
          world.checkWhole(interestsMax >= TOPICS.length);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("do not reach a node that never wanted any, however its links come and go", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const world = new World(100);
        for (const step of steps) {
          if (step.do === "congest" || (step.do === "subscribe" && step.node === 3)) continue;
          if (step.do !== "publish") {
            world.take(step);
            continue;
          }
          const link = world.seats.get(NAMES[step.node]!)?.process.endAt("d");
          const isOld =
            link !== undefined && world.cluster.time.now - world.linkedAt.get(link)! > TOLD_WITHIN_MS;
          const before = world.seats.get("d")?.heard.size ?? 0;
          if (!isOld) continue;
          world.take(step);
          world.cluster.time.advance(50);
          if (step.node !== 3) assert.equal(world.seats.get("d")?.heard.size ?? 0, before);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("a subscription", () => {
  const settledAt = (cluster: VirtualCluster, name: string): number[] => {
    const times: number[] = [];
    cluster
      .node(name)
      .endpoint.subscribe(CHANNEL, "red")
      .whenKnown(() => times.push(cluster.time.now));
    return times;
  };

  test("is in force at once where nobody is", () => {
    const cluster = new VirtualCluster(["a"]);
    expect(settledAt(cluster, "a")).toEqual([0]);
  });

  test("waits for a peer that stands still no longer than its time-out, and the next one not at all", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { replica: { interestTimeoutMs: 700 } });
    cluster.time.advance(1_000);
    cluster.pause("c");
    const first = settledAt(cluster, "a");
    cluster.time.advance(600);
    expect(first).toEqual([]);
    cluster.time.advance(200);
    expect(first).toHaveLength(1);
    const second = settledAt(cluster, "a");
    cluster.time.advance(100);
    expect(second).toHaveLength(1);
    cluster.resume("c");
    cluster.time.advance(500);
    const heard: unknown[] = [];
    cluster.node("a").endpoint.replica.onBroadcast(CHANNEL, (payload) => heard.push(payload));
    cluster.node("c").endpoint.replica.broadcast(CHANNEL, 1, { topics: ["red"] });
    cluster.time.advance(100);
    expect(heard).toEqual([1]);
  });

  test("waits for a peer that usually answers at once a quarter of its time-out, and for a slow one as long as it takes", () => {
    const cluster = new VirtualCluster(["a", "b", "c"]);
    cluster.time.advance(1_000);
    const usual = settledAt(cluster, "a");
    cluster.time.advance(240);
    expect(usual).toHaveLength(1);
    cluster.pause("c");
    const start = cluster.time.now;
    const other: number[] = [];
    cluster
      .node("a")
      .endpoint.subscribe(CHANNEL, "blue")
      .whenKnown(() => other.push(cluster.time.now - start));
    cluster.time.advance(1_000);
    expect(other[0]).toBeGreaterThanOrEqual(250);
    expect(other[0]).toBeLessThan(400);

    const slow = new VirtualCluster(["a", "b"], { latencyMs: 300 });
    slow.time.advance(5_000);
    for (const topic of ["red", "blue", "green"]) {
      const heard: unknown[] = [];
      const { endpoint } = slow.node("a");
      const unlisten = endpoint.replica.onBroadcast(CHANNEL, (payload) => heard.push(payload));
      endpoint.subscribe(CHANNEL, topic).whenKnown(() => {
        slow.node("b").endpoint.replica.broadcast(CHANNEL, topic, { topics: [topic] });
      });
      slow.time.advance(2_000);
      expect(heard).toEqual([topic]);
      unlisten();
    }
  });

  test("made while a link was down counts from the first moment of the next one", () => {
    const cluster = new VirtualCluster(["a", "b"]);
    cluster.time.advance(1_000);
    const { endpoint } = cluster.node("a");
    const heard: unknown[] = [];
    endpoint.replica.onBroadcast(CHANNEL, (payload) => heard.push(payload));
    cluster.cut("a", "b");
    expect(settledAt(cluster, "a")).toHaveLength(1);
    const { replica } = cluster.node("b").endpoint;
    replica.onReplica(({ linked }) => linked && replica.broadcast(CHANNEL, 1, { topics: ["red"] }));
    cluster.mend("a", "b");
    cluster.time.advance(3_000);
    expect(heard).toEqual([1]);
  });

  test("of one of several who want a topic ends for itself", () => {
    const cluster = new VirtualCluster(["a", "b"]);
    cluster.time.advance(1_000);
    const heard: unknown[] = [];
    const { endpoint } = cluster.node("a");
    endpoint.replica.onBroadcast(CHANNEL, (payload) => heard.push(payload));
    const [one, other] = [endpoint.subscribe(CHANNEL, "red"), endpoint.subscribe(CHANNEL, "red")];
    one.end();
    one.end();
    cluster.time.advance(100);
    cluster.node("b").endpoint.replica.broadcast(CHANNEL, 1, { topics: ["blue", "red"] });
    cluster.time.advance(100);
    other.end();
    cluster.time.advance(100);
    cluster.node("b").endpoint.replica.broadcast(CHANNEL, 2, { topics: ["blue", "red"] });
    cluster.time.advance(100);
    expect(heard).toEqual([1]);
  });

  test("of so many topics that they take several frames counts whole", () => {
    const cluster = new VirtualCluster(["a", "b"]);
    cluster.time.advance(1_000);
    const heard: unknown[] = [];
    const { endpoint } = cluster.node("a");
    endpoint.replica.onBroadcast(CHANNEL, (payload) => heard.push(payload));
    for (let index = 0; index < 20_000; index++) endpoint.subscribe(CHANNEL, `topic ${index}`);
    cluster.time.advance(100);
    expect(cluster.largestFrame).toBeLessThan(49_152);
    cluster.start("c");
    cluster.time.advance(1_000);
    for (const name of ["b", "c"])
      for (const index of [0, 6_000, 19_999, 20_000])
        cluster.node(name).endpoint.replica.broadcast(CHANNEL, index, { topics: [`topic ${index}`] });
    cluster.time.advance(100);
    expect(heard.sort()).toEqual([0, 0, 19_999, 19_999, 6_000, 6_000]);
  });

  test("is not waited for twice where a peer does not know of interest, and that peer gets everything", () => {
    const sent: string[] = [];
    let nowMs = 0;
    const transport: Transport = {
      send: (_, frame) => void sent.push(decodeMessage(frame)!.type),
      congested: () => false,
      redial: () => undefined,
      refuse: () => undefined,
    };
    const clock = { now: () => nowMs, schedule: () => () => undefined };
    const endpoint = new Endpoint({
      replica: { name: "a", incarnation: 1 },
      transport: () => transport,
      clock,
    });
    endpoint.peerUp(replicaId("old", 1));
    const settled: string[] = [];
    endpoint.subscribe(CHANNEL, "red").whenKnown(() => settled.push("red"));
    endpoint.replica.broadcast(CHANNEL, 1, { topics: ["blue"] });
    expect(sent).toEqual(["heartbeat", "interest", "interest", "broadcast"]);
    nowMs += endpoint.replica.settings.interestTimeoutMs;
    endpoint.replica.tick(nowMs);
    expect(settled).toEqual(["red"]);
    endpoint.subscribe(CHANNEL, "green").whenKnown(() => settled.push("green"));
    expect(settled).toEqual(["red", "green"]);
  });
});
