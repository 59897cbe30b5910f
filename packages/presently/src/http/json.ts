/** JSON in and out: replies, errors, and the text of requests. */
import type { ServerResponse } from "node:http";
import { InvalidArgumentError } from "@presently/replica";

/** An answer that is complete when the handler returns. Without `body` it has none. */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Sends a reply. The body ends with a line feed, for people who use curl; a HEAD request gets the header alone.
 * What the client does with it, and whether it is still there, is no concern of ours.
 */
export function sendReply(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("cache-control", "no-store");
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
