/** The face of the package: Pusher's protocol and HTTP API for some apps, over one node. */
import { randomInt } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";
import { type AnyNode, type Identity, InvalidArgumentError } from "presently";
import {
  Attachments,
  admitUpgrade,
  attach,
  bearerTokenOf,
  type CheckOrigin,
  checkNode,
  checkOptions,
  type DrainOptions,
  drain,
  type Gate,
  guardNotices,
  onTopicMessage,
  openGate,
  Permissions,
} from "presently/drop-in";
import { WebSocketServer } from "ws";
import { type AppOptions, resolveApp } from "./app-options.ts";
import { AppSite } from "./app-site.ts";
import { ClientSocket } from "./client-socket.ts";
import { Connection } from "./connection.ts";
import { CLOSE, errorFrame } from "./frames.ts";
import { HttpApi } from "./http-api.ts";
import {
  type DurationOptions,
  type LimitOptions,
  type Limits,
  resolveDurations,
  resolveLimits,
} from "./limits.ts";
import { type NoticeListener, warnOfNotice } from "./notice.ts";
import { CACHE_CHANNEL, decodeEvent, EVENT_CHANNEL, isMap, TERMINATE_CHANNEL } from "./wire.ts";

/** What a server is made of. */
export interface PusherOptions extends DurationOptions {
  /** The apps that are served. The same at every node. */
  readonly apps: readonly AppOptions[];
  /** Which web pages may connect. Default `true`: those of the host that they connect to, whatever the port. */
  readonly checkOrigin?: CheckOrigin;
  /** Whether the node's `access` is asked who connects and what they may do, besides the apps' signatures. Default true. */
  readonly asksAccess?: boolean;
  readonly limits?: LimitOptions;
  /** Told of what failed, and of what clients did wrong. Default: failures are warnings of the process. */
  readonly onNotice?: NoticeListener;
}

/** Where to serve. */
export interface AttachOptions {
  /** What the paths begin with: `wsPath` of the clients. Default: nothing, as with Pusher. */
  readonly path?: string;
}

const TICK_MS = 250;
/** A tick that comes so late says that the process stood still. */
const STALL_MS = 2_000;
/** Protocols that differ in nothing that is used here. */
const PROTOCOLS = [5, 6, 7];
/** Connections that are being told why they are refused, at a time; more are ended without a word. */
const REFUSED_MAX = 1_000;
const FRAGMENTS_MAX = 256;

/** A WebSocket that may be opened, if only to be told why it is closed. */
interface Entrant {
  readonly site: AppSite | undefined;
  readonly identity: Identity | undefined;
  readonly refused: { readonly code: number; readonly message: string } | undefined;
  release(): void;
}

const OPTIONS = [
  ...(["apps", "checkOrigin", "asksAccess", "limits", "onNotice"] as const),
  ...(["activityTimeoutMs", "pongTimeoutMs", "cacheMs"] as const),
];

/** Serves Pusher's clients and server libraries at one node; channels and members are those of the whole cluster. */
export class PusherServer {
  readonly #node: AnyNode;
  readonly #limits: Limits;
  readonly #gate: Gate;
  readonly #sites: readonly AppSite[];
  readonly #api: HttpApi;
  readonly #server: WebSocketServer;
  readonly #attachments = new Attachments();
  readonly #endings: (() => void)[] = [];
  readonly #notice: NoticeListener;
  readonly #asksAccess: boolean;
  #tickedAt = performance.now();
  #refusing = 0;
  #pending = 0;
  /** Ids of connections begin with it: they are unique in the cluster. */
  readonly #socketIdBase = randomInt(2 ** 47);
  #socketIds = 0;
  #closing = false;

