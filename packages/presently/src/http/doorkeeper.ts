/** Who may send which request, and how many: everything that is asked before a request is answered. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Access, Action, Identity } from "../access/access.ts";
import { bearerTokenOf } from "../access/bearer-token.ts";
import type { ClientAddresses } from "../access/client-address.ts";
import { isLoopback } from "../address.ts";
import { AddressTable } from "../drop-in/address-table.ts";
import { type Admission, GATE_DEFAULTS, Gate, type GateNotice, type RefusalCounts } from "../drop-in/gate.ts";
import { TokenBucket } from "../drop-in/token-bucket.ts";
import { HttpRequestError } from "../errors.ts";
import type { HttpConfig } from "../node-options.ts";
import { errorEvent } from "./event-stream.ts";
import type { ApiRequest, Route } from "./route.ts";

/** What of the configuration counts here. */
export type DoorConfig = Pick<
  HttpConfig,
  | "host"
  | "open"
  | "connectionsPerAddressMax"
  | "requestsPerAddressPerSecondMax"
  | "requestsPerConnectionPerSecondMax"
  | "addressesMax"
  | "hookTimeoutMs"
>;

/** What one connection may send in a second by default; loopback is spared. */
const REQUESTS_PER_CONNECTION_PER_SECOND = 100;

/** The parameter that carries the token of those who cannot set header fields: `EventSource` in browsers. */
const TOKEN_PARAMETER = "access_token";

/** Takes a socket in, or turns it away, before it has said anything. */
type ConnectionCheck = (socket: Socket) => void;

export class Doorkeeper {
  readonly #access: Access | undefined;
  readonly #config: DoorConfig;
  readonly #clients: ClientAddresses;
  readonly #gate: Gate;
  readonly #connections: AddressTable;
  readonly #requests = new WeakMap<Socket, TokenBucket>();

  constructor(
    access: Access | undefined,
    config: DoorConfig,
    clients: ClientAddresses,
    onNotice: (notice: GateNotice) => void,
  ) {
    this.#access = access;
    this.#config = config;
    this.#clients = clients;
    const { connectionsPerAddressMax, requestsPerAddressPerSecondMax, addressesMax, hookTimeoutMs } = config;
    this.#gate = new Gate({
      access,
      protocol: "http",
      limits: {
        connectionsPerAddressMax,
        connectsPerAddressPerSecondMax: requestsPerAddressPerSecondMax,
        addressesMax,
        hookTimeoutMs,
      },
      limitNames: {
        connectionsPerAddressMax: "http.connectionsPerAddressMax",
        connectsPerAddressPerSecondMax: "http.requestsPerAddressPerSecondMax",
        addressesMax: "http.addressesMax",
      },
      onNotice,
    });
    this.#connections = new AddressTable({
      openMax: connectionsPerAddressMax ?? GATE_DEFAULTS.connectionsPerAddressMax,
      perSecondMax: requestsPerAddressPerSecondMax ?? GATE_DEFAULTS.connectsPerAddressPerSecondMax,
      addressesMax,
      sparesLoopback: connectionsPerAddressMax === undefined && requestsPerAddressPerSecondMax === undefined,
    });
  }

  /** Requests that were refused since the start, by the reason. */
  get refused(): RefusalCounts {
    return this.#gate.refused;
  }

  /**
   * Counts a connection for its address, and turns it away with a 429 beyond what that may have: one that only opens
   * connections and says nothing is never asked who it is. Proxies that are trusted stand for many, and are not counted.
   */
  readonly checkConnection: ConnectionCheck = (socket) => {
    const address = socket.remoteAddress;
    if (address === undefined || this.#clients.isTrusted(address)) return;
    const refusal = this.#connections.enter(address, performance.now());
    if (refusal === undefined) socket.once("close", () => this.#connections.leave(address));
    else turnAway(socket, refusal.retryAfterMs);
  };

  /**
   * Settles if the request may be answered, with what must be called once it has been.
   *
   * @throws {HttpRequestError} 429 `TOO_MANY_REQUESTS`, 401 `UNAUTHENTICATED`, 403 `FORBIDDEN` or `HOST_REFUSED`, 503
   *   `ACCESS_FAILED`
   */
  async check(request: ApiRequest, route: Route): Promise<() => void> {
    this.#checkRate(request.request);
    if (route.needs === "anybody") return () => undefined;
    this.#checkHost(request.request);
    const { identity, release } = await this.#admit(request);
    try {
      const query = queryWithoutToken(request);
      for (const action of route.needs({ ...request, query })) {
        if (!(await this.#gate.may(identity, action))) throw forbidden(identity, action);
      }
    } catch (error) {
      release();
      throw error;
    }
    const forget = this.#endWith(identity, request.response);
    return () => {
      forget();
      release();
    };
  }

  async #admit(asked: ApiRequest): Promise<Admission & { readonly ok: true }> {
    const { request, query } = asked;
    const token = tokenOf(asked);
    const admission = await this.#gate.admit({
      token,
      params: Object.fromEntries(new URLSearchParams(query)),
      headers: request.headers,
      address: this.#clients.of(request),
    });
    if (!admission.ok) {
      if (admission.reason === "too-many") throw tooMany(admission.retryAfterMs ?? 1_000, "this address");
      throw admission.reason === "failed" ? accessFailed() : unauthenticated(token !== undefined);
    }
    return admission;
  }

  /** A stream ends when whoever listens is nobody any more. */
  #endWith(identity: Identity | undefined, response: ServerResponse): () => void {
    return this.#gate.onExpire(identity, () => {
      if (!response.headersSent || response.writableEnded) return;
      response.end(
        errorEvent("TOKEN_EXPIRED", "the token has expired: open the stream anew with another one"),
      );
    });
  }

  #checkRate({ socket }: IncomingMessage): void {
    const { requestsPerConnectionPerSecondMax: given } = this.#config;
    if (given === undefined && isLoopback(plain(socket.remoteAddress))) return;
    const perSecond = given ?? REQUESTS_PER_CONNECTION_PER_SECOND;
    let bucket = this.#requests.get(socket);
    if (bucket === undefined) {
      bucket = new TokenBucket({ burst: perSecond, perSecond }, performance.now());
      this.#requests.set(socket, bucket);
    }
    if (!bucket.take(performance.now())) throw tooMany(1_000 / perSecond, "this connection");
  }

  /**
   * Without access, loopback is the only lock there is; and a page of another host, whose name its owner points at
   * 127.0.0.1, would be in. It says so by the name that it asks for.
   */
  #checkHost({ headers }: IncomingMessage): void {
    if (this.#access !== undefined || this.#config.open || !isLoopback(this.#config.host)) return;
    const { host } = headers;
    if (host === undefined || isLocalName(host)) return;
    throw new HttpRequestError(
      403,
      "HOST_REFUSED",
      "this node answers under names of its own machine only: give it access, or set http.open",
    );
  }
}

