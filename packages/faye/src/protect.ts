/**
 * What any client can do to a Faye 1.4 server, and what keeps it from happening.
 *
 * Four things end its process: a path that is no URL (`GET //`); a poll by GET whose client goes away before the answer, which
 * is then answered twice; a message that is nested deeper than the stack, published to somebody who polls; and a channel of so
 * many parts that the names of them take all memory. Others stop it for seconds, such as a list that says it is a billion
 * long, or grow without an end: requests, clients, subscriptions, what waits for a client that does not read.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import {
  type CheckOrigin,
  checkObject,
  namesOneHost,
  originCheck,
  refuseUpgrade,
  resolveBounds,
} from "presently/drop-in";
import { advise } from "./advice.ts";
import { ClientBounds } from "./client-bounds.ts";
import type { FayeExtension, FayeServer } from "./faye.ts";
import { badRequest, isWellFormed } from "./message-shape.ts";
import { SocketGuard } from "./socket-guard.ts";

const DEFAULTS = {
  bodyBytesMax: 1_048_576,
  bufferedBytesMax: 4_194_304,
  messagesPerSecondMax: 5_000,
  depthMax: 64,
  silentAfterMs: 300_000,
  clientsMax: 100_000,
  subscriptionsPerClientMax: 10_000,
};

/** What one client may cost a Faye server, which itself sets no bounds. */
export interface ProtectOptions {
  /**
   * Which web pages may connect: `true`, those of the host that they connect to; or a list such as `https://shop.example`,
   * `//*.shop.example`. Default `false`: all, as Faye has it, which tells browsers to send cookies along.
   */
  readonly checkOrigin?: CheckOrigin;
  /** Bytes of one request, or of one message of a WebSocket. Default 1 MiB; beyond it the connection is closed. */
  readonly bodyBytesMax?: number;
  /** Bytes that wait for a client to read them, beside one message of any size. Default 4 MiB; beyond it the connection is closed. */
  readonly bufferedBytesMax?: number;
  /** Messages of one request, or of one WebSocket in a second. Default 5,000; beyond it the connection is closed. */
  readonly messagesPerSecondMax?: number;
  /** Levels of maps and lists in a message. Default 64; beyond it the message is refused with 400. */
  readonly depthMax?: number;
  /** A WebSocket that says nothing for so long is closed. Default 300,000 ms; more than the `timeout` of the server. */
  readonly silentAfterMs?: number;
  /** Clients at a time. Default 100,000; beyond it handshakes are refused with 503. */
  readonly clientsMax?: number;
  /** Channels of one client, with presence or without. Default 10,000; beyond it subscriptions are refused with 403. */
  readonly subscriptionsPerClientMax?: number;
}

/**
 * Protects a server from its clients. Call it once, before any other extension is added if they are to be protected as well;
 * before or after `attach`.
 *
 * @throws {InvalidArgumentError} for a bound that is no positive integer, or none at all; for an origin that is none
 */
export function protect(server: FayeServer, options: ProtectOptions = {}): void {
  checkObject("server", server, ["addExtension", "check", "handle"]);
  checkObject("options", options);
  const { checkOrigin = false, ...bounds } = options;
  const limits = resolve(bounds);
  const mayConnect = originCheck(checkOrigin);
  const guard = new SocketGuard(limits);
  const { check, handle, handleUpgrade, error } = server;
  // A request that Faye cannot even ask about is answered below.
  server.check = (request) => !isUrl(request) || check.call(server, request);
  const statusOf = (request: IncomingMessage) => {
    if (!isUrl(request) || !namesOneHost(request)) return 400;
    return mayConnect(originOf(request), request.headers.host) ? undefined : 403;
  };
  server.handle = (request, response) => {
    const refused = statusOf(request);
    if (refused !== undefined) {
      response.writeHead(refused, { "content-type": "text/plain" }).end(STATUS_CODES[refused]);
      return;
    }
    answerOnce(response);
    guard.watch(request, request);
    handle.call(server, request, response);
  };
  server.handleUpgrade = (request, socket, head) => {
    const refused = statusOf(request);
    if (refused !== undefined) {
      refuseUpgrade(socket, refused);
      return;
    }
    guard.watch(request, socket);
    guard.endSilent(request, socket);
    handleUpgrade.call(server, request, socket, head);
  };
  server.error = (message) => {
    guard.failed();
    error?.call(server, message);
  };
  server.addExtension(extensionFor(guard, new ClientBounds(server, limits), limits.depthMax));
}

function extensionFor(guard: SocketGuard, bounds: ClientBounds, depthMax: number): FayeExtension {
  return {
    incoming(message, request, callback) {
      // Code of the application, in this process, knows what it does.
      if (request === null) return callback(message);
      if (request && !guard.heard(request)) return callback(null);
      if (!isWellFormed(message, depthMax)) return callback(badRequest(message));
      const error = bounds.check(message);
      if (error !== undefined) message.error = error;
      callback(message);
    },
    outgoing(message, request, callback) {
      if (request) guard.sending(request);
      advise(message);
      callback(message);
    },
  };
}

function isUrl({ url = "" }: IncomingMessage): boolean {
  return URL.canParse(url, "http://localhost");
}

/** A page that loads a script from elsewhere, as callback-polling does, does not name its origin. */
function originOf({ headers }: IncomingMessage): string | undefined {
  if (headers.origin !== undefined || headers["sec-fetch-site"] !== "cross-site") return headers.origin;
  return headers.referer ?? "null";
}

/** The first answer counts. */
function answerOnce(response: ServerResponse): void {
  const { writeHead, end } = response;
  response.writeHead = ((...head: Parameters<typeof writeHead>) =>
    response.headersSent ? response : writeHead.apply(response, head)) as typeof writeHead;
  response.end = ((...rest: Parameters<typeof end>) =>
    response.writableEnded ? response : end.apply(response, rest)) as typeof end;
}

function resolve(options: Omit<ProtectOptions, "checkOrigin">): typeof DEFAULTS {
  return resolveBounds(DEFAULTS, options, { prefix: "options." });
}
