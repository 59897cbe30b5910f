/** Puts a socket's paths before an HTTP server's own listeners, which go on to serve everything else. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";
import { checkObject, InvalidArgumentError } from "@presently/replica";
import { namesOneHost } from "./one-host.ts";
import { refuseUpgrade } from "./refuse-upgrade.ts";

/** Answer whether the path was theirs; if not, they have done nothing. */
export interface Handlers {
  request(path: string, request: IncomingMessage, response: ServerResponse): boolean;
  upgrade(path: string, request: IncomingMessage, stream: Duplex, head: Buffer): boolean;
}

/** A path of a server that is ours. */
interface Mount {
  readonly base: string;
  readonly handlers: Handlers;
}

/** Whether a request may reach anybody at its server. If not, it has answered it, and ended what wanted to upgrade. */
export type Guard = (request: IncomingMessage, answer: ServerResponse | Duplex) => boolean;

/** Of servers whose owner looks at every request before anybody who was attached, by us or by a library, gets it. */
const guards = new WeakMap<Server | SecureServer, Guard>();

/** Has a guard look at every request and upgrade of a server first. Once a server, before anything is attached. */
export function guardRequests(server: Server | SecureServer, guard: Guard): void {
  guards.set(server, guard);
  const emitAsBefore = server.emit.bind(server) as (...args: unknown[]) => boolean;
  // What is attached by `attach` lies above this, and asks for itself.
  server.emit = ((event: string, ...args: unknown[]): boolean =>
    isTurnedAway(server, event, args) || emitAsBefore(event, ...args)) as typeof server.emit;
}

function isTurnedAway(server: Server | SecureServer, event: string, args: readonly unknown[]): boolean {
  if (event !== "request" && event !== "upgrade") return false;
  const [request, answer] = args as [IncomingMessage, ServerResponse | Duplex];
  if (!namesOneHost(request)) {
    if (event === "upgrade") refuseUpgrade(answer as Duplex, 400);
    else refuseRequest(answer as ServerResponse);
    return true;
  }
  const guard = guards.get(server);
  return guard !== undefined && !guard(request, answer);
}

function refuseRequest(response: ServerResponse): void {
  const message = "the request must have one Host, and at most one Origin";
  const body = `${JSON.stringify({ error: { code: "BAD_REQUEST", message } })}\n`;
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  };
  response.writeHead(400, headers).end(body);
}

/** What the servers that we are attached to were like before. */
const attached = new WeakMap<
  Server | SecureServer,
  { readonly mounts: Set<Mount>; readonly restore: () => void }
>();

/**
 * Serves paths of a server, whether it listens already or not, and whenever its own listeners are added: they are not
 * asked for these paths. Returns what undoes it.
 *
 * @param path what the paths of the transports begin with: `/socket` for `/socket/websocket`
 * @throws {InvalidArgumentError} for a path that does not begin with a slash
 */
export function attach(server: Server | SecureServer, path: string, handlers: Handlers): () => void {
  checkObject("server", server, ["on", "off", "emit", "listeners"]);
  checkObject("handlers", handlers, ["request", "upgrade"]);
  if (typeof path !== "string" || !path.startsWith("/"))
    throw new InvalidArgumentError("path", "must begin with a slash");
  const mount = { base: path.replace(/\/+$/, ""), handlers };
  const { mounts, restore } = attached.get(server) ?? intercept(server);
  mounts.add(mount);
  return () => {
    if (mounts.delete(mount) && mounts.size === 0) restore();
  };
}

/**
 * A server calls all its listeners for a request, and one that does not know a path answers it with an error. So ours
 * must come before them and keep theirs from being called: `emit` is the one place where that can be done for listeners
 * that are added later, too.
 */
function intercept(server: Server | SecureServer) {
  const mounts = new Set<Mount>();
  const { emit } = server;
  const emitAsBefore = emit.bind(server) as (...args: unknown[]) => boolean;
  const own = ((event: string, ...args: unknown[]): boolean =>
    isTaken(server, mounts, event, args) || emitAsBefore(event, ...args)) as typeof server.emit;
  server.emit = own;
  // Somebody must listen, or there is no upgrade to take; and where nobody else does, nobody else answers. A library that
  // keeps the listeners that it finds, and calls them itself, is somebody else.
  const isAlone = (event: string, listener: unknown) =>
    server.listenerCount(event) === 1 && server.listeners(event)[0] === listener;
  const onRequest = (_request: IncomingMessage, response: ServerResponse) => {
    if (isAlone("request", onRequest)) response.writeHead(404, { "content-length": 0 }).end();
  };
  const onUpgrade = (_request: IncomingMessage, stream: Duplex) => {
    if (isAlone("upgrade", onUpgrade)) refuseUpgrade(stream, 404);
  };
  server.on("request", onRequest);
  server.on("upgrade", onUpgrade);
  const restore = () => {
    attached.delete(server);
    // Somebody may have put theirs over ours; then ours stays below it, and takes nothing.
    if (server.emit === own) server.emit = emit;
    server.off("request", onRequest);
    server.off("upgrade", onUpgrade);
  };
  const entry = { mounts, restore };
  attached.set(server, entry);
  return entry;
}

function isTaken(
  server: Server | SecureServer,
  mounts: Iterable<Mount>,
  event: string,
  args: readonly unknown[],
): boolean {
  if (event !== "request" && event !== "upgrade") return false;
  const request = args[0] as IncomingMessage;
  const [target = ""] = (request.url ?? "").split("?", 1);
  for (const { base, handlers } of mounts) {
    if (!target.startsWith(`${base}/`)) continue;
    if (isTurnedAway(server, event, args)) return true;
    const path = target.slice(base.length);
    const taken =
      event === "request"
        ? handlers.request(path, request, args[1] as ServerResponse)
        : handlers.upgrade(path, request, args[1] as Duplex, args[2] as Buffer);
    if (taken) return true;
  }
  return false;
}
