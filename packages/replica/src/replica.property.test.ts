import fc from "fast-check";
import { expect, test } from "vitest";
import { VirtualCluster, type VirtualNode } from "../../../test/helpers/virtual-cluster.ts";
import type { Session } from "./index.ts";

const NAMES = ["a", "b", "c", "d"];
const TOPICS = ["room:1", "room:2"];
const KEYS = ["ann", "bob", "cyd", "__proto__"];

type Step =
  | { do: "track"; node: number; session: number; topic: number; key: number; meta: number }
  | { do: "update"; node: number; session: number; topic: number; key: number; meta: number }
  | { do: "untrack"; node: number; session: number; topic: number; key: number }
  | { do: "close"; node: number; session: number }
  | { do: "batch"; node: number; session: number; topic: number }
  | { do: "remove"; node: number; topic: number; key: number }
  | { do: "cut" | "mend"; node: number; other: number }
  | { do: "crash" | "start" | "stop" | "pause" | "resume"; node: number; handoff: boolean }
  | { do: "advance"; ms: number };

const node = fc.nat(NAMES.length - 1);
const session = fc.nat(1);
const topic = fc.nat(TOPICS.length - 1);
const key = fc.nat(KEYS.length - 1);
const meta = fc.nat(9);
const at = { node, session, topic, key };

const change: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("track" as const), ...at, meta }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("update" as const), ...at, meta }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("untrack" as const), ...at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("close" as const), node, session }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("batch" as const), node, session, topic }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), node, topic, key }) },
);
const fault: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "mend" as const), node, other: node }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "crash" as const,
        "start" as const,
        "start" as const,
        "stop" as const,
        "pause" as const,
        "resume" as const,
      ),
      node,
      handoff: fc.boolean(),
    }),
  },
);
const advance: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("advance" as const),
  ms: fc.oneof(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 100, max: 2_000 }),
    fc.integer({ min: 5_000, max: 40_000 }),
  ),
});
const history = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: change },
    { weight: 1, arbitrary: fault },
    { weight: 3, arbitrary: advance },
  ),
  { maxLength: 60 },
);

class World {
  readonly cluster: VirtualCluster;
  /** What sessions of running nodes hold, by the calls that were made and by what they were told. */
  readonly held = new Map<Session, Set<string>>();

  constructor(seed: number) {
    this.cluster = new VirtualCluster(NAMES, {
      seed: `${seed}`,
      topics: TOPICS,
      replica: { evictAfterMs: 30_000, logSizeMax: 8 },
    });
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      this.step(step);
      this.cluster.checkWatchers();
    }
  }

  private step(step: Step): void {
    if (step.do === "advance") {
      this.cluster.time.advance(step.ms);
      return;
    }
    const name = NAMES[step.node]!;
    const running = this.cluster.nodes.get(name);
    if (step.do === "start") {
      if (running === undefined) this.cluster.start(name);
      return;
    }
    if (running === undefined) return;
    if (step.do === "cut" || step.do === "mend") {
      if (step.node !== step.other) this.cluster[step.do](name, NAMES[step.other]!);
    } else if (step.do === "crash" || step.do === "stop") {
      if (this.cluster.nodes.size === 1 || running.paused) return;
      if (step.do === "crash") this.cluster.crash(name);
      else this.cluster.stop(name, step.handoff ? 3_000 : 0);
    } else if (step.do === "pause" || step.do === "resume") this.cluster[step.do](name);
    else if (!running.paused) this.change(running, step);
  }

  private change(running: VirtualNode, step: Exclude<Step, { do: "advance" }>): void {
    const { replica } = running.endpoint;
    if (step.do === "remove") {
      replica.remove(TOPICS[step.topic]!, KEYS[step.key]!);
      return;
    }
    if (!("session" in step)) return;
    const session = this.session(running, step.session);
    const held = this.held.get(session)!;
    if (step.do === "close") {
      session.close();
      held.clear();
    } else if (step.do === "batch") {
      replica.batch(() => {
        for (const key of KEYS) {
          session.track(TOPICS[step.topic]!, key, { batch: true });
          held.add(`${TOPICS[step.topic]} ${key}`);
        }
        session.untrack(TOPICS[step.topic]!, KEYS[0]!);
        held.delete(`${TOPICS[step.topic]} ${KEYS[0]}`);
      });
    } else {
      const [topic, key] = [TOPICS[step.topic]!, KEYS[step.key]!];
      if (step.do === "untrack") {
        expect(session.untrack(topic, key)).toBe(held.delete(`${topic} ${key}`));
      } else if (step.do === "track") {
        session.track(topic, key, { n: step.meta });
        held.add(`${topic} ${key}`);
      } else if (held.has(`${topic} ${key}`)) session.update(topic, key, () => ({ n: step.meta }));
      if (step.do !== "untrack" && held.has(`${topic} ${key}`))
        expect(session.get(topic, key)!.meta).toEqual({ n: step.meta });
    }
  }

  private session(running: VirtualNode, index: number): Session {
    let session = running.sessions[index];
    if (session === undefined || session.closed) {
      session = running.endpoint.replica.session();
      running.sessions[index] = session;
      const held = new Set<string>();
      this.held.set(session, held);
      session.onRemoved(({ topic, key }) => expect(held.delete(`${topic} ${key}`)).toBe(true));
    }
    return session;
  }

  /** The cluster is whole again and has been left alone. */
  checkConvergence(): void {
    this.cluster.mendAll();
    this.cluster.time.advance(45_000);
    this.cluster.checkWatchers();
    const truth = new Map<string, string[]>(TOPICS.map((topic) => [topic, []]));
    for (const { sessions } of this.cluster.nodes.values()) {
      for (const session of sessions) {
        if (session === undefined) continue;
        expect(session.size).toBe(this.held.get(session)!.size);
        for (const topic of TOPICS) {
          for (const key of KEYS) {
            const presence = session.get(topic, key);
            expect(presence !== undefined).toBe(this.held.get(session)!.has(`${topic} ${key}`));
            if (presence !== undefined) truth.get(topic)!.push(`${key} ${presence.ref}`);
          }
        }
      }
    }
    for (const topic of TOPICS) {
      for (const [name, view] of this.cluster.views(topic))
        expect(view, `${topic} at ${name}`).toEqual(truth.get(topic)!.sort());
    }
    for (const { endpoint } of this.cluster.nodes.values()) {
      for (const report of endpoint.cluster().slice(1)) {
        expect([report.replica, report.status, report.agrees]).toEqual([report.replica, "up", true]);
      }
      expect(endpoint.cluster()).toHaveLength(this.cluster.nodes.size);
      expect(endpoint.replica.synced).toBe(true);
    }
  }
}

test("whatever happened, a healed cluster shows exactly what live sessions hold, and watchers saw it happen", () => {
  fc.assert(
    fc.property(fc.nat(), history, (seed, steps) => {
      const world = new World(seed);
      world.run(steps);
      world.checkConvergence();
    }),
    { numRuns: Number(process.env.RUNS ?? 300) },
  );
});
