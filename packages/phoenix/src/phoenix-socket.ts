/** The face of the package: a socket with its channels, over one node. */
import type { Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import { performance } from "node:perf_hooks";
import { type AnyMeta, type AnyNode, InvalidArgumentError, type Meta } from "presently";
import {
  Attachments,
  attach,
  type CheckOrigin,
  checkFunction,
  checkNode,
  checkObject,
  checkString,
  type DrainOptions,
  drain,
  type Gate,
  guardNotices,
  type Handlers,
  isReservedRoom,
  onTopicMessage,
  openGate,
  originCheck,
  Permissions,
  RosterNames,
  type RosterOptions,
  rosterOf,
  type TopicMessage,
} from "presently/drop-in";
import { Admission, type Admitted } from "./admission.ts";
import type { ChannelDefinition } from "./channel-definition.ts";
import { Connection, type ConnectionServices, type Outlet } from "./connection.ts";
import type { ConnectionInfo, Params } from "./connection-info.ts";
import { DISCONNECT, Exchange } from "./exchange.ts";
import { createFetcher, type Fetcher, fetchNothing } from "./fetcher.ts";
import { type LimitOptions, type Limits, resolveLimits } from "./limits.ts";
import { Lingering } from "./lingering.ts";
import { LongPollTransport } from "./long-poll-transport.ts";
import type { Payload } from "./message.ts";
import { MetasListener } from "./metas-listener.ts";
import { type NoticeListener, warnOfNotice } from "./notice.ts";
import { Router } from "./router.ts";
import type { MaybePromise } from "./settle.ts";
import { SocketPresence } from "./socket-presence.ts";
import { Tracker } from "./tracker.ts";
import { WebSocketTransport } from "./websocket-transport.ts";

/** Default of `diffIntervalMs`: nobody sees it, and a room of thousands costs at most 20 diffs a second. */
const DIFF_INTERVAL_MS = 50;
const DIFF_INTERVAL_MAX_MS = 60_000;

/** Who may connect to a socket, and what a client may cost it. */
export interface PhoenixSocketOptions<Assigns> {
  /**
   * Lets a client in by giving the `assigns` that its channels start with, or refuses it (403) by giving nothing, `null`
   * or `false`. What it throws is reported, and the client refused with 500. Default: everybody may connect.
   */
  readonly connect?: (
    params: Params,
    info: ConnectionInfo,
  ) => MaybePromise<Assigns | null | undefined | false>;
  /** Names the connections that `disconnect` closes, `user:7` for example; those of one user have one id. */
  readonly id?: (assigns: Assigns, info: ConnectionInfo) => string | undefined;
  /** Connect parameter with the token that the node's `access` is shown, for clients without `authToken`. Default `token`. */
  readonly tokenParam?: string;
  /** Which web pages may connect. Default `true`: those of the host that they connect to. */
  readonly checkOrigin?: CheckOrigin;
  /** What topics and keys are called in the cluster, where clients of other protocols meet these. Default: the same. */
  readonly roster?: RosterOptions;
  /**
   * What the clients of a topic are told of a message that a back end POSTs to the HTTP API of any node. Default: its own
   * event, with its data as the payload.
   */
  readonly messageAs?: (message: TopicMessage) => { readonly event: string; readonly payload: Payload };
  readonly limits?: LimitOptions;
  /** Told of callbacks that failed, and of clients that were dropped. Default: failures are warnings of the process. */
  readonly onNotice?: NoticeListener;
}

const asItIs = ({ event, data }: TopicMessage) => ({ event, payload: data as Payload });

/** What is served under one pattern. */
interface Served {
  // biome-ignore lint/suspicious/noExplicitAny: definitions of one socket share one type of assigns, which is checked where they come in.
  readonly definition: ChannelDefinition<any, any>;
  readonly fetch: Fetcher;
  readonly metas: MetasListener | undefined;
}

/** Serves phoenix.js on one node: connections, channels by pattern of their topic, and the presence of the whole cluster. */
export class PhoenixSocket<Assigns = unknown> {
  /** Presence by topic, for server code that is no channel. */
  readonly presence: SocketPresence;
  readonly #node: AnyNode;
  readonly #router = new Router<Served>();
  readonly #limits: Limits;
  readonly #notice: NoticeListener;
  readonly #exchange: Exchange;
  readonly #lingering = new Lingering();
  /** With what is to be done when each ends. */
  readonly #connections = new Map<Connection, () => void>();
  readonly #gate: Gate;
  readonly #services: ConnectionServices;
  readonly #webSockets: WebSocketTransport;
  readonly #longPolls: LongPollTransport;
  readonly #attachments = new Attachments();
  readonly #endings: readonly (() => void)[];
  #closing = false;

  /** @throws {InvalidArgumentError} for an option that cannot be used */
  constructor(node: AnyNode, options: PhoenixSocketOptions<Assigns> = {}) {
    checkNode(node);
    checkObject("options", options);
    for (const name of ["connect", "id", "messageAs"] as const)
      if (options[name] !== undefined) checkFunction(name, options[name]);
    if (options.tokenParam !== undefined) checkString("tokenParam", options.tokenParam);
    this.#node = node;
    this.#limits = resolveLimits(options.limits);
    this.#notice = guardNotices(options.onNotice ?? warnOfNotice);
    const names = new RosterNames(options.roster);
    const roster = rosterOf(node, names);
    this.#gate = openGate(node, {
      protocol: "phoenix",
      limits: options.limits,
      onNotice: ({ type, level, message, error }) => this.#notice({ type, level, message, error }),
    });
    const feedOf = (topic: string) => this.#feedOf(topic);
    this.#exchange = new Exchange({ node, roster, notice: this.#notice, feedOf });
    const newTracker = () => new Tracker(roster, this.#lingering);
    this.presence = new SocketPresence({
      roster,
      newTracker,
      exchange: this.#exchange,
      fetcherOf: (topic) => this.#router.find(topic)?.fetch ?? fetchNothing,
    });
    this.#services = {
      node,
      exchange: this.#exchange,
      presence: this.presence,
      newTracker,
      limits: this.#limits,
      notice: this.#notice,
      now: () => performance.now(),
      definitionOf: (topic) => this.#router.find(topic)?.definition,
      isReserved: (topic) => isReservedRoom(topic, names, "phoenix") && !this.#router.isNamed(topic),
      permissions: Permissions.of(node.access, this.#gate, names),
      ended: (connection) => {
        this.#connections.get(connection)?.();
        this.#connections.delete(connection);
      },
    };
    const admission = new Admission({
      connect: options.connect,
      id: options.id as ((assigns: unknown, info: ConnectionInfo) => string | undefined) | undefined,
      tokenParam: options.tokenParam ?? "token",
      checkOrigin: originCheck(options.checkOrigin),
      gate: this.#gate,
      addressOf: (request) => node.addressOf(request),
      limits: this.#limits,
      connections: () => this.#connections.size,
      closing: () => this.#closing || node.stopping,
      notice: this.#notice,
    });
    const open = (admitted: Admitted, outlet: Outlet) => this.#open(admitted, outlet);
    this.#webSockets = new WebSocketTransport({ admission, limits: this.#limits, open });
    this.#longPolls = new LongPollTransport({ admission, limits: this.#limits, open });
    // A node that stops has said goodbye, so that what ends now is no leave for anybody; its clients find another node.
    void node.whenStopping.then(() => this.close());
    const { messageAs = asItIs } = options;
    this.#endings = [
      node.onDrain((options) => this.drain(options)),
      onTopicMessage(node, names, (room, message) => {
        const { event, payload } = messageAs(message);
        this.#exchange.deliverHere(room, event, payload);
      }),
    ];
  }

  /** How many clients are connected at this node. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Says what serves a topic, or all that begin with what stands before a final `*`. The first pattern that matches counts.
   * Topics that drop-ins keep for themselves (`RESERVED_TOPICS` of `presently/drop-in`) have to be named whole.
   *
   * `channel<Profile>(…)` types the metas of these topics for everything in the definition.
   *
   * @throws {InvalidArgumentError} for a pattern that cannot be used
   * @throws {ConfigurationError} for `handleMetas` without `init`
   */
  channel<M extends object = Meta>(
    pattern: string,
    definition?: ChannelDefinition<Assigns, NoInfer<M>>,
  ): this;
  channel(pattern: string, definition: ChannelDefinition<Assigns, AnyMeta> = {}): this {
    checkString("pattern", pattern);
    checkObject("definition", definition);
    const { presence } = definition;
    checkDiffInterval((presence || undefined)?.diffIntervalMs);
    const fetch = (presence || undefined)?.fetch;
    const { fetchTimeoutMs: timeoutMs } = this.#limits;
    this.#router.add(pattern, {
      definition,
      fetch: fetch === undefined ? fetchNothing : createFetcher({ fetch, timeoutMs, notice: this.#notice }),
      metas: MetasListener.of(presence, this.#notice),
    });
    return this;
  }

  /**
   * Serves clients of an HTTP server at `<path>/websocket` and `<path>/longpoll`; the server's own listeners go on to
   * serve everything else. Returns what ends it; connections stay.
   *
   * @throws {InvalidArgumentError} for a path that does not begin with a slash
   */
  attach(server: Server | SecureServer, path = "/socket"): () => void {
    return this.#attachments.add(attach(server, path, this.#handlers()));
  }

  /**
   * Sends to all clients of a topic in the whole cluster.
   *
   * @throws {LimitError} beyond `broadcastBytesMax` of the node
   */
  broadcast(topic: string, event: string, payload: Payload = {}): void {
    checkString("topic", topic);
    checkString("event", event);
    this.#exchange.broadcast(topic, event, payload);
  }

  /** Closes the connections with this id, on whatever node they are, with 1001: their clients connect again, and are asked again. */
  disconnect(id: string): void {
    checkString("id", id);
    this.#exchange.broadcast(id, DISCONNECT, {});
  }

  /**
   * Sends all clients to other nodes (close code 1012), a batch at a time, and takes no new ones. What they tracked stays
   * for `handoffMs`, in which they come back elsewhere without having been away. Stop the node then. `node.drain` drains
   * everything that is attached to the node.
   *
   * @throws {InvalidArgumentError} (rejects) for an option that cannot be used; nothing has begun then
   */
  drain(options?: DrainOptions): Promise<void> {
    const begin = () => {
      this.#closing = true;
    };
    const connections = () => [...this.#connections.keys()];
    const sendAway = (batch: readonly Connection[], handoffMs: number) =>
      this.#node.batch(() => {
        for (const connection of batch) connection.drain();
        this.#lingering.handOff(handoffMs);
      });
    return drain(this.#node, { begin, connections, sendAway }, options);
  }

  /** Closes all connections at once (1012), takes no new ones, and detaches. Idempotent. */
  close(): void {
    this.#closing = true;
    for (const end of this.#endings) end();
    this.#attachments.end();
    this.#node.batch(() => {
      for (const connection of [...this.#connections.keys()]) connection.restart();
      this.#lingering.close();
    });
    this.#exchange.close();
  }

  #open({ serializer, info, assigns, socketId, release }: Admitted, outlet: Outlet): Connection {
    const services = this.#services;
    const connection = new Connection({ services, outlet, serializer, info, assigns, socketId });
    const unwatch = this.#gate.onExpire(info.identity, () => connection.expire());
    this.#connections.set(connection, () => {
      unwatch();
      release();
    });
    return connection;
  }

  #feedOf(topic: string) {
    const served = this.#router.find(topic);
    const presence = served?.definition.presence || undefined;
    const diffIntervalMs = presence?.diffIntervalMs ?? DIFF_INTERVAL_MS;
    return { fetch: served?.fetch, metas: served?.metas, dispatch: presence?.dispatch, diffIntervalMs };
  }

  #handlers(): Handlers {
    return {
      request: (path, request, response) => {
        if (path === "/longpoll") {
          this.#longPolls.handle(request, response);
          return true;
        }
        if (path !== "/websocket") return false;
        // There is nothing here but WebSockets.
        response.writeHead(400, { "content-length": 0 }).end();
        return true;
      },
      upgrade: (path, request, stream, head) => {
        if (path !== "/websocket") return false;
        this.#webSockets.upgrade(request, stream, head);
        return true;
      },
    };
  }
}

function checkDiffInterval(intervalMs: number | undefined): void {
  if (intervalMs === undefined) return;
  if (!Number.isSafeInteger(intervalMs) || intervalMs < 0 || intervalMs > DIFF_INTERVAL_MAX_MS)
    throw new InvalidArgumentError(
      "presence.diffIntervalMs",
      `must be an integer from 0 to ${DIFF_INTERVAL_MAX_MS}, not ${intervalMs}`,
    );
}
