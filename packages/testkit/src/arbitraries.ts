/** fast-check arbitraries of operations, faults and whole scenarios. Every value is valid, and so is everything it shrinks to. */
import fc from "fast-check";
import {
  FAULTS,
  type Fault,
  type FaultStep,
  KEYS,
  LIES,
  METAS,
  type OperationStep,
  type Scenario,
  SESSIONS_PER_NODE,
  type Step,
  TOPICS,
} from "./scenario.ts";

type Kind<K> = Extract<Step, { do: K }>;
type Weighted = fc.WeightedArbitrary<Step>;

function step<K extends Step["do"]>(
  weight: number,
  kind: K,
  fields: { [F in keyof Omit<Kind<K>, "do">]: fc.Arbitrary<Kind<K>[F]> },
): Weighted {
  return { weight, arbitrary: fc.record({ do: fc.constant(kind), ...fields }) as fc.Arbitrary<never> };
}

/** Changes of presence at one of so many nodes. */
export function operations(nodes: number): fc.Arbitrary<OperationStep> {
  return fc.oneof(...operationSteps(nodes)) as fc.Arbitrary<OperationStep>;
}

function operationSteps(nodes: number): Weighted[] {
  const node = fc.nat(nodes - 1);
  const session = oftenFirst(SESSIONS_PER_NODE);
  const topic = oftenFirst(TOPICS.length);
  const key = oftenFirst(KEYS.length);
  // Most are small: what is looked for does not depend on them, but where it does.
  const meta = fc.oneof(
    { weight: 3, arbitrary: fc.nat(9) },
    { weight: 1, arbitrary: fc.nat(METAS.length - 1) },
  );
  return [
    step(8, "track", { node, session, topic, key, meta }),
    step(3, "update", { node, session, topic, key, meta }),
    step(4, "untrack", { node, session, topic, key }),
    step(1, "close", { node, session }),
    step(3, "batch", { node, session, topic }),
    step(3, "kick", { node, topic, key }),
  ];
}

/** An index into so many: most often the first, so that changes meet. */
function oftenFirst(count: number): fc.Arbitrary<number> {
  return fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(count - 1) });
}

/** Faults of these kinds among so many nodes, and what puts them right. */
export function faults(nodes: number, kinds: readonly Fault[] = FAULTS): fc.Arbitrary<FaultStep> {
  return fc.oneof(...faultSteps(nodes, kinds)) as fc.Arbitrary<FaultStep>;
}

function faultSteps(nodes: number, kinds: readonly Fault[]): Weighted[] {
  const node = fc.nat(nodes - 1);
  const between = { node, other: node };
  const back = kinds.includes("clocks")
    ? fc.integer({ min: 0, max: 3 }).map((n) => n === 3)
    : fc.constant(false);
  const handoffMs = fc.constantFrom(0, 3_000);
  const bytesPerSecond = fc.constantFrom(300, 3_000);
  const restarts = step(3, "start", { node, back });
  const mends = [step(3, "mend", between), step(1, "mend-all", {})];
  const byKind: Record<Fault, Weighted[]> = {
    cuts: [
      step(4, "cut", between),
      step(1, "partition", { nodes: fc.integer({ min: 1, max: 2 ** nodes - 2 }) }),
      ...mends,
    ],
    stalls: [step(4, "stall", between), ...mends],
    slow: [step(4, "slow", { ...between, bytesPerSecond }), ...mends],
    pauses: [step(2, "pause", { node }), step(2, "resume", { node })],
    crashes: [step(2, "crash", { node, vanish: fc.boolean() }), restarts],
    stops: [step(2, "stop", { node, handoffMs }), restarts],
    clocks: [],
    moves: [step(1, "move", { node })],
    evictions: [step(1, "evict", between)],
    lies: [step(2, "lie", { ...between, lie: fc.nat(2 * LIES.length - 1) })],
    echoes: [step(2, "echo", { node, past: fc.nat(5) })],
    throws: [step(2, "throw", { node, times: fc.integer({ min: 1, max: 5 }) })],
  };
  return kinds.flatMap((kind) => byKind[kind]);
}

/** Time passes: a moment, some heartbeats, or longer than every time-out. */
export function pauses(): fc.Arbitrary<Step> {
  const ms = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 30 }) },
    { weight: 3, arbitrary: fc.integer({ min: 100, max: 3_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 5_000, max: 40_000 }) },
  );
  return fc.record({ do: fc.constant("advance" as const), ms });
}

/** How large the histories are that are drawn, and what may go wrong in them. */
export interface ScenarioOptions {
  /** Default 2 to 5. */
  readonly nodes?: number | { readonly min: number; readonly max: number };
  /** Default all. */
  readonly faults?: readonly Fault[];
  /** Default 60. */
  readonly stepsMax?: number;
  /** Steps of the application under test, instead of operations of our own. */
  readonly application?: (nodes: number) => fc.Arbitrary<Step>;
}

/** Whole histories. */
export function scenarios(options: ScenarioOptions = {}): fc.Arbitrary<Scenario> {
  const { nodes = { min: 2, max: 5 }, faults: kinds = FAULTS, stepsMax = 60 } = options;
  const counts = typeof nodes === "number" ? fc.constant(nodes) : fc.integer(nodes);
  return counts.chain((count) => {
    const any = [
      { weight: 5, arbitrary: options.application?.(count) ?? operations(count) },
      { weight: 4, arbitrary: pauses() },
    ];
    const wrong = count > 1 ? faultSteps(count, kinds) : [];
    if (wrong.length > 0) any.push({ weight: 2, arbitrary: fc.oneof(...wrong) });
    return fc.record({
      // Another seed is another history: shrinking it would only lose the failure.
      seed: fc.noShrink(fc.nat()),
      nodes: fc.constant(count),
      logSizeMax: fc.constantFrom(1_000, 8),
      steps: fc.array(fc.oneof(...any), { maxLength: stepsMax, size: "max" }),
    });
  });
}
