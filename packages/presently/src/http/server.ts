/** The HTTP server of a node: takes requests, finds who answers, and turns whatever goes wrong into a typed error. */
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ClientAddresses } from "../access/client-address.ts";
import { formatHostAndPort } from "../address.ts";
import { type Guard, guardRequests } from "../drop-in/attachment.ts";
import type { RefusalCounts } from "../drop-in/refusal-counts.ts";
import { refuseUpgrade } from "../drop-in/refuse-upgrade.ts";
import { HttpRequestError, ListenError, StoppingError } from "../errors.ts";
import type { Log } from "../logger.ts";
import type { HttpConfig } from "../node-options.ts";
import type { NodeNotice } from "../notice.ts";
import { apiRoutes } from "./api.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { EventHub } from "./event-hub.ts";
import { replyToError } from "./failure.ts";
import { type Reply, sendReply } from "./json.ts";
import { NoticeBoard } from "./notice-board.ts";
import { OriginGuard } from "./origin-guard.ts";
import { pageRoutes } from "./page.ts";
import { queryWithoutToken } from "./request-token.ts";
import { Router } from "./router.ts";
import type { ServedNode } from "./served-node.ts";
import { parseTarget } from "./target.ts";
import { whenClosed } from "./when-closed.ts";

/** What the server needs besides its configuration. */
export interface HttpServerOptions {
  readonly node: ServedNode;
  readonly config: HttpConfig;
  readonly limits: {
    readonly metaBytesMax: number;
    readonly topicBytesMax: number;
    readonly keyBytesMax: number;
  };
  readonly clients: ClientAddresses;
  readonly log: Log;
  readonly onNotice: (notice: NodeNotice) => void;
}

/** Cookies and what else a browser sends along; the default of Node.js. */
const OTHER_HEADER_BYTES_MAX = 16_384;

/** How long requests that are being answered may take when the server closes. */
const CLOSE_GRACE_MS = 1_000;

/** Serves one node. Make one with `HttpServer.listen`. */
export class HttpServer {
  readonly #node: ServedNode;
  readonly #config: HttpConfig;
  readonly #log: Log;
  readonly #server: Server;
  readonly #origins: OriginGuard;
  readonly #events: EventHub;
  readonly #notices = new NoticeBoard();
  readonly #router: Router;
  readonly #doorkeeper: Doorkeeper;

