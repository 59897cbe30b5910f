/** A history to be: everything that is done to a cluster, as plain data that can be written down and run again. */
import type { Meta } from "@presently/replica";

/** Something that is done through the API of a node. Sessions, topics, keys and metas are numbers into small fixed lists. */
export type OperationStep =
  | { do: "track"; node: number; session: number; topic: number; key: number; meta: number }
  | { do: "update"; node: number; session: number; topic: number; key: number; meta: number }
  | { do: "untrack"; node: number; session: number; topic: number; key: number }
  | { do: "close"; node: number; session: number }
  /** All keys on one topic, and one of them taken back, as one change. */
  | { do: "batch"; node: number; session: number; topic: number }
  /** Removes what is seen under a key, whoever holds it. */
  | { do: "kick"; node: number; topic: number; key: number };

/** Something that goes wrong, or is put right. */
export type FaultStep =
  | { do: "cut"; node: number; other: number }
  | { do: "mend"; node: number; other: number }
  | { do: "mend-all" }
  /** Cuts the nodes whose bits are set from the others. */
  | { do: "partition"; nodes: number }
  | { do: "stall"; node: number; other: number }
  | { do: "slow"; node: number; other: number; bytesPerSecond: number }
  | { do: "pause"; node: number }
  | { do: "resume"; node: number }
  | { do: "crash"; node: number; vanish: boolean }
  /** `back`: its clock was set back, so that it comes with an older incarnation than before. */
  | { do: "start"; node: number; back: boolean }
  /** Starts another process of the node on another host, whatever becomes of the first. */
  | { do: "move"; node: number }
  | { do: "stop"; node: number; handoffMs: number }
  /** An operator orders one node to forget another. */
  | { do: "evict"; node: number; other: number }
  /** What the node says of the other is not true: `lie` says which of `LIES`. */
  | { do: "lie"; node: number; other: number; lie: number }
  /** A broker delivers an old greeting: the node hears of one of its own earlier lives, or of one that never was. */
  | { do: "echo"; node: number; past: number }
  /** What listens on the node, or takes its notices, throws so many times. */
  | { do: "throw"; node: number; times: number };

/** What a node that lies says of another to all its peers; the last is said to that one alone. */
export const LIES = [
  "that it has a newer incarnation",
  "that it has made more events than it has",
  "to itself, that it has a newer incarnation",
] as const;

/** An operation of the application under test. */
export interface ApplicationStep {
  readonly do: "app";
  readonly node: number;
  readonly operation: string;
  readonly input: unknown;
}

/** One step of a history: an operation, a fault, a step of the application under test, or time that passes (`ms`). */
export type Step = Readonly<OperationStep | FaultStep | ApplicationStep | { do: "advance"; ms: number }>;

/** A kind of thing that goes wrong in a scenario. */
export type Fault =
  | "cuts"
  | "stalls"
  | "slow"
  | "pauses"
  | "crashes"
  | "stops"
  | "clocks"
  | "moves"
  | "evictions"
  | "lies"
  | "echoes"
  | "throws";

/** The kinds of faults that histories have unless told otherwise: what the world does. */
export const FAULTS: readonly Fault[] = [
  "cuts",
  "stalls",
  "slow",
  "pauses",
  "crashes",
  "stops",
  "clocks",
  "moves",
  "evictions",
];

/** What others do: peers that lie, brokers that deliver what is old, listeners that throw. Asked for by name. */
export const HOSTILE_FAULTS: readonly Fault[] = ["lies", "echoes", "throws"];

/** A whole history as plain JSON: what it starts from and every step, so that it can be written down and run again. */
export interface Scenario {
  /** Latencies, clocks, jitter and gossip partners follow from it. */
  readonly seed: number;
  /** How many nodes there are. */
  readonly nodes: number;
  /** Adds and removes that replicas keep for each other: a small log makes full syncs common. */
  readonly logSizeMax: number;
  readonly steps: readonly Step[];
}

/** The topics of scenarios, which every node watches. */
export const TOPICS: readonly string[] = ["room:1", "room:2"];
/** The keys that scenarios track; one has a name that a careless map would trip over. */
export const KEYS: readonly string[] = ["ann", "bob", "cyd", "__proto__", "\ufeff\u00e9", "\ufeffe\u0301"];
/** Those that a batch tracks. */
export const BATCH_KEYS: readonly string[] = KEYS.slice(0, 4);
export const SESSIONS_PER_NODE = 2;

const TEXTS: readonly Meta[] = [
  { composed: "\u00e9", decomposed: "e\u0301" },
  { composed: "e\u0301", decomposed: "\u00e9" },
  { "\u00e9": 1, "e\u0301": 2 },
  { mark: "\ufeff", "\ufeff": "\ufeffx" },
  { nul: "a\u0000b", "\u0000": "" },
  { "": [null, -1.5, { deep: ["\ud83d\ude00"] }] },
  { 2: "numbers", 1: "first", constructor: "x" },
  { long: "long \u00e9\ud83d\ude00 ".repeat(20) },
];
/** Half a surrogate pair: a node must refuse it. */
const REFUSED: readonly Meta[] = [
  { half: "ab\ud83d" },
  { half: ["\ude00ab"] },
  { "\ud800": 1 },
  { deep: { "\udfff": {} } },
];
const NUMBERS: readonly Meta[] = Array.from({ length: 10 }, (_, n) => ({ n }));

/** The metas of scenarios: numbers, texts that a careless codec would change, and some that no node may take. */
export const METAS: readonly Meta[] = [...NUMBERS, ...TEXTS, ...REFUSED];

/** What a step tracks, and whether a node must refuse it. */
export function metaOf(step: { readonly meta: number }): {
  readonly meta: Meta;
  readonly isRefused: boolean;
} {
  const index = step.meta % METAS.length;
  return { meta: METAS[index]!, isRefused: index >= METAS.length - REFUSED.length };
}
