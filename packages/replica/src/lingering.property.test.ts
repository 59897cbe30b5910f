/** Whoever comes back while it lingers was never away, whatever else goes on in the cluster. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";
import type { Session } from "./session.ts";

const T = "room:lobby";
const NAMES = ["a", "b", "c"];
const KEYS = ["alice", "bob", "carol"];
const LINGER_MS = 3_000;

type Step =
  | { do: "track" | "drop" | "close" | "kick"; node: number; key: number }
  | { do: "cut" | "mend"; node: number; other: number }
  | { do: "crash" | "stop"; node: number }
  | { do: "pass"; ms: number };

const node = fc.nat(NAMES.length - 1);
const key = fc.nat(KEYS.length - 1);
const pass = fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 2_500 }) });
const person = (...kinds: ("track" | "drop" | "close" | "kick")[]) =>
  fc.record({ do: fc.constantFrom(...kinds), node, key });
const restart = fc.record({ do: fc.constantFrom("crash" as const, "stop"), node });
const weather = fc.record({ do: fc.constantFrom("cut" as const, "mend" as const), node, other: node });

/** Every node's people: one session for each key, so that a person is connected to each node once at most. */
class World {
  readonly cluster: VirtualCluster;
  private readonly sessions = new Map<string, Session>();

  constructor(seed: number) {
    this.cluster = new VirtualCluster(NAMES, { topics: [T], seed: String(seed) });
    this.cluster.time.advance(2_000);
  }

  run(step: Step): void {
    if (step.do === "pass") this.cluster.time.advance(step.ms);
    else if (step.do === "cut" || step.do === "mend") {
      if (step.node !== step.other) this.cluster[step.do](NAMES[step.node]!, NAMES[step.other]!);
    } else if (step.do === "crash" || step.do === "stop") this.restart(step.do, step.node);
    else if ("key" in step) this.change(step);
    this.cluster.checkWatchers();
  }

  /** Whoever was connected there is so no more, lingering or not. */
  private restart(how: "crash" | "stop", node: number): void {
    const name = NAMES[node]!;
    if (how === "crash") this.cluster.crash(name);
    else this.cluster.stop(name, LINGER_MS / 2);
    for (const id of [...this.sessions.keys()]) if (id.startsWith(`${node} `)) this.sessions.delete(id);
    this.cluster.time.advance(LINGER_MS / 4);
    this.cluster.start(name);
  }

  private change({ do: what, node, key }: Extract<Step, { key: number }>): void {
    const { replica } = this.cluster.node(NAMES[node]!).endpoint;
    const id = `${node} ${key}`;
    const session = this.sessions.get(id);
    if (what === "kick") replica.remove(T, KEYS[key]!);
    else if (what === "track") {
      const own =
        session === undefined || session.closed ? replica.session({ lingerMs: LINGER_MS }) : session;
      this.sessions.set(id, own);
      own.track(T, KEYS[key]!, { node });
    } else session?.[what]();
  }

  /** What live sessions hold, once nothing lingers any more. */
  expectTruth(): void {
    const held = [...this.sessions]
      .filter(([, session]) => !session.closed && session.size > 0)
      .map(([id]) => `${KEYS[Number(id.split(" ")[1])]} ${NAMES[Number(id.split(" ")[0])]}`)
      .sort();
    for (const name of NAMES) {
      const { replica } = this.cluster.node(name).endpoint;
      expect(
        replica
          .list(T)
          .map(({ key, node }) => `${key} ${node}`)
          .sort(),
      ).toEqual(held);
      for (const other of this.cluster.node(name).endpoint.cluster().slice(1))
        expect(other.agrees).toBe(true);
    }
  }
}

test("whatever lingers, comes back, is kicked or cut off, all agree in the end on what live sessions hold", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(
        fc.oneof(person("track", "drop", "close", "kick"), person("track", "drop"), weather, pass, restart),
        {
          size: "max",
          maxLength: 60,
        },
      ),
      (seed, steps) => {
        const world = new World(seed);
        for (const step of steps) world.run(step);
        world.cluster.mendAll();
        world.cluster.time.advance(LINGER_MS + 20_000);
        world.cluster.checkWatchers();
        world.expectTruth();
      },
    ),
    { numRuns: 60 },
  );
});

test("a person that always comes back in time, to whichever node, is never seen to leave or to join again", () => {
  const awayMs = fc.integer({ min: 100, max: LINGER_MS - 500 });
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(fc.tuple(node, awayMs), { minLength: 1, maxLength: 15 }),
      (seed, moves) => {
        const world = new World(seed);
        world.run({ do: "track", node: 0, key: 0 });
        world.run({ do: "pass", ms: 500 });
        let last = 0;
        for (const [node, ms] of moves) {
          world.run({ do: "drop", node: last, key: 0 });
          world.run({ do: "pass", ms });
          world.run({ do: "track", node, key: 0 });
          world.run({ do: "pass", ms: 500 });
          last = node;
        }
        world.run({ do: "pass", ms: 2 * LINGER_MS });
        for (const name of NAMES) {
          const events = world.cluster.node(name).watched.get(T)!.events;
          expect(events[0]).toBe("+alice");
          expect(new Set(events.slice(1))).toEqual(new Set(["~alice"]));
        }
      },
    ),
    { numRuns: 60 },
  );
});
