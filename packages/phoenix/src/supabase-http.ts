/** Broadcasts over HTTP, as Supabase's clients send them: `send()` on a channel that is not joined, and `httpSend()`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AnyNode, PresentlyError } from "presently";
import { bearerTokenOf, type OriginCheck } from "presently/drop-in";
import { queryIn } from "./admission.ts";
import { parseJson } from "./decode-json.ts";
import { EVENT, type Payload, UserBroadcast } from "./message.ts";
import { parseParams } from "./params.ts";
import type { Known, SupabaseAccess } from "./supabase-access.ts";
import { roomOf, TOPIC_PREFIX } from "./supabase-channel.ts";

const ONE = /^\/api\/broadcast\/([^/]+)\/events\/([^/]+)$/;
const MESSAGES_MAX = 100;

export interface SupabaseHttpOptions {
  readonly node: AnyNode;
  readonly access: SupabaseAccess;
  readonly checkOrigin: OriginCheck;
  readonly bodyBytesMax: number;
  readonly broadcast: (room: string, event: string, payload: Payload) => void;
}

interface Outgoing {
  readonly room: string;
  readonly payload: Payload;
}

export class SupabaseHttp {
  readonly #options: SupabaseHttpOptions;

  constructor(options: SupabaseHttpOptions) {
    this.#options = options;
  }

  /** Whether the path is one of these. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const one = ONE.exec(path);
    if (path !== "/api/broadcast" && one === null) return false;
    void this.#answer(request, response, one);
    return true;
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    one: RegExpExecArray | null,
  ): Promise<void> {
    const { origin, host } = request.headers;
    if (!this.#options.checkOrigin(origin, host)) {
      answer(response, 403, "pages of this origin may not connect");
      return;
    }
    if (origin !== undefined) allow(request, response, origin);
    if (request.method === "OPTIONS") answer(response, 204);
    else if (request.method !== "POST") answer(response, 405, "broadcasts are sent by POST");
    else {
      const [status, words] = await this.#send(request, one);
      answer(response, status, words);
    }
  }

  async #send(
    request: IncomingMessage,
    one: RegExpExecArray | null,
  ): Promise<readonly [number, string | undefined]> {
    const { access, node, bodyBytesMax } = this.#options;
    const params = parseParams(queryIn(request.url));
    const key = request.headers.apikey ?? params.apikey;
    const token = bearerTokenOf(request.headers) ?? (typeof key === "string" ? key : undefined);
    if (token === undefined) return [401, "an API key is missing"];
    const shown = { params, headers: request.headers, remoteAddress: node.addressOf(request) };
    const who = await access.identify(token, shown);
    if (who === undefined) return [401, "the token is not valid, or has expired"];
    const body = await bodyOf(request, bodyBytesMax);
    if (body === undefined) return [413, `a body may have ${bodyBytesMax} bytes`];
    const isBytes = request.headers["content-type"]?.startsWith("application/octet-stream") ?? false;
    try {
      const messages =
        one === null
          ? messagesIn(body)
          : [oneMessage(one, params.private === "true", isBytes ? body : parseJson(body.toString("utf8")))];
      if (messages === undefined) return [422, "the body must be { messages: [{ topic, event, payload }] }"];
      return (await this.#mayAll(who, messages)) ? this.#broadcast(messages) : [403, "Unauthorized"];
    } catch (error) {
      if (error instanceof PresentlyError || error instanceof URIError) return [422, error.message];
      throw error;
    }
  }

  /** Nothing is sent unless all may be. */
  async #mayAll(who: Known, messages: readonly Outgoing[]): Promise<boolean> {
    const rooms = [...new Set(messages.map(({ room }) => room))];
    const answers = await Promise.all(rooms.map((room) => this.#options.access.may("publish", who, room)));
    return answers.every(Boolean);
  }

  #broadcast(messages: readonly Outgoing[]): readonly [number, undefined] {
    for (const { room, payload } of messages) this.#options.broadcast(room, EVENT.broadcast, payload);
    return [202, undefined];
  }
}

function oneMessage(
  [, topic = "", event = ""]: RegExpExecArray,
  isPrivate: boolean,
  body: unknown,
): Outgoing {
  const room = roomOf(TOPIC_PREFIX + decodeURIComponent(topic), isPrivate);
  const name = decodeURIComponent(event);
  const payload =
    body instanceof Uint8Array
      ? new UserBroadcast(name, body)
      : { type: EVENT.broadcast, event: name, payload: body };
  return { room, payload };
}

function messagesIn(body: Buffer): readonly Outgoing[] | undefined {
  const parsed: unknown = parseJson(body.toString("utf8"));
  const messages = (parsed as { messages?: unknown } | null)?.messages;
  if (!Array.isArray(messages) || messages.length > MESSAGES_MAX) return undefined;
  const outgoing: Outgoing[] = [];
  for (const message of messages) {
    const { topic, event, payload = {}, private: isPrivate } = (message ?? {}) as Record<string, unknown>;
    if (typeof topic !== "string" || typeof event !== "string") return undefined;
    const room = roomOf(TOPIC_PREFIX + topic, isPrivate === true);
    outgoing.push({ room, payload: { type: EVENT.broadcast, event, payload } });
  }
  return outgoing;
}

/** Undefined for more bytes than there may be, and for a client that is gone. */
async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      length += (chunk as Buffer).length;
      if (length > bytesMax) return undefined;
      chunks.push(chunk as Buffer);
    }
  } catch {
    // The client went away: nobody reads the answer.
    return undefined;
  }
  return Buffer.concat(chunks);
}

function allow(request: IncomingMessage, response: ServerResponse, origin: string): void {
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("vary", "origin");
  response.setHeader("access-control-allow-methods", "POST, OPTIONS");
  const asked = request.headers["access-control-request-headers"];
  if (asked !== undefined) response.setHeader("access-control-allow-headers", asked);
}

function answer(response: ServerResponse, status: number, error?: string): void {
  if (error === undefined) response.writeHead(status).end();
  else response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
}
