/** Which HTTP status and which JSON a failed request gets. */
import { LimitError, PresentlyError } from "@presently/replica";
import { HttpRequestError } from "../errors.ts";
import type { Reply } from "./json.ts";

/** Statuses of the codes that have one of their own; every other code of ours is the caller's mistake, 400. */
const statusByCode: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  LIMIT_REACHED: 429,
  NOT_TRACKED: 404,
  CLOSED: 503,
  STOPPING: 503,
};

/** Limits of one request rather than of the node: their statuses tell the caller that waiting will not help. */
const statusByLimit: Readonly<Record<string, number>> = {
  metaBytesMax: 413,
  "http.bodyBytesMax": 413,
  topicBytesMax: 400,
  keyBytesMax: 400,
};

/**
 * The reply that tells a client what was wrong: `{ "error": { "code", "message" } }`.
 *
 * An error that is not ours is a bug: the client learns no more than that, and `undefined` as `expected` asks the caller
 * to log it.
 */
export function replyToError(error: unknown): { readonly reply: Reply; readonly expected: boolean } {
  if (error instanceof PresentlyError) {
    const { code, message } = error;
    const headers = error instanceof HttpRequestError ? error.headers : {};
    return {
      reply: { status: statusOf(error), headers, body: { error: { code, message } } },
      expected: true,
    };
  }
  const body = { error: { code: "INTERNAL", message: "the node failed to answer; its log says why" } };
  return { reply: { status: 500, body }, expected: false };
}

function statusOf(error: PresentlyError): number {
  if (error instanceof HttpRequestError) return error.status;
  if (error instanceof LimitError) return statusByLimit[error.option] ?? 429;
  return statusByCode[error.code] ?? 400;
}
