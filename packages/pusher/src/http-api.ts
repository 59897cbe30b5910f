/** Pusher's HTTP API, as the server libraries call it: events, what is occupied and by whom, and ending a user's connections. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { LimitError, PresentlyError } from "presently";
import { readBody } from "presently/drop-in";
import type { AppSite } from "./app-site.ts";
import { isCache, isChannelName, isPresence, isUserId } from "./channel-name.ts";
import { requestProblem } from "./signature.ts";
import { isMap } from "./wire.ts";

const CHANNELS_MAX = 100;
const BATCH_MAX = 10;
const EVENT_NAME_MAX = 200;

/** An answer that says why not. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Call {
  readonly site: AppSite;
  readonly query: URLSearchParams;
  readonly body: string;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly answer: (call: Call, segment: string) => object;
}

const ROUTES: readonly Route[] = [
  { method: "POST", path: /^\/events$/, answer: ({ site, body }) => trigger(site, parse(body)) },
  { method: "POST", path: /^\/batch_events$/, answer: ({ site, body }) => triggerBatch(site, parse(body)) },
  { method: "GET", path: /^\/channels$/, answer: listChannels },
  { method: "GET", path: /^\/channels\/([^/]+)$/, answer: showChannel },
  { method: "GET", path: /^\/channels\/([^/]+)\/users$/, answer: ({ site }, name) => listUsers(site, name) },
  {
    method: "POST",
    path: /^\/users\/([^/]+)\/terminate_connections$/,
    answer: ({ site }, user) => {
      if (!isUserId(user)) throw new Refused(400, "the id of a user has 1 to 128 characters");
      site.terminate(user);
      return {};
    },
  },
];

export interface HttpApiOptions {
  readonly siteOf: (appId: string) => AppSite | undefined;
  readonly requestBytesMax: number;
  /** The node does not serve: it is starting, draining or stopping. */
  readonly away: () => boolean;
  readonly failed: (error: unknown) => void;
}

export class HttpApi {
  readonly #options: HttpApiOptions;

  constructor(options: HttpApiOptions) {
    this.#options = options;
  }

  /** Answers a request in any case. @param path what stands behind `/apps/` */
  handle(path: string, request: IncomingMessage, response: ServerResponse): void {
    response.on("error", () => undefined);
    void this.#answer(path, request)
      .then((body) => ({ status: 200, body: JSON.stringify(body) }))
      .catch((error: unknown) => {
        if (error instanceof Refused) return { status: error.status, body: error.message };
        if (error instanceof LimitError) return { status: 413, body: error.message };
        if (error instanceof PresentlyError) return { status: 400, body: error.message };
        this.#options.failed(error);
        return { status: 500, body: "the request failed: the log of the server says why" };
      })
      .then(({ status, body }) => {
        // What is left of a body that was not read would be taken for the next request.
        const connection = request.complete ? {} : { connection: "close" };
        const type = status === 200 ? "application/json" : "text/plain; charset=utf-8";
        response.writeHead(status, {
          ...connection,
          "content-type": type,
          "cache-control": "no-store",
          "x-content-type-options": "nosniff",
          "content-length": Buffer.byteLength(body),
        });
        response.end(body);
      });
  }

  async #answer(path: string, request: IncomingMessage): Promise<object> {
    const { siteOf, requestBytesMax, away } = this.#options;
    if (away()) throw new Refused(503, "this node does not serve now: ask another one, or again");
    const [, id = "", rest = ""] = /^([^/]*)(\/.*)$/.exec(path) ?? [];
    const site = siteOf(id);
    if (site === undefined) throw new Refused(404, `there is no app ${JSON.stringify(id)}`);
    const [signedPath = "", search = ""] = (request.url ?? "").split("?", 2);
    const query = new URLSearchParams(search);
    const body = await readBody(request, requestBytesMax);
    const { method = "" } = request;
    const nowS = Date.now() / 1_000;
    const problem = requestProblem(site.config, { method, path: signedPath, query, body, nowS });
    if (problem !== undefined) throw new Refused(401, problem);
    if (!site.config.enabled) throw new Refused(403, "this app is disabled");
    if (!site.requests.take(performance.now()))
      throw new Refused(429, "too many requests (limits.requestsPerSecondMax)");
    for (const route of ROUTES) {
      const found = route.path.exec(rest);
      if (found === null) continue;
      if (route.method !== method) throw new Refused(405, `this resource takes ${route.method}`);
      return route.answer({ site, query, body }, decoded(found[1] ?? ""));
    }
    throw new Refused(404, "there is nothing at this path");
  }
}

interface Event {
  readonly name: string;
  readonly data: string;
  readonly channels: readonly string[];
  readonly except: string | undefined;
  readonly info: readonly string[];
}

function trigger(site: AppSite, body: unknown): object {
  const event = eventIn(site, body);
  publish(site, event);
  if (event.info.length === 0) return {};
  return { channels: mapOf(event.channels.map((name) => [name, attributes(site, name, event.info)])) };
}