  /**
   * A server that takes requests.
   *
   * @throws {ListenError} when the address cannot be listened on
   */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const { config } = options;
    const page = config.page ? await pageRoutes(config.demoControl) : [];
    const server = new HttpServer(options, page);
    await server.#listen();
    return server;
  }

  private constructor(
    { node, config, limits, clients, log, onNotice }: HttpServerOptions,
    page: Awaited<ReturnType<typeof pageRoutes>>,
  ) {
    this.#node = node;
    this.#config = config;
    this.#log = log;
    this.#origins = new OriginGuard(config.allowedOrigins);
    this.#events = new EventHub(node, config);
    const context = {
      node,
      events: this.#events,
      notices: this.#notices,
      origins: this.#origins,
      limits: { ...limits, bodyBytesMax: config.bodyBytesMax },
    };
    this.#router = new Router([...apiRoutes(context), ...page]);
    this.#doorkeeper = new Doorkeeper(node.access, config, clients, onNotice);
    this.#server = createServer({
      maxHeaderSize: headerBytesMax(limits),
      headersTimeout: config.requestTimeoutMs,
      requestTimeout: config.requestTimeoutMs,
      // How punctual the two time-outs are; the default is half a minute.
      connectionsCheckingInterval: Math.min(1_000, config.requestTimeoutMs),
    });
    guardRequests(this.#server, this.#guard);
    this.#server.maxConnections = config.connectionsMax;
    this.#server.on("connection", this.#doorkeeper.checkConnection);
    this.#server.on("request", (request, response) => void this.#answer(request, response));
    this.#server.on("clientError", (error, socket) => refuseConnection(error, socket as Socket));
    this.#server.on("drop", () => {
      log.warn(
        { type: "http-connection-dropped" },
        "http: connection closed, http.connectionsMax is reached",
      );
    });
  }

  /** The base URL, with the port that was taken. */
  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${formatHostAndPort({ host: address, port })}`;
  }

  /** The server itself, for what else is to be served at this address. */
  get server(): Server {
    return this.#server;
  }

  /** Event streams that are open now. */
  get streams(): number {
    return this.#events.size;
  }

  /** Requests that were refused since the start, by the reason. */
  get refused(): RefusalCounts {
    return this.#doorkeeper.refused;
  }

  /** Tells whoever watches the node's notices. */
  post(notice: NodeNotice): void {
    this.#notices.post(notice);
  }

  /** Ends the event streams, lets requests that are being answered end for a second, and closes. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#events.close();
    const cut = setTimeout(() => this.#server.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(cut);
  }

  /** What is served here besides our own routes, which check the name themselves and say more about it. */
  readonly #guard: Guard = (request, answer) => {
    if (this.#doorkeeper.isOurName(request)) return true;
    if (!(answer instanceof ServerResponse)) refuseUpgrade(answer, 403);
    else if (this.#isOurPath(request)) return true;
    else answer.writeHead(403, { "content-length": 0, connection: "close" }).end();
    return false;
  };

  #isOurPath({ url = "" }: IncomingMessage): boolean {
    const [path = ""] = url.split("?", 1);
    return this.#router.allowedMethods(path).length > 0;
  }

  #listen(): Promise<void> {
    const { host, port } = this.#config;
    return new Promise((resolve, reject) => {
      const failed = (cause: Error) => reject(new ListenError("http", host, port, cause));
      this.#server.once("error", failed);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", failed);
        this.#server.on("error", (error) => {
          this.#log.error({ type: "http-server-error", error }, `http: ${error.message}`);
        });
        resolve();
      });
    });
  }

  /** Never throws: the end of every request is a reply, a stream, or a connection that is gone. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away while we write is an everyday event, and the `close` that follows is what counts.
    response.on("error", (error) => this.#log.debug({ error }, "http: response not delivered"));
    for (const [name, value] of Object.entries(this.#origins.headersFor(request))) {
      response.setHeader(name, value);
    }
    let reply: Reply | undefined;
    try {
      reply = await this.#handle(request, response);
    } catch (error) {
      reply = this.#failureOf(error, request);
    }
    if (reply === undefined || response.headersSent || response.destroyed) return;
    // What is left of a body that was not read would be taken for the next request.
    if (!request.complete) response.setHeader("connection", "close");
    sendReply(response, reply);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> {
    const { path, query } = parseTarget(request.url ?? "");
    const method = request.method ?? "";
    if (method === "OPTIONS") return this.#options(path);
    const { route, params } = this.#router.find(method, path);
    const answered = await this.#doorkeeper.check({ request, response, params, query }, route);
    let isStream = false;
    try {
      // It may have gone while a hook was asked who it is; then no `close` is to come, and a stream would stay for ever.
      if (request.socket.destroyed)
        throw new HttpRequestError(400, "REQUEST_ABORTED", "the client went away before it was answered");
      // The probes go on: they are how a load balancer learns that the node is stopping.
      if (this.#node.stopping && path.startsWith("/api/")) throw new StoppingError();
      const reply = await route.handle({
        ...{ request, response, params },
        query: queryWithoutToken({ request, query }),
      });
      isStream = reply === undefined && !response.writableEnded && !request.socket.destroyed;
      if (isStream) whenClosed(response, answered);
      return reply;
    } finally {
      if (!isStream) answered();
    }
  }

  #options(path: string): Reply {
    const allowed = this.#router.allowedMethods(path);
    if (allowed.length === 0) throw new HttpRequestError(404, "NOT_FOUND", "there is nothing at this path");
    return { status: 204, headers: { allow: allowed.join(", ") } };
  }

  #failureOf(error: unknown, request: IncomingMessage): Reply {
    const { reply, expected } = replyToError(error);
    if (expected) {
      this.#log.debug(
        { type: "http-refused", method: request.method, status: reply.status },
        "http: refused",
      );
    } else {
      this.#log.error({ type: "http-failed", method: request.method, error }, "http: request failed");
    }
    return reply;
  }
}

/** The request line of an event stream holds a topic, a key and a meta, of which every byte may be percent-encoded. */
function headerBytesMax({ metaBytesMax, topicBytesMax, keyBytesMax }: HttpServerOptions["limits"]): number {
  return OTHER_HEADER_BYTES_MAX + 3 * (metaBytesMax + topicBytesMax + keyBytesMax);
}

/** Statuses of what Node.js itself refuses, before there is a request. */
const refusalByCode: Readonly<Record<string, readonly [string, string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [
    "408 Request Timeout",
    "REQUEST_TIMEOUT",
    "the request took too long (option http.requestTimeoutMs)",
  ],
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    "HEADER_TOO_LARGE",
    "the request line and its header fields are too large: topic, key and meta have bounds",
  ],
};

function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  // In the middle of an answer, an event stream for example, there is no place for another one.
  const answering = (socket as { _httpMessage?: ServerResponse })._httpMessage?.headersSent ?? false;
  if (!socket.writable || answering || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, code, message] = refusalByCode[error.code ?? ""] ?? [
    "400 Bad Request",
    "BAD_REQUEST",
    "this is not HTTP/1.1",
  ];
  const body = `${JSON.stringify({ error: { code, message } })}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  socket.setTimeout(CLOSE_GRACE_MS, () => socket.destroy());
}
