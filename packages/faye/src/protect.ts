/**
 * Two things that any client can do to a Faye 1.4 server, and that this keeps from happening.
 *
 * A client that goes away during a poll by GET, as callback-polling does it, has Faye answer that with an error at once,
 * and answer the poll itself later; the second answer throws where nobody catches it, and ends the process. And Faye
 * reads a request to its end, however long it is.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { InvalidArgumentError } from "presently";
import type { FayeServer } from "./faye.ts";

export interface ProtectOptions {
  /** Bytes of one request. Default 1 MiB; beyond it the connection is closed. */
  readonly bodyBytesMax?: number;
}

/**
 * Protects a server from clients that leave in the middle of a poll, and from requests without an end. Call it once,
 * before or after `attach`.
 *
 * @throws {InvalidArgumentError} for a bound that is no positive integer
 */
export function protect(server: FayeServer, { bodyBytesMax = 1_048_576 }: ProtectOptions = {}): void {
  if (!Number.isSafeInteger(bodyBytesMax) || bodyBytesMax < 1)
    throw new InvalidArgumentError("options.bodyBytesMax", "must be an integer of at least 1");
  const { handle } = server;
  server.handle = (request, response) => {
    answerOnce(response);
    limitBody(request, bodyBytesMax);
    handle.call(server, request, response);
  };
}

/** The first answer counts. */
function answerOnce(response: ServerResponse): void {
  const { writeHead, end } = response;
  response.writeHead = ((...head: Parameters<typeof writeHead>) =>
    response.headersSent ? response : writeHead.apply(response, head)) as typeof writeHead;
  response.end = ((...rest: Parameters<typeof end>) =>
    response.writableEnded ? response : end.apply(response, rest)) as typeof end;
}

/** Counts beside Faye, which reads on as long as something comes. */
function limitBody(request: IncomingMessage, bytesMax: number): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) request.destroy();
  });
}
