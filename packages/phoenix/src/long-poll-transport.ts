/**
 * Connections by long-polling, at `<path>/longpoll`: GET fetches what there is or waits for it, POST sends.
 *
 * The client looks for the status in the body; that of HTTP is 200 whatever happened, but for what is no request of a
 * client at all.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Admission, type Admitted, queryIn } from "./admission.ts";
import { CLOSE } from "./close-code.ts";
import type { Connection, Outlet } from "./connection.ts";
import type { Limits } from "./limits.ts";
import { LongPollSession, type Poll, type PollAnswer } from "./long-poll-session.ts";

/** As many as the client sends at a time. */
const LINES_MAX = 100;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export interface LongPollTransportOptions {
  readonly admission: Admission;
  readonly limits: Limits;
  readonly open: (admitted: Admitted, outlet: Outlet) => Connection;
}

export class LongPollTransport {
  readonly #options: LongPollTransportOptions;
  readonly #sessions = new Map<string, LongPollSession>();

  constructor(options: LongPollTransportOptions) {
    this.#options = options;
  }

  /** Answers the request in any case. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    // A client that goes away while we write is an everyday event.
    response.on("error", () => response.destroy());
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("cache-control", "no-store");
    const session = this.#sessions.get(tokenOf(request));
    switch (request.method) {
      case "OPTIONS":
        allow(request, response);
        break;
      case "GET":
        if (session === undefined) void this.#begin(request, response);
        else if (session.connection?.mayAsk() === true) listen(session, request, response);
        else reply(response, { status: 410, token: session.token, messages: [] });
        break;
      case "POST":
        if (session !== undefined) this.#publish(session, request, response);
        else {
          request.resume();
          reply(response, { status: 410 });
        }
        break;
      default:
        request.resume();
        response.writeHead(400, { "content-length": 0 }).end();
    }
  }

  /** A client without a session, or whose session is gone: it gets a new one, and is told so by 410. */
  async #begin(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { admission, limits, open } = this.#options;
    const header = request.headers["x-phoenix-authtoken"];
    const authToken = typeof header === "string" ? header : undefined;
    const admitted =
      this.#sessions.size >= limits.longPollSessionsMax
        ? 503
        : await admission.admit(request, { transport: "longpoll", authToken, query: ownQuery(request) });
    if (typeof admitted === "number") {
      // The client knows no other word for "come again" than 500.
      reply(response, { status: admitted === 403 ? 403 : 500 });
      return;
    }
    if (response.destroyed) {
      admitted.release();
      return;
    }
    const session = new LongPollSession(limits, ({ token }) => this.#sessions.delete(token));
    session.connection = open(admitted, session);
    this.#sessions.set(session.token, session);
    reply(response, { status: 410, token: session.token, messages: [] });
  }

  #publish(session: LongPollSession, request: IncomingMessage, response: ServerResponse): void {
    const { longPollBodyBytesMax } = this.#options.limits;
    session.heard();
    const chunks: Buffer[] = [];
    let size = 0;
    let isTooLarge = false;
    request.on("data", (chunk: Buffer) => {
      if (isTooLarge) return;
      size += chunk.length;
      isTooLarge = !session.takeIn(chunk.length);
      if (!isTooLarge) {
        chunks.push(chunk);
        return;
      }
      const reason = `more than ${longPollBodyBytesMax} bytes of requests under way`;
      session.connection?.close(CLOSE.tooLarge, reason);
      response.setHeader("connection", "close");
      reply(response, { status: 410 });
      // The rest is not worth waiting for.
      response.once("finish", () => request.destroy());
    });
    request.on("close", () => session.takenIn(size));
    request.on("end", () => {
      if (isTooLarge) return;
      this.#receive(session, Buffer.concat(chunks), request.headers["content-type"]);
      reply(response, { status: session.connection?.open === true ? 200 : 410 });
    });
  }

  #receive(session: LongPollSession, bytes: Buffer, contentType: string | undefined): void {
    const { connection } = session;
    // A request without a message costs as much as one with it.
    if (bytes.length === 0) connection?.mayAsk();
    if (!isUtf8(bytes)) {
      connection?.close(CLOSE.malformed, "a request is not UTF-8");
      return;
    }
    const body = bytes.toString("utf8");
    const isLines = contentType?.startsWith("application/x-ndjson") === true;
    const lines = isLines ? body.split("\n").slice(0, LINES_MAX) : [body];
    for (const line of lines) receive(session, line, this.#options.limits.frameBytesMax);
  }
}

/** A line is a text frame, or a binary one as base64, which never begins with a bracket. */
function receive(session: LongPollSession, line: string, frameBytesMax: number): void {
  const { connection } = session;
  if (connection === undefined || line === "") return;
  const isText = /^\s*[[{]/.test(line);
  const frame = isText || !BASE64.test(line.trim()) ? line : Buffer.from(line, "base64");
  if (Buffer.byteLength(frame) <= frameBytesMax) connection.receive(frame);
  else connection.close(CLOSE.tooLarge, `a message of more than ${frameBytesMax} bytes`);
}

function listen(session: LongPollSession, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const poll: Poll = {
    answer: (answer, done) => {
      if (response.destroyed) {
        done(false);
        return;
      }
      response.once("close", () => done(response.writableFinished));
      reply(response, answer);
    },
    abort: () => void response.destroy(),
  };
  response.once("close", () => session.abandon(poll));
  session.listen(poll);
}

/** A page of any origin may ask; whether it may connect is for `checkOrigin` to say. */
function allow(request: IncomingMessage, response: ServerResponse): void {
  const asked = request.headers["access-control-request-headers"];
  if (asked !== undefined) response.setHeader("access-control-allow-headers", asked);
  response.setHeader("access-control-allow-methods", "get, post, options");
  response.setHeader("access-control-max-age", "3600");
  response.writeHead(200, { "content-length": 0 }).end();
}

function reply(
  response: ServerResponse,
  body: Partial<Omit<PollAnswer, "status">> & { readonly status: number },
): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(200, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/**
 * In a header field, or in the query: that depends on the release of the client. It puts it behind its own parameters, of
 * which one may be called the same.
 */
function tokenOf(request: IncomingMessage): string {
  const header = request.headers["x-phoenix-longpoll-token"];
  if (typeof header === "string") return header;
  return new URLSearchParams(queryIn(request.url)).getAll("token").at(-1) ?? "";
}

/** The query as the application gave it to the client: without the token of a session, which comes last. */
function ownQuery(request: IncomingMessage): string {
  const query = queryIn(request.url);
  const parts = query.split("&");
  const isToken = (part: string) => part.startsWith("token=");
  const last = parts.findLastIndex(isToken);
  if (parts.findIndex(isToken) === last) return query;
  return parts.filter((_, index) => index !== last).join("&");
}
