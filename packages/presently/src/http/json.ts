/** JSON in and out: replies, errors, and the text of requests. */
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { InvalidArgumentError } from "@presently/replica";

/** An answer that is complete when the handler returns. Without `body` it has none. */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  /** JSON that is encoded already, instead of a body. Others may send the same bytes. */
  readonly encoded?: readonly Uint8Array[];
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Sends a reply. The body ends with a line feed, for people who use curl; a HEAD request gets the header alone.
 * What the client does with it, and whether it is still there, is no concern of ours.
 */
export function sendReply(response: ServerResponse, { status, body, encoded, headers = {} }: Reply): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("cache-control", "no-store");
  if (encoded !== undefined) {
    sendParts(response, encoded);
    return;
  }
  if (body === undefined) {
    if (status !== 204) response.setHeader("content-length", 0);
    response.end();
    return;
  }
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.setHeader("content-length", bytes.length);
  response.end(bytes);
}

/** Sends them as fast as the client reads, so that what waits is not copied for each client. */
function sendParts(response: ServerResponse, parts: readonly Uint8Array[]): void {
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.setHeader(
    "content-length",
    parts.reduce((bytes, part) => bytes + part.length, 0),
  );
  if (response.req.method === "HEAD") {
    response.end();
    return;
  }
  const source = Readable.from(parts);
  // A client that goes away stops reading for good.
  response.on("close", () => source.destroy());
  source.pipe(response);
}

/**
 * Reads JSON that must be an object.
 *
 * @param what  how to call the text in an error
 * @throws {InvalidArgumentError} when it is no JSON, or JSON of another kind
 */
export function parseJsonObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InvalidArgumentError(what, "is not JSON", { cause });
  }
  return asObject(value, what);
}

/** The value, if it is a JSON object. @throws {InvalidArgumentError} when it is not */
export function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new InvalidArgumentError(what, 'must be a JSON object, for example {"device":"phone"}');
}
