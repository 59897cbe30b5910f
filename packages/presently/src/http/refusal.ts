/** What those are told who may not, or not so often. */
import type { Socket } from "node:net";
import type { Action, Identity } from "../access/access.ts";
import { HttpRequestError } from "../errors.ts";

/** 429, for an address or a connection. */
export function tooMany(retryAfterMs: number, who: string): HttpRequestError {
  return new HttpRequestError(
    429,
    "TOO_MANY_REQUESTS",
    `${who} sends too many requests: wait, and ask again`,
    { "retry-after": retryAfter(retryAfterMs) },
  );
}

/** 401, for whoever shows no token, or one that does not count. */
export function unauthenticated(showedToken: boolean): HttpRequestError {
  const message = showedToken
    ? "this token is not known here, or does not count any more"
    : 'show a token: "Authorization: Bearer …"';
  const challenge = `Bearer realm="presently"${showedToken ? ', error="invalid_token"' : ""}`;
  return new HttpRequestError(401, "UNAUTHENTICATED", message, { "www-authenticate": challenge });
}

/** 403, for whoever is known and may not. */
export function forbidden(identity: Identity | undefined, action: Action): HttpRequestError {
  const what = "what" in action ? `${action.kind} ${action.what}` : `${action.kind} this topic`;
  const who = identity === undefined ? "nobody" : JSON.stringify(identity.id);
  return new HttpRequestError(403, "FORBIDDEN", `${who} may not ${what}`);
}

/** 503, when a hook has failed: neither a yes nor a no. */
export function accessFailed(): HttpRequestError {
  return new HttpRequestError(503, "ACCESS_FAILED", "who you are could not be found out: ask again later", {
    "retry-after": "1",
  });
}

/** 429, for a connection that has not said anything yet. */
export function turnAway(socket: Socket, retryAfterMs: number): void {
  const body = `${JSON.stringify({ error: { code: "TOO_MANY_REQUESTS", message: "too many connections" } })}\n`;
  socket.end(
    "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json; charset=utf-8\r\n" +
      `retry-after: ${retryAfter(retryAfterMs)}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** Of the header field: whole seconds. */
function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1_000)));
}
