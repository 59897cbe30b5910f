/** The REST API: who is present, and publishing for servers that speak no WebSocket. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { PresentlyError } from "presently";
import {
  bearerTokenOf,
  type Gate,
  type OriginCheck,
  type Permissions,
  REFUSAL_STATUS,
} from "presently/drop-in";
import { CommandError } from "./errors.ts";
import * as frames from "./frames.ts";
import { isMap, type JsonText, jsonOrText, parseJson, JsonText as Text } from "./json.ts";
import { isSameSecret } from "./signed-stream.ts";

const PRESENCE = /^\/presence\/([^/]+)\/users$/;

export interface RestApiOptions {
  /** Whoever shows it may do everything; without it, and without the node's `access`, everybody may. */
  readonly secret: string | undefined;
  /** Whether nobody without the secret may know who is on a stream, or publish there. */
  readonly isReserved: (stream: string) => boolean;
  readonly gate: Gate;
  /** What others may do; undefined without access. */
  readonly permissions: Permissions | undefined;
  /** Where a request comes from. */
  readonly addressOf: (request: IncomingMessage) => string | undefined;
  /** Web pages of other sites may not use it: where there is no secret, they would need none. */
  readonly checkOrigin: OriginCheck;
  readonly requestBytesMax: number;
  readonly closing: () => boolean;
  readonly records: (stream: string) => frames.PresenceRecord[];
  readonly publish: (publication: Publication) => Promise<void>;
  readonly failed: (error: unknown) => void;
}

/** What a server publishes. */
export interface Publication {
  readonly stream: string;
  readonly data: JsonText;
  readonly except: string | undefined;
  readonly transient: boolean;
}

interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whoever sent a request. */
interface Caller {
  may(kind: "watch" | "publish", stream: string): boolean | Promise<boolean>;
}

/** A server of the application, that may do everything. */
const SERVER: Caller = { may: () => true };

const UNAUTHORIZED: Answer = { status: 401, headers: { "www-authenticate": "Bearer" } };

export class RestApi {
  readonly #options: RestApiOptions;

  constructor(options: RestApiOptions) {
    this.#options = options;
  }

  /** Answers the request if its path, below the API's own, is one of these. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    if (path !== "/publish" && !path.startsWith("/presence/")) return false;
    response.on("error", () => undefined);
    void this.#answer(path, request)
      .catch((error: unknown): Answer => {
        // Nobody reads the answer to a request that broke off, and it is no fault of the server's.
        if (!request.complete && request.destroyed) return { status: 400 };
        this.#options.failed(error);
        return { status: 500 };
      })
      .then(({ status, body = "", headers = {} }) => {
        // What is left of a body that was not read would be taken for the next request.
        const connection = request.complete ? {} : { connection: "close" };
        const type = body === "" ? {} : { "content-type": "application/json; charset=utf-8" };
        const bytes = Buffer.from(body);
        response.writeHead(status, {
          ...headers,
          ...type,
          ...connection,
          "cache-control": "no-store",
          "x-content-type-options": "nosniff",
          "content-length": bytes.length,
        });
        response.end(request.method === "HEAD" ? undefined : bytes);
      });
    return true;
  }

  async #answer(path: string, request: IncomingMessage): Promise<Answer> {
    if (this.#options.closing()) return { status: 503 };
    const { origin, host } = request.headers;
    if (!this.#options.checkOrigin(origin, host)) return { status: 403 };
    const caller = await this.#callerOf(request);
    if ("status" in caller) return caller;
    if (path === "/publish")
      return request.method === "POST" ? this.#publish(request, caller) : { status: 422 };
    const stream = streamIn(path);
    if (stream === undefined) return { status: 404 };
    if (request.method !== "GET" && request.method !== "HEAD") return { status: 422 };
    if (!(await caller.may("watch", stream))) return { status: 403 };
    const records = this.#options.records(stream);
    return { status: 200, body: frames.presenceInfo(records.length, records).text };
  }

  /** Whose request it is, or the answer to it if it is nobody's. */
  async #callerOf(request: IncomingMessage): Promise<Caller | Answer> {
    const { secret, isReserved, gate, permissions, addressOf } = this.#options;
    const { headers } = request;
    const [, given] = /^Bearer +(.+)$/i.exec(headers.authorization ?? "") ?? [];
    if (secret !== undefined && given !== undefined && isSameSecret(given, secret)) return SERVER;
    if (permissions === undefined)
      return secret === undefined ? { may: (_kind, stream) => !isReserved(stream) } : UNAUTHORIZED;
    const token = bearerTokenOf(headers);
    const entered = await gate.admit({ token, params: {}, headers, address: addressOf(request) });
    if (!entered.ok)
      return entered.reason === "unauthenticated" ? UNAUTHORIZED : { status: REFUSAL_STATUS[entered.reason] };
    // Who may open so many connections may ask so often; a request that takes long is the server's to end.
    entered.release();
    const { identity } = entered;
    return { may: (kind, stream) => !isReserved(stream) && permissions[kind](identity, stream) };
  }

  async #publish(request: IncomingMessage, caller: Caller): Promise<Answer> {
    const text = await readText(request, this.#options.requestBytesMax);
    if (text === undefined) return { status: 413 };
    try {
      const body = parseJson(text);
      const publications = (Array.isArray(body) ? body : [body]).map(publicationIn);
      const allowed = await Promise.all(
        [...new Set(publications.map(({ stream }) => stream))].map((stream) => caller.may("publish", stream)),
      );
      if (!allowed.every(Boolean)) return { status: 403 };
      for (const publication of publications) await this.#options.publish(publication);
      return { status: 201 };
    } catch (error) {
      if (!(error instanceof PresentlyError)) throw error;
      const { code, message } = error;
      return { status: 422, body: JSON.stringify({ error: { code, message } }) };
    }
  }
}

/** The name in the path, in which a slash is encoded; undefined where there is none. */
function streamIn(path: string): string | undefined {
  const [, encoded] = PRESENCE.exec(path) ?? [];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** As every AnyCable library publishes: `data` is a text, most often with JSON in it. */
function publicationIn(item: unknown): Publication {
  if (!isMap(item)) throw new CommandError("a publication is not a map");
  const { stream, data, meta } = item;
  if (typeof stream !== "string" || stream === "") throw new CommandError("a publication has no stream");
  if (data === undefined) throw new CommandError("a publication has no data");
  const { exclude_socket: except, transient } = isMap(meta) ? meta : {};
  return {
    stream,
    data: typeof data === "string" ? jsonOrText(data) : new Text(JSON.stringify(data)),
    except: typeof except === "string" ? except : undefined,
    transient: transient === true,
  };
}

/** The whole body; undefined if it is too large. Never holds more than `bytesMax`. */
async function readText(request: IncomingMessage, bytesMax: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
