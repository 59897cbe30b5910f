/** A process of the cluster tests: a node and a Socket.IO server with presence. Takes its options as one JSON word. */
import { createServer } from "node:http";
import { presence, presently } from "@presently/socket.io";
import { createNode } from "presently";
import { Server } from "socket.io";

export interface SocketIoServerOptions {
  readonly name: string;
  readonly meshPort: number;
  readonly port: number;
  readonly peers: readonly string[];
  readonly askMs: number;
}

/** What a server answers to `fetch`. */
export interface Fetched {
  readonly ids?: readonly string[];
  readonly ms: number;
  readonly error?: string;
}

const options: SocketIoServerOptions = JSON.parse(process.argv[2]!);
const node = await createNode({
  name: options.name,
  cluster: "socket.io",
  secret: "a secret that only these tests share",
  logLevel: "silent",
  handoffMs: 0,
  mesh: { port: options.meshPort, peers: options.peers },
});
const server = createServer();
const io = new Server(server, { adapter: presently(node, { askMs: options.askMs }) });
presence(io, node, { identify: (socket) => socket.handshake.auth.user as string });
process.on("unhandledRejection", (reason) => {
  console.error("unhandled", reason);
  process.exit(1);
});
io.on("connection", (socket) => {
  void socket.join("room");
  socket.presence.track("room");
  socket.on("fetch", async (answer: (fetched: Fetched) => void) => {
    const startedAt = performance.now();
    const passed = () => performance.now() - startedAt;
    try {
      const ids = (await io.fetchSockets()).map(({ id }) => id);
      answer({ ids, ms: passed() });
    } catch (error) {
      answer({ error: String(error), ms: passed() });
    }
  });
  socket.on("people", (answer: (people: readonly string[]) => void) =>
    answer(io.presence.list("room").map(({ key }) => key)),
  );
  socket.on("ask all", async (room: string, answer: (answers: unknown) => void) => {
    answer(
      await io
        .to(room)
        .timeout(3_000)
        .emitWithAck("q")
        .catch(({ message, responses }) => ({ message, responses })),
    );
  });
});
await node.whenReady();
server.listen(options.port, "127.0.0.1", () => console.log("up"));

process.on("SIGTERM", async () => {
  await io.close();
  await node.stop();
});
