/** A process of the cluster tests: a node, its HTTP API, and the guide's Phoenix socket. Takes its options as one JSON word. */
import { createServer } from "node:http";
import { PhoenixSocket } from "@presently/phoenix";
import { createNode } from "presently";

export interface PhoenixServerOptions {
  readonly name: string;
  readonly meshPort: number;
  readonly apiPort: number;
  readonly phoenixPort: number;
  readonly peers: readonly string[];
}

const options: PhoenixServerOptions = JSON.parse(process.argv[2]!);
const node = await createNode({
  name: options.name,
  cluster: "phoenix",
  secret: "a secret that only these tests share",
  mesh: { port: options.meshPort, peers: options.peers },
  http: { port: options.apiPort },
  heartbeatIntervalMs: 200,
  downAfterMs: 1_000,
});
const socket = new PhoenixSocket(node, {
  connect: (params) => (typeof params.user_id === "string" ? { userId: params.user_id } : null),
});
socket.channel("room:*", {
  presence: { key: (channel) => channel.assigns.userId },
  handleIn: {
    new_msg: (payload, channel) => channel.broadcast("new_msg", payload),
    away: (payload, channel) => void channel.update(channel.assigns.userId, { away: payload }),
  },
});
const server = createServer();
socket.attach(server);
server.listen(options.phoenixPort, "127.0.0.1", () => console.log("up"));

process.on("SIGTERM", async () => {
  await socket.drain();
  await node.stop({ handoffMs: 5_000 });
  server.close();
  server.closeAllConnections();
});
