/**
 * Every client's own list is right, whatever happened: histories from a seed, played with the real client of each system.
 *
 * `SEED=… RUNS=… npx vitest run test/conformance/client-views.test.ts -t "phoenix 1.8"` plays others.
 */
import { describe, test, vi } from "vitest";
import { play, seedsOf } from "../helpers/client-view/play.ts";
import type { ViewWorld } from "../helpers/client-view/view-driver.ts";
import { AnyCableWorld } from "./anycable-view.ts";
import { PresentlyClientWorld } from "./client-view.ts";
import type { Transport } from "./faye-client.ts";
import { FayeWorld } from "./faye-view.ts";
import { PhoenixWorld, phoenixKinds } from "./phoenix-view.ts";

vi.setConfig({ testTimeout: 60_000 });

interface Protocol {
  readonly name: string;
  start(): Promise<ViewWorld>;
  readonly topics?: readonly string[];
}

const faye = (transport: Transport): Protocol => ({
  name: `faye by ${transport}`,
  start: () => FayeWorld.start(transport, { setup: { broadcast: true } }),
  topics: ["/presence/one", "/presence/two"],
});

const protocols: readonly Protocol[] = [
  ...Object.entries(phoenixKinds).map(([name, kind]) => ({ name, start: () => PhoenixWorld.start(kind) })),
  { name: "@presently/client", start: () => PresentlyClientWorld.start() },
  { name: "@anycable/core", start: () => AnyCableWorld.start() },
  faye("websocket"),
  faye("long-polling"),
];

describe.each(protocols)(
  "$name: every client's own list is its node's",
  ({ start, topics = ["room:1", "room:2"] }) => {
    test.each(seedsOf([1, 2, 3]))("in history %i", async (seed) => {
      const world = await start();
      try {
        await play(world, seed, { clients: 6, topics, ticks: 60 });
      } finally {
        await world.stop();
      }
    });
  },
);
