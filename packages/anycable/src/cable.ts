/** The face of the package: AnyCable's server, over one node. */
import type { IncomingMessage, Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import { performance } from "node:perf_hooks";
import { type AnyNode, InvalidArgumentError, PresentlyError } from "presently";
import {
  Attachments,
  attach,
  type CheckOrigin,
  checkFunction,
  checkNode,
  checkObject,
  checkOptions,
  checkString,
  type DrainOptions,
  drain,
  type Gate,
  guardNotices,
  isReservedRoom,
  jsonOf,
  type OriginCheck,
  onTopicMessage,
  openGate,
  originCheck,
  Permissions,
  RosterNames,
  type RosterOptions,
  requireSharedSecret,
} from "presently/drop-in";
import { Admission } from "./admission.ts";
import type { ChannelDefinition } from "./channel-definition.ts";
import { CLOSE } from "./close-code.ts";
import type { PresenceRecord } from "./frames.ts";
import { type Authenticate, identification } from "./identification.ts";
import { isMap, JsonText } from "./json.ts";
import { type DurationOptions, type LimitOptions, resolveDurations, resolveLimits } from "./limits.ts";
import { type NoticeListener, warnOfNotice } from "./notice.ts";
import { PUBSUB_CHANNEL, pubsubChannel, TURBO_CHANNEL, turboChannel } from "./pubsub-channel.ts";
import { RestApi } from "./rest-api.ts";
import type { CableSession } from "./session.ts";
import type { SessionServices } from "./session-services.ts";
import { SessionTable } from "./session-table.ts";
import { apiSecretFrom } from "./signed-stream.ts";
import { PresenceHub } from "./stream-presence.ts";
import { type PublishOptions, Streams } from "./streams.ts";
import { WebSocketTransport } from "./websocket-transport.ts";

export interface CableOptions<Identifiers> extends DurationOptions {
  /** Signs streams, and guards the REST API, unless those have secrets of their own. */
  readonly secret?: string;
  /** Signs the names of streams. Default: `secret`. */
  readonly streamsSecret?: string;
  /** What callers of the REST API show. Default: what follows from `secret`; without both, the API is off. */
  readonly apiSecret?: string;
  /**
   * Clients need a token that is signed with it (HS256, HS384, HS512), unless `authenticate` or `noauth` is given too. It has
   * 32 bytes or more, unless it is `secret`, which the application may have had before.
   */
  readonly jwtSecret?: string;
  /** Lets clients in that show no token, although there is a `jwtSecret`; one that is shown must be good. Default false. */
  readonly noauth?: boolean;
  /** The parameter of the token; header and sub-protocol work as well. Default `jid`. */
  readonly jwtParam?: string;
  /** Lets clients in that have no token. Default: everybody, unless there is a `jwtSecret` without `noauth`. */
  readonly authenticate?: Authenticate<Identifiers>;
  /** Accepts the names of streams as clients say them, and has the REST API work without a secret if there is none. Default false. */
  readonly publicStreams?: boolean;
  /** Whether signed streams have presence. Default true. */
  readonly presence?: boolean;
  /** Whether clients may whisper on signed streams. Default false; on public ones they may. */
  readonly whisper?: boolean;
  /** The name of the channel of streams. Default `$pubsub`. */
  readonly pubsubChannel?: string;
  /** Which web pages may connect. Default `true`: those of the host that they connect to, whatever the port. */
  readonly checkOrigin?: CheckOrigin;
  /** What streams and ids are called in the cluster, where clients of other protocols meet these. Default: the same. */
  readonly roster?: RosterOptions;
  readonly limits?: LimitOptions;
  /** Told of callbacks that failed, and of what clients did wrong. Default: failures are warnings of the process. */
  readonly onNotice?: NoticeListener;
}

/** Where to serve. */
export interface AttachOptions {
  /** Where clients connect. Default `/cable`. */
  readonly path?: string;
  /** What the paths of the REST API begin with. Default `/api`. */
  readonly apiPath?: string;
}

const DISCONNECT_CHANNEL = "anycable:disconnect";
/** How punctual pings and times to live are. */
const TICK_MS = 250;
/** A tick that comes so late says that the process stood still. */
const STALL_MS = 2_000;
const SWEEP_TICKS = 40;

/**
 * AnyCable's server on one node: its WebSockets, its channels, and the API by which an application publishes.
 * Its streams and presence are those of the whole cluster.
 */
export class Cable<Identifiers = unknown> {
  readonly #node: AnyNode;
  readonly #services: SessionServices;
  readonly #streams: Streams;
  readonly #hub: PresenceHub;
  readonly #sessions: SessionTable;
  // biome-ignore lint/suspicious/noExplicitAny: `channel` has checked their type.
  readonly #channels = new Map<string, ChannelDefinition<any>>();
  readonly #transport: WebSocketTransport;
  readonly #api: RestApi | undefined;
  readonly #attachments = new Attachments();
  readonly #endings: readonly (() => void)[];
  readonly #timer: NodeJS.Timeout;
  #tickedAt = performance.now();
  #ticks = 0;
  #closing = false;

  /** @throws {InvalidArgumentError} for an option that cannot be used */
  constructor(node: AnyNode, options: CableOptions<Identifiers> = {}) {
    checkNode(node);
    checkObject("options", options);
    const { secret, publicStreams = false } = options;
    const notice = guardNotices(options.onNotice ?? warnOfNotice);
    for (const name of ["secret", "streamsSecret", "apiSecret"] as const)
      if (options[name] !== undefined) requireSharedSecret(name, options[name]);
    if (options.authenticate !== undefined) checkFunction("authenticate", options.authenticate);
    const limits = resolveLimits(options.limits);
    const durations = resolveDurations(options);
    const clocks = { now: () => performance.now(), wallClock: () => Date.now() };
    this.#node = node;
    this.#streams = new Streams({ node, limits, durations, notice, wallClock: clocks.wallClock });
    const names = new RosterNames(options.roster);
    const isReserved = (stream: string) => isReservedRoom(stream, names, "anycable");
    const gate = openGate(node, {
      protocol: "anycable",
      limits: options.limits,
      onNotice: ({ type, level, message, error }) => notice({ type, level, message, error }),
    });
    this.#hub = new PresenceHub({
      node,
      names,
      ttlMs: durations.presenceTtlMs,
    });
    const streamsSecret = options.streamsSecret ?? secret;
    const turbo = turboChannel(streamsSecret);
    this.#channels.set(
      options.pubsubChannel ?? PUBSUB_CHANNEL,
      pubsubChannel({
        secret: streamsSecret,
        isPublic: publicStreams,
        isReserved,
        presence: options.presence ?? true,
        whisper: options.whisper ?? false,
      }),
    );
    this.#services = {
      node,
      streams: this.#streams,
      hub: this.#hub,
      limits,
      durations,
      notice,
      permissions: Permissions.of(node.access, gate, names),
      definitionOf: (channel) =>
        this.#channels.get(channel) ?? (channel === TURBO_CHANNEL ? turbo : undefined),
      ...clocks,
      random: Math.random,
    };
    this.#sessions = new SessionTable(this.#services);
    const checkOrigin = originCheck(options.checkOrigin);
    const admission = new Admission({
      services: this.#services,
      sessions: this.#sessions,
      identify: identification({
        jwtSecret: options.jwtSecret,
        jwtSecretBytesMin: options.jwtSecret === secret ? 1 : undefined,
        noauth: options.noauth,
        authenticate: options.authenticate as Authenticate<unknown> | undefined,
      }),
      jwtParam: options.jwtParam ?? "jid",
      checkOrigin,
      gate,
      addressOf: (request) => node.addressOf(request),
      closing: () => this.#closing || node.stopping,
    });
    this.#transport = new WebSocketTransport({
      limits,
      admit: (request: IncomingMessage) => admission.admit(request),
      open: (entrant, socket) => admission.open(entrant, socket),
    });
    const apiSecret = options.apiSecret ?? (secret === undefined ? undefined : apiSecretFrom(secret));
    if (apiSecret !== undefined || publicStreams || node.access !== undefined)
      this.#api = this.#newApi(apiSecret, checkOrigin, gate, isReserved);
    this.#endings = [
      node.onBroadcast(DISCONNECT_CHANNEL, (payload) => this.#disconnectHere(payload)),
      onTopicMessage(node, names, (stream, { event, data }) =>
        this.#streams.deliverHere(stream, new JsonText(jsonOf("data", { event, data }))),
      ),
    ];
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    // A node that stops has said goodbye, so that what ends now is no leave for anybody; its clients find another node.
    void node.whenStopping.then(() => this.close());
  }

  /** How many clients are connected at this node. */
  get connections(): number {
    return this.#sessions.connected;
  }

  /** Says what a channel does. @throws {InvalidArgumentError} for a name that is taken */
  channel(name: string, definition: ChannelDefinition<Identifiers> = {}): this {
    checkString("channel", name);
    checkObject("definition", definition);
    if (this.#channels.has(name))
      throw new InvalidArgumentError("channel", `${JSON.stringify(name)} is taken`);
    this.#channels.set(name, definition);
    return this;
  }

  /**
   * Serves clients and the REST API at an HTTP server; its own listeners go on to serve everything else. Returns what
   * ends it; connections stay.
   *
   * @throws {InvalidArgumentError} for a path that does not begin with a slash
   */
  attach(server: Server | SecureServer, options: AttachOptions = {}): () => void {
    checkOptions(options, ["path", "apiPath"]);
    const { path = "/cable", apiPath = "/api" } = options;
    for (const [name, value] of Object.entries({ path, apiPath }))
      if (typeof value !== "string" || !value.startsWith("/"))
        throw new InvalidArgumentError(name, "must begin with a slash");
    const detach = attach(server, "/", {
      request: (requested, request, response) => {
        if (requested === path) {
          // There is nothing here but WebSockets.
          response.writeHead(426, { "content-length": 0, upgrade: "websocket" }).end();
          return true;
        }
        if (this.#api === undefined || !requested.startsWith(`${apiPath}/`)) return false;
        return this.#api.handle(requested.slice(apiPath.length), request, response);
      },
      upgrade: (requested, request, stream, head) => {
        if (requested !== path) return false;
        this.#transport.upgrade(request, stream, head);
        return true;
      },
    });
    return this.#attachments.add(detach);
  }

  /**
   * Sends JSON to all subscribers of a stream, on all nodes. Settles when the message has its place in the stream.
   *
   * @throws {LimitError} beyond `broadcastBytesMax` of the node
   */
  async broadcast(stream: string, data: unknown, options: PublishOptions = {}): Promise<void> {
    checkString("stream", stream);
    checkObject("options", options);
    await this.#streams.publish(stream, new JsonText(jsonOf("data", data)), options);
  }

  /** Who is present on a stream, in the whole cluster; `Info` is the type of what joins say. From local memory. Cost: O(answer). */
  presence<Info = unknown>(stream: string): PresenceRecord<Info>[];
  presence(stream: string): PresenceRecord[] {
    checkString("stream", stream);
    return this.#hub.records(stream);
  }

  /** Disconnects the clients with these identifiers, on whatever node they are; with `reconnect` they come back, and are asked again. */
  disconnect(identifiers: Identifiers, options: { readonly reconnect?: boolean } = {}): void {
    checkOptions(options, ["reconnect"]);
    const { reconnect = true } = options;
    this.#node.broadcast(DISCONNECT_CHANNEL, { who: jsonOf("identifiers", identifiers), reconnect });
  }

  /**
   * Sends all clients to other nodes, a batch at a time, and takes no new ones. They resume their sessions there, as long
   * as this node runs: stop it when this has settled, with a `handoffMs` for those that are still on their way.
   */
  drain(options?: DrainOptions): Promise<void> {
    const begin = () => {
      this.#closing = true;
    };
    const connections = () => this.#sessions.all().filter((session) => session.connected);
    const sendAway = (batch: readonly CableSession[]) => {
      for (const session of batch) {
        session.sendAway();
        this.#sessions.lost(session);
      }
    };
    return drain(this.#node, { begin, connections, sendAway }, options);
  }

  /** Disconnects all clients at once (`server_restart`), takes no new ones, and detaches. Idempotent. */
  close(): void {
    this.#closing = true;
    this.#attachments.end();
    clearInterval(this.#timer);
    for (const end of this.#endings) end();
    this.#node.batch(() => {
      for (const session of this.#sessions.all())
        if (session.connected) session.disconnect("server_restart", true, CLOSE.goingAway);
      this.#sessions.close();
    });
    this.#streams.close();
  }

  #newApi(
    secret: string | undefined,
    checkOrigin: OriginCheck,
    gate: Gate,
    isReserved: (stream: string) => boolean,
  ): RestApi {
    return new RestApi({
      secret,
      isReserved,
      gate,
      permissions: this.#services.permissions,
      addressOf: (request) => this.#node.addressOf(request),
      checkOrigin,
      requestBytesMax: this.#services.limits.requestBytesMax,
      closing: () => this.#closing || this.#node.stopping,
      records: (stream) => this.presence(stream),
      publish: ({ stream, data, ...options }) => this.#streams.publish(stream, data, options),
      failed: (error) => {
        const message = "a request to the REST API failed";
        this.#services.notice({ type: "callback-failed", level: "error", message, error });
      },
    });
  }

  #disconnectHere(payload: unknown): void {
    if (!isMap(payload)) return;
    const { who, reconnect } = payload;
    for (const session of this.#sessions.all())
      if (JSON.stringify(session.identifiers) === who) session.disconnect("remote", reconnect !== false);
  }

  #tick(): void {
    const now = performance.now();
    if (now - this.#tickedAt > STALL_MS) this.#sessions.excuse();
    this.#tickedAt = now;
    try {
      this.#sessions.tick();
      if (++this.#ticks % SWEEP_TICKS === 0) this.#streams.sweep();
    } catch (error) {
      if (!(error instanceof PresentlyError)) throw error;
      const message = `a tick failed: ${error.message}`;
      this.#services.notice({ type: "callback-failed", level: "error", message, error });
    }
  }
}