function triggerBatch(site: AppSite, body: unknown): object {
  const batch = isMap(body) ? body.batch : undefined;
  if (!Array.isArray(batch) || batch.length === 0 || batch.length > BATCH_MAX)
    throw new Refused(400, `batch must have 1 to ${BATCH_MAX} events`);
  const events = batch.map((item) => eventIn(site, item));
  for (const event of events) publish(site, event);
  if (events.every(({ info }) => info.length === 0)) return {};
  return {
    batch: events.map(({ channels: [name], info }) =>
      info.length === 0 ? {} : attributes(site, name!, info),
    ),
  };
}

function publish(site: AppSite, { name: event, data, channels, except }: Event): void {
  const publication = { channels, event, data: JSON.stringify(data) };
  site.publishOfServer(except === undefined ? publication : { ...publication, except });
}

/** @throws {Refused} 400, or 413 for data that is too large */
function eventIn(site: AppSite, body: unknown): Event {
  if (!isMap(body)) throw new Refused(400, "an event is a JSON map");
  const { name, data, channel, channels = [channel], socket_id: except, info } = body;
  const { eventBytesMax } = site.config.limits;
  if (typeof name !== "string" || name === "" || name.length > EVENT_NAME_MAX)
    throw new Refused(400, `name must be a text of 1 to ${EVENT_NAME_MAX} characters`);
  if (typeof data !== "string") throw new Refused(400, "data must be a text");
  if (Buffer.byteLength(data) > eventBytesMax)
    throw new Refused(413, `data has more than ${eventBytesMax} bytes (limits.eventBytesMax)`);
  if (!Array.isArray(channels) || channels.length === 0 || channels.length > CHANNELS_MAX)
    throw new Refused(400, `channels must have 1 to ${CHANNELS_MAX} names`);
  if (!channels.every(isChannelName)) throw new Refused(400, "channels has a name that no channel can have");
  if (except !== undefined && except !== null && !/^\d+\.\d+$/.test(String(except)))
    throw new Refused(400, "socket_id must be two numbers with a dot between them");
  const wanted = infoIn(typeof info === "string" ? info : undefined);
  for (const one of channels) checkInfo(one, wanted, ["user_count", "subscription_count"]);
  return {
    name,
    data,
    channels: [...new Set(channels)],
    except: typeof except === "string" ? except : undefined,
    info: wanted,
  };
}

function listChannels({ site, query }: Call): object {
  const prefix = query.get("filter_by_prefix") ?? "";
  const info = infoIn(query.get("info"));
  for (const attribute of info) {
    if (!["user_count", "subscription_count"].includes(attribute))
      throw new Refused(400, `there is no attribute ${attribute}`);
    if (attribute === "user_count" && !isPresence(prefix))
      throw new Refused(400, "user_count needs filter_by_prefix=presence-");
  }
  const names = site.tallies.names(prefix);
  return { channels: mapOf(names.map((name) => [name, attributes(site, name, info)])) };
}

function showChannel({ site, query }: Call, name: string): object {
  checkName(name);
  const info = infoIn(query.get("info"));
  checkInfo(name, info, ["user_count", "subscription_count", "cache"]);
  return { occupied: site.tallies.total(name) > 0, ...attributes(site, name, info) };
}

function listUsers(site: AppSite, name: string): object {
  checkName(name);
  if (!isPresence(name)) throw new Refused(400, "only presence channels have users");
  return { users: site.users(name).map((id) => ({ id })) };
}

function attributes(site: AppSite, name: string, info: readonly string[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const attribute of info)
    if (attribute === "user_count") found.user_count = site.users(name).length;
    else if (attribute === "subscription_count") found.subscription_count = site.tallies.total(name);
    else if (attribute === "cache") {
      const kept = site.cached(name);
      found.cache = kept
        ? { data: JSON.parse(kept.event.data) as unknown, ttl: Math.ceil(kept.ttlMs / 1_000) }
        : null;
    }
  return found;
}

function infoIn(info: string | null | undefined): string[] {
  return (info ?? "").split(",").filter((attribute) => attribute !== "");
}

/** @throws {Refused} 400 for an attribute that does not exist, or not of this channel */
function checkInfo(name: string, info: readonly string[], known: readonly string[]): void {
  for (const attribute of info) {
    if (!known.includes(attribute)) throw new Refused(400, `there is no attribute ${attribute}`);
    if (attribute === "user_count" && !isPresence(name))
      throw new Refused(400, `user_count is of presence channels, and ${name} is none`);
    if (attribute === "cache" && !isCache(name))
      throw new Refused(400, `cache is of cache channels, and ${name} is none`);
  }
}

function checkName(name: string): void {
  if (!isChannelName(name)) throw new Refused(400, "no channel can have this name");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) throw new Refused(400, "the path is not encoded as UTF-8");
    throw error;
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Refused(400, "the body is not JSON");
    throw error;
  }
}

/** A map that may have a field of any name. */
function mapOf(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}