  /** @throws {InvalidArgumentError} for an option that cannot be used */
  constructor(node: AnyNode, options: PusherOptions) {
    checkNode(node);
    checkOptions(options, OPTIONS);
    const { apps, checkOrigin, asksAccess = true } = options;
    if (!Array.isArray(apps) || apps.length === 0)
      throw new InvalidArgumentError("apps", "must be a list with at least one app");
    const configs = (apps as readonly AppOptions[]).map((app) => resolveApp(app, checkOrigin));
    for (const field of ["id", "key"] as const)
      if (new Set(configs.map((config) => config[field])).size < configs.length)
        throw new InvalidArgumentError("apps", `must not have two apps with one ${field}`);
    this.#node = node;
    this.#limits = resolveLimits(options.limits);
    const durations = resolveDurations(options);
    this.#notice = guardNotices(options.onNotice ?? warnOfNotice);
    this.#asksAccess = asksAccess && node.access !== undefined;
    this.#gate = openGate(node, {
      protocol: "pusher",
      limits: options.limits,
      asksAccess: this.#asksAccess,
      onNotice: ({ type, level, message, error }) => this.#notice({ type, level, message, error }),
    });
    this.#sites = configs.map(
      (config) =>
        new AppSite({
          ...{ node, config, durations, limits: this.#limits, notice: this.#notice },
          permissions: this.#asksAccess ? Permissions.of(node.access, this.#gate, config.names) : undefined,
        }),
    );
    this.#api = new HttpApi({
      siteOf: (id) => this.#sites.find(({ config }) => config.id === id),
      requestBytesMax: this.#limits.requestBytesMax,
      away: () => this.#closing || node.stopping || !node.ready,
      failed: (error) => this.#failed("a request to the HTTP API failed", error),
    });
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: this.#limits.frameBytesMax,
      maxFragments: FRAGMENTS_MAX,
    });
    this.#listen();
    const timer = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#endings.push(() => clearInterval(timer));
    void node.whenStopping.then(() => this.close());
  }

  /** How many clients are connected at this node. */
  get connections(): number {
    return this.#all().length;
  }

  /**
   * Serves clients (`/app/…`) and the HTTP API (`/apps/…`) at an HTTP server; its own listeners go on to serve everything
   * else. Returns what ends it; connections stay.
   *
   * @throws {InvalidArgumentError} for a path that does not begin with a slash
   */
  attach(server: Server | SecureServer, options: AttachOptions = {}): () => void {
    checkOptions(options, ["path"]);
    const { path = "/" } = options;
    const detach = attach(server, path, {
      request: (requested, request, response) => {
        if (requested.startsWith("/apps/")) {
          this.#api.handle(requested.slice("/apps/".length), request, response);
          return true;
        }
        if (!requested.startsWith("/app/")) return false;
        // There is nothing here but WebSockets.
        response.writeHead(426, { "content-length": 0, upgrade: "websocket" }).end();
        return true;
      },
      upgrade: (requested, request, stream, head) => {
        if (!requested.startsWith("/app/")) return false;
        this.#upgrade(requested.slice("/app/".length), request, stream, head);
        return true;
      },
    });
    return this.#attachments.add(detach);
  }

  /** Sends all clients to other nodes, a batch at a time, and takes no new ones. */
  drain(options?: DrainOptions): Promise<void> {
    const begin = () => {
      this.#closing = true;
    };
    const sendAway = (batch: readonly Connection[], lingerMs: number) => {
      for (const connection of batch) connection.close(CLOSE.reconnect, "connect to another node", lingerMs);
    };
    return drain(this.#node, { begin, connections: () => this.#all(), sendAway }, options);
  }

  /** Closes all connections at once (clients come back after a second), takes no new ones, and detaches. Idempotent. */
  close(): void {
    this.#closing = true;
    this.#attachments.end();
    for (const end of this.#endings.splice(0)) end();
    this.#node.batch(() => {
      for (const connection of this.#all())
        connection.close(CLOSE.overCapacity, "this server stops: connect to another one");
      for (const site of this.#sites) site.close();
    });
  }

  #all(): Connection[] {
    return this.#sites.flatMap(({ connections }) => [...connections]);
  }

  #listen(): void {
    const node = this.#node;
    const siteOf = (payload: unknown) =>
      isMap(payload) ? this.#sites.find(({ config }) => config.id === payload.app) : undefined;
    this.#endings.push(
      node.onDrain((drainOptions) => this.drain(drainOptions)),
      node.onBroadcast(EVENT_CHANNEL, (payload) => {
        const event = decodeEvent(payload);
        if (event !== undefined) siteOf(event)?.receive(event);
        else {
          const message = "a node sent an event that cannot be read: does it run another version?";
          this.#notice({ type: "malformed-message", level: "warn", message });
        }
      }),
      ...this.#sites.map((site) =>
        onTopicMessage(node, site.config.names, (channel, { event, data }) =>
          site.receive({
            ...{ app: site.config.id, channels: [channel], event },
            // Clients parse what is in the text.
            data: JSON.stringify(typeof data === "string" ? data : JSON.stringify(data)),
          }),
        ),
      ),
      node.onBroadcast(TERMINATE_CHANNEL, (payload) => {
        if (isMap(payload) && typeof payload.user === "string") siteOf(payload)?.terminateHere(payload.user);
      }),
      node.onRequest(CACHE_CHANNEL, (payload) =>
        isMap(payload) && typeof payload.channel === "string"
          ? (siteOf(payload)?.cached(payload.channel)?.event ?? null)
          : null,
      ),
    );
  }

  #upgrade(key: string, request: IncomingMessage, stream: Duplex, head: Buffer): void {
    void admitUpgrade<Entrant>(
      stream,
      () => (request.method === "GET" ? this.#admit(key, request) : 400),
      (entrant) =>
        this.#server.handleUpgrade(request, stream, head, (socket) =>
          this.#open(entrant, new ClientSocket(socket, this.#limits.bufferedBytesMax)),
        ),
    );
  }

  /** Who is refused gets a WebSocket too, to be told: pusher-js comes back at once from an HTTP status. Never rejects. */
  async #admit(key: string, request: IncomingMessage): Promise<Entrant | number> {
    if (this.#refusing >= REFUSED_MAX) return 503;
    const site = this.#sites.find(({ config }) => config.key === key);
    const query = new URLSearchParams((request.url ?? "").split("?", 2)[1] ?? "");
    const refuse = (code: number, message: string): Entrant => ({
      ...{ site, identity: undefined, refused: { code, message } },
      release: () => undefined,
    });
    const protocol = query.get("protocol");
    if (site === undefined) return refuse(CLOSE.appUnknown, "there is no app with this key");
    const { enabled, checkOrigin, limits } = site.config;
    if (!enabled) return refuse(CLOSE.appDisabled, "this app is disabled");
    if (protocol === null) return refuse(CLOSE.noProtocol, "no protocol version supplied");
    if (!PROTOCOLS.includes(Number(protocol)))
      return refuse(CLOSE.unsupportedProtocol, `protocol version ${protocol} is not supported: use 7`);
    const { headers } = request;
    if (!checkOrigin(headers.origin, headers.host))
      return refuse(CLOSE.unauthorized, "pages of this origin may not connect (checkOrigin)");
    if (this.#closing || this.#node.stopping)
      return refuse(CLOSE.overCapacity, "this node takes no clients: connect to another one");
    if (this.connections + this.#pending >= this.#limits.connectionsMax)
      return refuse(CLOSE.overCapacity, "this node has all the connections that it may have");
    this.#pending += 1;
    const entered = await this.#gate.admit({
      token: bearerTokenOf(headers) ?? query.get("token") ?? undefined,
      params: { ...Object.fromEntries(query), app: site.config.id },
      headers,
      address: this.#node.addressOf(request),
    });
    this.#pending -= 1;
    if (!entered.ok)
      return entered.reason === "unauthenticated"
        ? refuse(CLOSE.unauthorized, "access does not let you in")
        : refuse(CLOSE.overCapacity, `not now: ${entered.reason}`);
    if (site.totals.total("connections") >= limits.connectionsMax) {
      entered.release();
      return refuse(CLOSE.overQuota, "the app has all the connections that it may have");
    }
    return { site, identity: entered.identity, release: entered.release, refused: undefined };
  }

  #open({ site, identity, refused }: Entrant, socket: ClientSocket): void {
    if (refused !== undefined || site === undefined) {
      const { code, message } = refused ?? { code: CLOSE.appUnknown, message: "there is no such app" };
      this.#refusing += 1;
      socket.listen({
        receive: () => undefined,
        alive: () => undefined,
        overflowed: () => undefined,
        lost: () => {
          this.#refusing -= 1;
        },
      });
      socket.send(errorFrame(code, message));
      socket.close(code, message);
      this.#notice({ type: "refused", level: "debug", message });
      return;
    }
    let unwatch: () => void = () => undefined;
    const connection = new Connection({
      ...{ site, socket, identity },
      socketId: `${this.#socketIdBase}.${++this.#socketIds}`,
      ended: () => unwatch(),
    });
    unwatch = this.#gate.onExpire(identity, () =>
      connection.close(CLOSE.unauthorized, "your token has expired"),
    );
  }

  #tick(): void {
    const now = performance.now();
    const stalled = now - this.#tickedAt > STALL_MS;
    this.#tickedAt = now;
    for (const connection of this.#all())
      if (stalled) connection.excuse(now);
      else connection.tick(now);
  }

  #failed(message: string, error: unknown): void {
    this.#notice({ type: "failed", level: "error", message, error });
  }
}
