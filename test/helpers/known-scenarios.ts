/** Histories that are worth running every time, as small as they could be made. Kept for ever. */
import type { Scenario } from "@presently/testkit";

/** By what they show. */
export const KNOWN_SCENARIOS: readonly (readonly [string, Scenario])[] = [
  // Once broke a promise.
  [
    "a replica that takes a new incarnation in the middle of a full sync keeps what it already shows",
    {
      seed: 485807391,
      nodes: 3,
      logSizeMax: 8,
      steps: [
        { do: "track", node: 2, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "batch", node: 1, session: 0, topic: 0 },
        { do: "batch", node: 1, session: 0, topic: 0 },
        { do: "move", node: 0 },
      ],
    },
  ],
  [
    // b removes what a holds, and says goodbye while a is cut off: a kept b in its digests for the 20 minutes of
    // `evictAfterMs`, and so could not see that it differed; the others fetched its whole state with every heartbeat.
    "a removal that its owner never saw is settled although the owner missed the remover's goodbye",
    {
      seed: 1967637940,
      nodes: 5,
      logSizeMax: 1000,
      steps: [
        { do: "batch", node: 0, session: 0, topic: 0 },
        { do: "batch", node: 1, session: 0, topic: 0 },
        { do: "advance", ms: 100 },
        { do: "advance", ms: 100 },
        { do: "kick", node: 1, topic: 0, key: 1 },
        { do: "partition", nodes: 1 },
        { do: "stop", node: 1, handoffMs: 0 },
        { do: "advance", ms: 100 },
      ],
    },
  ],
  // Too rare for chance.
  [
    "the end of a hand-off takes nothing from the next life of the node",
    {
      seed: 1,
      nodes: 3,
      logSizeMax: 1000,
      steps: [
        { do: "track", node: 0, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "advance", ms: 2_000 },
        { do: "stop", node: 0, handoffMs: 3_000 },
        { do: "advance", ms: 300 },
        { do: "start", node: 0, back: false },
        { do: "track", node: 0, session: 0, topic: 0, key: 1, meta: 0 },
        { do: "advance", ms: 5_000 },
      ],
    },
  ],
  [
    "who forgets one replica still knows what another has removed",
    {
      seed: 1,
      nodes: 4,
      logSizeMax: 1000,
      steps: [
        { do: "advance", ms: 2_000 },
        { do: "stall", node: 0, other: 2 },
        { do: "track", node: 0, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "advance", ms: 100 },
        { do: "kick", node: 1, topic: 0, key: 0 },
        { do: "advance", ms: 100 },
        { do: "evict", node: 2, other: 3 },
        { do: "advance", ms: 100 },
      ],
    },
  ],
  [
    "a newcomer never takes one that has been dead for long for one that is alive",
    {
      seed: 1,
      nodes: 3,
      logSizeMax: 1000,
      steps: [
        { do: "crash", node: 2, vanish: false },
        { do: "track", node: 1, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "advance", ms: 3_000 },
        { do: "crash", node: 1, vanish: false },
        { do: "advance", ms: 15_000 },
        { do: "start", node: 2, back: false },
        { do: "advance", ms: 1_000 },
      ],
    },
  ],
  [
    "a goodbye that is still on its way to others is not undone by what they say",
    {
      seed: 1,
      nodes: 3,
      logSizeMax: 1000,
      steps: [
        { do: "track", node: 0, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "advance", ms: 3_000 },
        { do: "stall", node: 0, other: 2 },
        { do: "stall", node: 1, other: 2 },
        { do: "stop", node: 0, handoffMs: 0 },
        { do: "advance", ms: 2_000 },
      ],
    },
  ],
  [
    "whoever took a leaver's key while cut off is told as its update when it is seen again",
    {
      seed: 13,
      nodes: 3,
      logSizeMax: 8,
      steps: [
        { do: "advance", ms: 100 },
        { do: "track", node: 0, session: 0, topic: 1, key: 0, meta: 0 },
        { do: "stop", node: 0, handoffMs: 2_958 },
        { do: "advance", ms: 1_000 },
        { do: "partition", nodes: 18 },
        { do: "track", node: 1, session: 0, topic: 1, key: 0, meta: 0 },
        { do: "advance", ms: 1_000 },
      ],
    },
  ],
  [
    "two processes of one name that keep renaming themselves ask for the same again, and are answered within the bounds",
    {
      seed: 171277586,
      nodes: 3,
      logSizeMax: 8,
      steps: [
        { do: "batch", node: 2, session: 0, topic: 0 },
        { do: "advance", ms: 100 },
        { do: "move", node: 1 },
      ],
    },
  ],
  [
    "whoever was superseded by a life that has gone again is told so by those that had a link with it",
    {
      seed: 658222373,
      nodes: 3,
      logSizeMax: 1000,
      steps: [
        { do: "advance", ms: 100 },
        { do: "move", node: 0 },
        { do: "advance", ms: 19 },
        { do: "stop", node: 0, handoffMs: 0 },
      ],
    },
  ],
  [
    "an entry that a full exchange took and that came back is not beside its old self on a node that slept meanwhile",
    {
      seed: 1874096815,
      nodes: 4,
      logSizeMax: 1000,
      steps: [
        { do: "advance", ms: 2_998 },
        { do: "track", node: 2, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "pause", node: 0 },
        { do: "track", node: 3, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "advance", ms: 1_000 },
        { do: "kick", node: 2, topic: 0, key: 0 },
        { do: "stop", node: 2, handoffMs: 0 },
        { do: "advance", ms: 1_000 },
        { do: "batch", node: 3, session: 0, topic: 0 },
      ],
    },
  ],
  [
    "who started with its clock set back while it was cut off goes on when the cut heals",
    {
      seed: 1,
      nodes: 3,
      logSizeMax: 8,
      steps: [
        { do: "track", node: 2, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "advance", ms: 3_000 },
        { do: "crash", node: 2, vanish: true },
        { do: "partition", nodes: 4 },
        { do: "start", node: 2, back: true },
        { do: "track", node: 2, session: 0, topic: 0, key: 1, meta: 1 },
        { do: "advance", ms: 20_000 },
      ],
    },
  ],
  [
    "a removal that a full state brings waits for the entry that it removes",
    {
      seed: 1,
      nodes: 4,
      logSizeMax: 8,
      steps: [
        { do: "cut", node: 0, other: 2 },
        { do: "partition", nodes: 8 },
        { do: "advance", ms: 3_000 },
        { do: "batch", node: 1, session: 0, topic: 1 },
        { do: "batch", node: 1, session: 0, topic: 1 },
        { do: "batch", node: 1, session: 0, topic: 1 },
        { do: "advance", ms: 3_000 },
        { do: "track", node: 0, session: 0, topic: 0, key: 0, meta: 0 },
        { do: "advance", ms: 20 },
        { do: "kick", node: 1, topic: 0, key: 0 },
        { do: "advance", ms: 20 },
        { do: "cut", node: 1, other: 2 },
        { do: "mend", node: 2, other: 3 },
        { do: "advance", ms: 1_500 },
        { do: "cut", node: 2, other: 3 },
        { do: "mend", node: 0, other: 3 },
        { do: "advance", ms: 1_500 },
      ],
    },
  ],
];
