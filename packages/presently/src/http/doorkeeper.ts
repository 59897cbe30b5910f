/** Who may send which request, and how many: everything that is asked before a request is answered. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Access, Identity } from "../access/access.ts";
import type { ClientAddresses } from "../access/client-address.ts";
import { isLoopback } from "../address.ts";
import { AddressTable } from "../drop-in/address-table.ts";
import { type Admission, GATE_DEFAULTS, Gate } from "../drop-in/gate.ts";
import type { RefusalCounts } from "../drop-in/refusal-counts.ts";
import { type GateNotice, RefusalNotices } from "../drop-in/refusal-notices.ts";
import { TokenBucket } from "../drop-in/token-bucket.ts";
import { HttpRequestError } from "../errors.ts";
import type { HttpConfig } from "../node-options.ts";
import { errorEvent } from "./event-stream.ts";
import { accessFailed, forbidden, tooMany, turnAway, unauthenticated } from "./refusal.ts";
import { queryWithoutToken, tokenOf } from "./request-token.ts";
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

/** Takes a socket in, or turns it away, before it has said anything. */
type ConnectionCheck = (socket: Socket) => void;

/** What the bounds of an address are called where they are configured. */
const optionOf = {
  openMax: "http.connectionsPerAddressMax",
  perSecondMax: "http.requestsPerAddressPerSecondMax",
  addressesMax: "http.addressesMax",
} as const;

export class Doorkeeper {
  readonly #access: Access | undefined;
  readonly #config: DoorConfig;
  readonly #clients: ClientAddresses;
  readonly #gate: Gate;
  readonly #notices: RefusalNotices;
  readonly #connections: AddressTable;
  /** Connections, and requests beyond what their connection may send. */
  #turnedAway = 0;
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
    this.#notices = new RefusalNotices("http", onNotice);
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
        connectionsPerAddressMax: optionOf.openMax,
        connectsPerAddressPerSecondMax: optionOf.perSecondMax,
        addressesMax: optionOf.addressesMax,
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

  /** Requests, and connections, that were refused since the start, by the reason. */
  get refused(): RefusalCounts {
    const { refused } = this.#gate;
    return { ...refused, "too-many": refused["too-many"] + this.#turnedAway };
  }

  /**
   * Counts a connection for its address, and turns it away with a 429 beyond what that may have: one that only opens
   * connections and says nothing is never asked who it is. Proxies that are trusted stand for many, and are not counted.
   */
  readonly checkConnection: ConnectionCheck = (socket) => {
    const address = socket.remoteAddress;
    if (address === undefined || this.#clients.isTrusted(address)) return;
    const refusal = this.#connections.enter(address, performance.now());
    if (refusal === undefined) {
      socket.once("close", () => this.#connections.leave(address));
      return;
    }
    this.#turnedAway += 1;
    this.#notices.limitReached(address, optionOf[refusal.limit]);
    turnAway(socket, refusal.retryAfterMs);
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
    const { request } = asked;
    const token = tokenOf(asked);
    const admission = await this.#gate.admit({
      token,
      params: Object.fromEntries(new URLSearchParams(queryWithoutToken(asked))),
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
    if (bucket.take(performance.now())) return;
    this.#turnedAway += 1;
    throw tooMany(1_000 / perSecond, "this connection");
  }

  /** Whether the request asks for a name that this node answers under. */
  isOurName({ headers: { host } }: IncomingMessage): boolean {
    if (this.#access !== undefined || this.#config.open || !isLoopback(this.#config.host)) return true;
    return host === undefined || isLocalName(host);
  }

  /**
   * Without access, loopback is the only lock there is; and a page of another host, whose name its owner points at
   * 127.0.0.1, would be in. It says so by the name that it asks for.
   */
  #checkHost(request: IncomingMessage): void {
    if (this.isOurName(request)) return;
    throw new HttpRequestError(
      403,
      "HOST_REFUSED",
      "this node answers under names of its own machine only: give it access, or set http.open",
    );
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
