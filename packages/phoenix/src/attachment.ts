/** Puts a socket's paths before an HTTP server's own listeners, which go on to serve everything else. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";
import { InvalidArgumentError } from "presently";
import { refuseUpgrade } from "./refuse-upgrade.ts";

/** Answer whether the path was theirs; if not, they have done nothing. */
export interface Handlers {
  request(path: string, request: IncomingMessage, response: ServerResponse): boolean;
  upgrade(path: string, request: IncomingMessage, stream: Duplex, head: Buffer): boolean;
}

/**
 * Listens on a server that may be listening already or not. Returns what undoes it.
 *
 * @param path what the paths of the transports begin with: `/socket` for `/socket/websocket`
 * @throws {InvalidArgumentError} for a path that does not begin with a slash
 */
export function attach(server: Server | SecureServer, path: string, handlers: Handlers): () => void {
  if (!path.startsWith("/")) throw new InvalidArgumentError("path", "must begin with a slash");
  const base = path.replace(/\/+$/, "");
  const within = (request: IncomingMessage): string | undefined => {
    const [target = ""] = (request.url ?? "").split("?", 1);
    return target.startsWith(`${base}/`) ? target.slice(base.length) : undefined;
  };
  // A server calls all its listeners for a request, so that the others must be called by us or not at all.
  const others = server.listeners("request") as ((...args: unknown[]) => void)[];
  server.removeAllListeners("request");
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const rest = within(request);
    if (rest !== undefined && handlers.request(rest, request, response)) return;
    if (others.length === 0) response.writeHead(404, { "content-length": 0 }).end();
    for (const other of others) other.call(server, request, response);
  };
  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const rest = within(request);
    if (rest !== undefined && handlers.upgrade(rest, request, stream, head)) return;
    // Nobody else would answer it.
    if (server.listenerCount("upgrade") === 1) refuseUpgrade(stream, 404);
  };
  server.on("request", onRequest);
  server.on("upgrade", onUpgrade);
  return () => {
    server.off("upgrade", onUpgrade);
    server.off("request", onRequest);
    for (const other of others) server.on("request", other);
  };
}
