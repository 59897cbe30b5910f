/** The REST API: who is present, and publishing for servers that speak no WebSocket. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { PresentlyError } from "presently";
import type { OriginCheck } from "presently/drop-in";
import { CommandError } from "./errors.ts";
import * as frames from "./frames.ts";
import { isMap, type JsonText, jsonOrText, parseJson, JsonText as Text } from "./json.ts";
import { isSameSecret } from "./signed-stream.ts";

const PRESENCE = /^\/presence\/([^/]+)\/users$/;

export interface RestApiOptions {
  /** What requests must show; undefined lets everybody in. */
  readonly secret: string | undefined;
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
    if (!this.#isAuthorized(request)) return { status: 401, headers: { "www-authenticate": "Bearer" } };
    if (path === "/publish") return request.method === "POST" ? this.#publish(request) : { status: 422 };
    const stream = streamIn(path);
    if (stream === undefined) return { status: 404 };
    if (request.method !== "GET" && request.method !== "HEAD") return { status: 422 };
    const records = this.#options.records(stream);
    return { status: 200, body: frames.presenceInfo(records.length, records).text };
  }

  #isAuthorized({ headers }: IncomingMessage): boolean {
    const { secret } = this.#options;
    if (secret === undefined) return true;
    const [, given] = /^Bearer +(.+)$/i.exec(headers.authorization ?? "") ?? [];
    return given !== undefined && isSameSecret(given, secret);
  }

  async #publish(request: IncomingMessage): Promise<Answer> {
    const text = await readText(request, this.#options.requestBytesMax);
    if (text === undefined) return { status: 413 };
    try {
      const body = parseJson(text);
      const publications = (Array.isArray(body) ? body : [body]).map(publicationIn);
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
