/**
 * Every client's own list is right, whatever happened: histories from a seed, played with the real client of each system.
 *
 * Faye's clients have a file of their own, `faye-views.test.ts`.
 *
 * `SEED=… RUNS=… npx vitest run test/conformance/client-views.test.ts -t "phoenix 1.8"` plays others.
 */
import { describe, test, vi } from "vitest";
import { play, seedsOf } from "../helpers/client-view/play.ts";
import type { ViewWorld } from "../helpers/client-view/view-driver.ts";
import { AnyCableWorld } from "./anycable-view.ts";
import { PresentlyClientWorld } from "./client-view.ts";
import { EventStreamWorld } from "./event-stream-view.ts";
import { PhoenixWorld, phoenixKinds } from "./phoenix-view.ts";
import { SocketClusterWorld } from "./socketcluster-view.ts";
import { SocketIoWorld } from "./socketio-view.ts";

vi.setConfig({ testTimeout: 60_000 });

interface Protocol {
  readonly name: string;
  start(): Promise<ViewWorld>;
}

const protocols: readonly Protocol[] = [
  ...Object.entries(phoenixKinds).map(([name, kind]) => ({ name, start: () => PhoenixWorld.start(kind) })),
  { name: "@presently/client", start: () => PresentlyClientWorld.start() },
  { name: "@anycable/core", start: () => AnyCableWorld.start() },
  { name: "event streams", start: () => EventStreamWorld.start() },
  { name: "socketcluster-client", start: () => SocketClusterWorld.start() },
  { name: "socket.io-client", start: () => SocketIoWorld.start() },
];

describe.each(protocols)("$name: every client's own list is its node's", ({ start }) => {
  test.each(seedsOf([1, 2, 3]))("in history %i", async (seed) => {
    const world = await start();
    try {
      await play(world, seed, { clients: 6, topics: ["room:1", "room:2"], ticks: 60 });
    } finally {
      await world.stop();
    }
  });
});
