/** A process of the cluster tests: a Colyseus server with our presence and driver. Takes its options as one JSON word. */
import { createServer } from "node:http";
import { type Client, matchMaker, Room, Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { PresentlyDriver, PresentlyPresence } from "@presently/colyseus";

export interface ColyseusServerOptions {
  readonly port: number;
  /** Processes with the same name find each other. */
  readonly name: string;
  readonly folder: string;
  readonly processes: number;
}

/** What the parent may ask for; each is answered by a message with the same `id`. */
export type Question = {
  readonly id: number;
  readonly ask: "rooms" | "processes" | "ccu" | "channels" | "lobby";
};

class GameRoom extends Room {
  override maxClients = 200;

  override onCreate() {
    this.onMessage("echo", (client, message) => client.send("echo", { message, pid: process.pid }));
  }

  override async onLeave(client: Client, consented: boolean) {
    if (consented) return;
    // Who does not come back in time is gone: that is no error.
    await this.allowReconnection(client, 10).catch(() => undefined);
  }
}

class FourRoom extends Room {
  override maxClients = 4;
}

const options: ColyseusServerOptions = JSON.parse(process.argv[2]!);
const { name, folder, processes } = options;
const presence = PresentlyPresence.local({
  name,
  folder,
  processes,
  node: { heartbeatIntervalMs: 200, downAfterMs: 1_000 },
});
const server = new Server({
  presence,
  driver: new PresentlyDriver(presence),
  transport: new WebSocketTransport({ server: createServer() }),
  publicAddress: `127.0.0.1:${options.port}`,
  greet: false,
});
server.define("game", GameRoom).filterBy(["mode"]);
server.define("four", FourRoom);
server.onShutdown(() => presence.shutdown());
await server.listen(options.port, "127.0.0.1");

/** What lobbies of this process are told. */
const lobby: unknown[] = [];
await presence.subscribe("$lobby", (message: unknown) => lobby.push(message));

process.on("message", async ({ id, ask }: Question) => {
  const rooms = async () =>
    (await matchMaker.query({})).map(({ roomId, processId, clients }) => ({ roomId, processId, clients }));
  const answer =
    ask === "rooms"
      ? await rooms()
      : ask === "processes"
        ? (await matchMaker.stats.fetchAll()).map(({ processId }) => processId)
        : ask === "ccu"
          ? await matchMaker.stats.getGlobalCCU()
          : ask === "lobby"
            ? lobby
            : await presence.channels("p:*");
  process.send?.({ id, answer });
});
process.send?.({ id: 0, answer: matchMaker.processId });
