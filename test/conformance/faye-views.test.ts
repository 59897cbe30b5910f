/**
 * Every Faye client's own list is right, whatever happened: histories from a seed, played with the npm client.
 *
 * `SEED=… RUNS=… npx vitest run test/conformance/faye-views.test.ts` plays others.
 */
import { describe, test, vi } from "vitest";
import { play, seedsOf } from "../helpers/client-view/play.ts";
import type { Transport } from "./faye-client.ts";
import { FayeWorld } from "./faye-view.ts";

vi.setConfig({ testTimeout: 60_000 });

const HISTORY = { clients: 6, topics: ["/presence/one", "/presence/two"], ticks: 60 };

const TRANSPORTS: Transport[] = ["websocket", "long-polling"];

describe.each(TRANSPORTS)("over %s, every client's own list is its node's", (transport) => {
  test.each(seedsOf([1, 2, 3]))("in history %i", async (seed) => {
    const world = await FayeWorld.start(transport, { setup: { broadcast: true } });
    try {
      await play(world, seed, HISTORY);
    } finally {
      await world.stop();
    }
  });
});
