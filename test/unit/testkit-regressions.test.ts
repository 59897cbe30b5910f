/** Histories that once broke a promise, as small as they could be made. Kept for ever. */
import { replay, type Scenario } from "@presently/testkit";
import { expect, test } from "vitest";

const HISTORIES: readonly (readonly [string, Scenario])[] = [
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
];

test.each(HISTORIES)("%s", (_, scenario) => {
  const { error, timeline } = replay(scenario);
  expect(error, timeline).toBeUndefined();
});