/** The query without the token, so that it is neither taken for a parameter of the resource nor shown in an error. */
export function queryWithoutToken({ request, query }: Pick<ApiRequest, "request" | "query">): string {
  if (!takesTokenParameter(request) || !query.includes(TOKEN_PARAMETER)) return query;
  return query
    .split("&")
    .filter((pair) => !isTokenPair(pair))
    .join("&");
}

/** @throws {HttpRequestError} 400 for several tokens: which one was meant is anyone's guess */
function tokenOf({ request, query }: ApiRequest): string | undefined {
  const inHeader = bearerTokenOf(request.headers);
  const inQuery = takesTokenParameter(request)
    ? query.split("&").flatMap((pair) => (isTokenPair(pair) ? tokenIn(pair) : []))
    : [];
  const tokens = [...(inHeader === undefined ? [] : [inHeader]), ...inQuery];
  if (tokens.length > 1)
    throw new HttpRequestError(
      400,
      "SEVERAL_TOKENS",
      `show one token: in Authorization, or as ${TOKEN_PARAMETER}`,
    );
  // A scheme that is not ours is no token, and must not be taken for an anonymous request.
  return tokens[0] ?? (request.headers.authorization === undefined ? undefined : "");
}

/** What a link can do is not to be done by a token that may stand in somebody's history. */
function takesTokenParameter({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

function isTokenPair(pair: string): boolean {
  return pair.startsWith(`${TOKEN_PARAMETER}=`);
}

function tokenIn(pair: string): string {
  try {
    return decodeURIComponent(pair.slice(TOKEN_PARAMETER.length + 1));
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new HttpRequestError(400, "BAD_URL", "the query is not percent-encoded UTF-8");
  }
}

function plain(address = ""): string {
  return address.replace(/^::ffff:/, "");
}

function isLocalName(host: string): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return isLoopback(hostname.replace(/^\[|\]$/g, "")) || hostname.endsWith(".localhost");
}

function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1_000)));
}

function tooMany(retryAfterMs: number, who: string): HttpRequestError {
  return new HttpRequestError(
    429,
    "TOO_MANY_REQUESTS",
    `${who} sends too many requests: wait, and ask again`,
    {
      "retry-after": retryAfter(retryAfterMs),
    },
  );
}

function unauthenticated(showedToken: boolean): HttpRequestError {
  const message = showedToken
    ? "this token is not known here, or does not count any more"
    : 'show a token: "Authorization: Bearer …"';
  const challenge = `Bearer realm="presently"${showedToken ? ', error="invalid_token"' : ""}`;
  return new HttpRequestError(401, "UNAUTHENTICATED", message, { "www-authenticate": challenge });
}

function forbidden(identity: Identity | undefined, action: Action): HttpRequestError {
  const what = "what" in action ? `${action.kind} ${action.what}` : `${action.kind} this topic`;
  const who = identity === undefined ? "nobody" : JSON.stringify(identity.id);
  return new HttpRequestError(403, "FORBIDDEN", `${who} may not ${what}`);
}

function accessFailed(): HttpRequestError {
  return new HttpRequestError(503, "ACCESS_FAILED", "who you are could not be found out: ask again later", {
    "retry-after": "1",
  });
}

function turnAway(socket: Socket, retryAfterMs: number): void {
  const body = `${JSON.stringify({ error: { code: "TOO_MANY_REQUESTS", message: "too many connections" } })}\n`;
  socket.end(
    "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json; charset=utf-8\r\n" +
      `retry-after: ${retryAfter(retryAfterMs)}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
