/**
 * The tables of SocketCluster whose names clients choose.
 *
 * SocketCluster 20 keeps what is subscribed to, listened to and called in plain objects. There, `toString` is a stream that
 * cannot be written to, and one event of this name ends the process; a channel `__proto__` puts the socket of its subscriber
 * into the prototype of everything; and everybody is subscribed to `constructor`. A table without a prototype has the names
 * that were put into it, and no others.
 */
import type { SocketClusterServer, SocketClusterSocket } from "./server.ts";

/** Where the tables are: each a chain of properties. */
const OF_BROKER = ["_clientSubscribers", "_clientSubscribersCounter"] as const;
const OF_EXCHANGE = ["_channelMap", "_channelEventDemux.streams", "_channelDataDemux.streams"] as const;
const OF_SOCKET = ["channelSubscriptions", "_receiverDemux.streams", "_procedureDemux.streams"] as const;

/** Takes the prototypes off the tables of a server, and of its sockets from the moment they are made. Returns what ends that. */
export function mendTables(server: SocketClusterServer): () => void {
  mend(server.brokerEngine, OF_BROKER);
  mend(server.exchange, OF_EXCHANGE);
  for (const sockets of [server.clients, server.pendingClients])
    for (const socket of Object.values(sockets)) mend(socket, OF_SOCKET);
  const { emit } = server;
  const emitMended: typeof emit = (event, data) => {
    // Before anything that its client says is looked at: a listener of this event would be told too late.
    if (event === "handshake") mend((data as { readonly socket: SocketClusterSocket }).socket, OF_SOCKET);
    emit.call(server, event, data);
  };
  server.emit = emitMended;
  return () => {
    // Somebody may have put theirs over ours since; then ours stays below it.
    if (server.emit === emitMended) server.emit = emit;
  };
}

function mend(owner: unknown, paths: readonly string[]): void {
  for (const path of paths) {
    let table = owner;
    for (const name of path.split(".")) table = isObject(table) ? Reflect.get(table, name) : undefined;
    // Another broker engine has other tables, if any.
    if (isObject(table) && Object.getPrototypeOf(table) === Object.prototype)
      Object.setPrototypeOf(table, null);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
