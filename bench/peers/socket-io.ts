/**
 * Socket.IO with an adapter between its servers. A person is a socket in a room. Servers are not told of each other's
 * joins, so the application says them with `serverSideEmit`, as its documentation proposes for messages between servers;
 * who is in a room of the whole cluster is asked with `fetchSockets`.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter as createClusterAdapter } from "@socket.io/cluster-adapter";
import { createAdapter as createRedisAdapter } from "@socket.io/redis-adapter";
import { Server, type Socket } from "socket.io";
import {
  type ChangeType,
  type Listener,
  type Member,
  type Meta,
  nowMs,
  type OpenMember,
  Seats,
  touch,
} from "./member.ts";
import { connect } from "./redis.ts";

interface Told {
  readonly type: ChangeType;
  readonly room: string;
  readonly key: string;
  readonly meta?: Meta;
}
type Data = { meta?: Meta };
interface BetweenServers {
  presence(told: Told): void;
}
type None = Record<string, never>;

const SEATED_WITHIN_MS = 60_000;

/** Opens a server with the adapter over Redis. */
export const socketIoOverRedis: OpenMember = async ({ redisPort, seats }) =>
  open(seats, createRedisAdapter(await connect(redisPort!), await connect(redisPort!)));

/** Opens a server with the adapter over Node's `cluster`; the process must be a worker of it. */
export const socketIoOverCluster: OpenMember = ({ seats }) => open(seats, createClusterAdapter());

async function open(seatCount: number, adapter: unknown): Promise<Member> {
  const http = createServer();
  const io = new Server<None, None, BetweenServers, Data>(http, { adapter: adapter as never });
  const seats = new Seats<Socket<None, None, BetweenServers, Data>>();
  const listeners = new Map<string, Listener>();
  io.on("connection", (socket) => seats.add(socket));
  io.on("presence", ({ type, room, key }) => listeners.get(room)?.(type, key));
  // Workers of one cluster would otherwise be given the same port.
  http.listen({ port: 0, host: "127.0.0.1", exclusive: true });
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  return {
    address: `ws://127.0.0.1:${port}`,
    clientPort: port,
    async seated() {
      const startedAt = nowMs();
      while (seats.all.length < seatCount) {
        if (nowMs() - startedAt > SEATED_WITHIN_MS) throw new Error("the crowd does not come");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    join(room, key, meta) {
      const socket = seats.take(room, key);
      socket.data.meta = meta;
      void socket.join(room);
      io.serverSideEmit("presence", { type: "join", room, key, meta });
    },
    update(room, key, meta) {
      seats.of(room, key).data.meta = meta;
      io.serverSideEmit("presence", { type: "update", room, key, meta });
    },
    leave(room, key) {
      void seats.giveBack(room, key).leave(room);
      io.serverSideEmit("presence", { type: "leave", room, key });
    },
    watch(room, listener) {
      listeners.set(room, listener);
    },
    async list(room) {
      let members = 0;
      for (const { id, data } of await io.in(room).fetchSockets()) members += touch(id, data.meta);
      return members;
    },
  };
}
