/** Puts paths before an HTTP server's own listeners, which go on to serve everything else. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";
import { refuseUpgrade } from "./refuse-upgrade.ts";

/** Answer whether the path was theirs; if not, they have done nothing. */
export interface Handlers {
  request(path: string, request: IncomingMessage, response: ServerResponse): boolean;
  upgrade(path: string, request: IncomingMessage, stream: Duplex, head: Buffer): boolean;
}

/**
 * Has `handlers` asked first, whether the server listens already or not. Returns what undoes it.
 *
 * A server calls all its listeners for a request, and one that does not know a path answers it with an error. So ours must
 * keep theirs from being called: `emit` is the one place where that can be done for listeners that are added later, too.
 */
export function attach(server: Server | SecureServer, handlers: Handlers): () => void {
  let active = true;
  const { emit } = server;
  const emitAsBefore = emit.bind(server) as (...args: unknown[]) => boolean;
  const own = ((event: string, ...args: unknown[]): boolean =>
    (active && isTaken(handlers, event, args)) || emitAsBefore(event, ...args)) as typeof server.emit;
  server.emit = own;
  // Somebody must listen, or there is no upgrade to take; and where nobody else does, nobody else answers.
  const onRequest = (_request: IncomingMessage, response: ServerResponse) => {
    if (server.listenerCount("request") === 1) response.writeHead(404, { "content-length": 0 }).end();
  };
  const onUpgrade = (_request: IncomingMessage, stream: Duplex) => {
    if (server.listenerCount("upgrade") === 1) refuseUpgrade(stream, 404);
  };
  server.on("request", onRequest);
  server.on("upgrade", onUpgrade);
  return () => {
    active = false;
    // Somebody may have done the same after us; then ours stays below theirs, and does nothing.
    if (server.emit === own) server.emit = emit;
    server.off("request", onRequest);
    server.off("upgrade", onUpgrade);
  };
}

function isTaken(handlers: Handlers, event: string, args: readonly unknown[]): boolean {
  if (event !== "request" && event !== "upgrade") return false;
  const request = args[0] as IncomingMessage;
  const [path = ""] = (request.url ?? "").split("?", 1);
  return event === "request"
    ? handlers.request(path, request, args[1] as ServerResponse)
    : handlers.upgrade(path, request, args[1] as Duplex, args[2] as Buffer);
}
