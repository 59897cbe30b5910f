/** What clients want to do, looked at before the middleware of the application, and whether it has any or not. */
import { ConfigurationError } from "presently";
import type { SocketClusterAction, SocketClusterServer } from "./server.ts";

/** Throws, or rejects with, what the client is refused with. */
export type Judge = (action: SocketClusterAction) => undefined | Promise<void>;

/**
 * Asks `judge` about every action of the server's sockets; returns what ends that. What it refuses is refused as by
 * middleware: the client gets the error, and the application's own middleware is not asked.
 *
 * There is one middleware of a kind, and it is the application's: so the place where the server asks it is where we ask.
 *
 * @throws {ConfigurationError} for a server that has no such place: it is not safe to go on without
 */
export function judgeActions(server: SocketClusterServer, judge: Judge): () => void {
  const { _processMiddlewareAction: process } = server;
  if (typeof process !== "function")
    throw new ConfigurationError(
      "this server has no _processMiddlewareAction: @presently/socketcluster works with version 20 of socketcluster-server",
    );
  const judged: typeof process = async (stream, action, socket) => {
    const waiting = judge(action);
    if (waiting !== undefined) await waiting;
    return process.call(server, stream, action, socket);
  };
  server._processMiddlewareAction = judged;
  return () => {
    if (server._processMiddlewareAction === judged) server._processMiddlewareAction = process;
  };
}
