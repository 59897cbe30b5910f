/** What a node is configured with. */
import type { TlsOptions } from "@presently/mesh";
import type { ReplicaOptions } from "@presently/replica";
import type { Access } from "./access/access.ts";
import type { Log, LogLevel } from "./logger.ts";
import type { NodeNotice } from "./notice.ts";
import type { TransportFactory } from "./transport.ts";

/** How other nodes reach this one, and which it dials. */
export interface MeshOptions {
  /** Address to listen on; default `127.0.0.1`. */
  readonly host?: string;
  /** Port to listen on; 0 takes any free one. */
  readonly port: number;
  /**
   * `ws://` or `wss://` URLs of other nodes, dialled for ever; or names to look up: `dns+ws://name:port` for all A and
   * AAAA records, `srv+ws://_service._tcp.name` for all SRV records, and with `wss` likewise. Default none.
   */
  readonly peers?: readonly string[];
  /** Pause before the names among the peers are looked up again; default 10,000. */
  readonly dnsIntervalMs?: number;
  /** Listen with TLS, and who is believed when `wss://` URLs are dialled; default neither. PEM texts. */
  readonly tls?: TlsOptions;
  /** URL at which others reach this node, where that is not the address it listens on. */
  readonly advertise?: string;
  /** Learn addresses from peers and dial them too; default true. */
  readonly peerGossip?: boolean;
  /** Shortest and longest pause before a peer is dialled again; defaults 100 and 500. */
  readonly dialMinMs?: number;
  readonly dialMaxMs?: number;
  /** Time that a dialled peer has for each step of a handshake at first; default 2,000. */
  readonly handshakeTimeoutMs?: number;
  /** A link over which not a byte came for so long, or for three round trips, is closed; default 5,000. */
  readonly silentAfterMs?: number;
  /** Largest frame taken from a peer; default 1 MiB. */
  readonly frameBytesMax?: number;
  /** Unsent bytes of a link above which nothing more is pushed; default 4 MiB. */
  readonly maxBufferedBytes?: number;
  /** Links at a time; default 256. */
  readonly linksMax?: number;
  /** Connections of others that have not proved themselves yet, at a time; default 64. */
  readonly pendingHandshakesMax?: number;
  /** Addresses known at a time, configured ones included; default 1,024. */
  readonly addressesMax?: number;
}

/** The HTTP API, the event streams and the page. */
export interface HttpOptions {
  /** Address to listen on; default `127.0.0.1`. Any other needs `access`, or `open`. */
  readonly host?: string;
  /** Port to listen on; 0 takes any free one. */
  readonly port: number;
  /** Whoever reaches the address may do everything, as on loopback; only without `access`; default false. */
  readonly open?: boolean;
  /** Addresses and networks of proxies whose `X-Forwarded-For` is believed; default none. */
  readonly trustedProxies?: readonly string[];
  /** Connections of one address at a time, and requests of one behind a trusted proxy; default 1,000, none for loopback. */
  readonly connectionsPerAddressMax?: number;
  /** Requests, and connections, that one address may begin in a second; default 100, none for loopback. */
  readonly requestsPerAddressPerSecondMax?: number;
  /** Requests that one connection may send in a second; default 100, none for loopback. */
  readonly requestsPerConnectionPerSecondMax?: number;
  /** Addresses for which connections and requests are counted at a time; default 65,536. */
  readonly addressesMax?: number;
  /** Time that a hook of `access` has to answer; default 5,000. */
  readonly hookTimeoutMs?: number;
  /** Origins of web pages that may use the API from a browser; `*` allows every one; default none. */
  readonly allowedOrigins?: readonly string[];
  /** Size of a request body; default 64 KiB, or twice `metaBytesMax` if that is more. */
  readonly bodyBytesMax?: number;
  /** Time that a client has to send its whole request; default 10,000. */
  readonly requestTimeoutMs?: number;
  /** Connections at a time; default 12,000. */
  readonly connectionsMax?: number;
  /** Open event streams at a time; default 10,000. */
  readonly streamsMax?: number;
  /** Unsent bytes of one event stream, besides its first state, above which it is closed; default 1 MiB. */
  readonly eventBufferBytesMax?: number;
  /** Unsent bytes of all event streams together above which no further one is opened; default 256 MiB. */
  readonly eventBuffersBytesMax?: number;
  /** Pause between the comments that keep an idle event stream open; default 15,000. */
  readonly eventHeartbeatMs?: number;
  /** Serve the page at `/`; default true. */
  readonly page?: boolean;
  /** Origin of the demo's control server, which the demo's page may call. Set by `presently demo` only. */
  readonly demoControl?: string;
}

/**
 * What `createNode` takes: its own options, and those of the replica, whose bounds and durations stand at the same
 * level. Durations are milliseconds; everything but `name` has a default.
 */
export interface NodeOptions extends Omit<ReplicaOptions, "incarnation" | "random" | "steps"> {
  /** Nodes of another cluster are refused; default `presently`. */
  readonly cluster?: string;
  /** Shared by all nodes, never sent. The first of several proves us, any of them proves a peer: so a secret is changed without a stop. */
  readonly secret?: string | readonly string[];
  /** Number of this life of the node, larger than that of every life before; default the wall clock in ms. */
  readonly incarnation?: number;
  readonly mesh?: MeshOptions;
  /** What carries the frames instead of the mesh: see `@presently/nats`. Not together with `mesh`. */
  readonly transport?: TransportFactory;
  readonly http?: HttpOptions;
  /** Who may do what, asked by the HTTP API and by every drop-in: see `createAccess`, or write the two hooks. */
  readonly access?: Access;
  /** How long the others show this node's presences after `stop()`; default 0. */
  readonly handoffMs?: number;
  /** How long a starting node waits for peers that do not answer before it is ready without them; default 3,000. */
  readonly readyGraceMs?: number;
  /** Least important line that the node's own logger writes; default `warn`. */
  readonly logLevel?: LogLevel;
  /**
   * Takes the log lines instead of the node's own logger; a pino logger fits. A line that it throws at, or whose promise it
   * rejects, is dropped and counted (`presently_log_lines_dropped_total`).
   */
  readonly log?: Log;
  /** Told of everything that is worth a log line, with the facts as fields. What it throws is a line in the log. */
  readonly onNotice?: (notice: NodeNotice) => void;
}

type Filled<T, Optional extends keyof T = never> = {
  readonly [K in keyof Omit<T, Optional>]-?: Exclude<T[K], undefined>;
} & { readonly [K in Optional]: T[K] | undefined };

/** `MeshOptions` with every default filled in. */
export type MeshConfig = Filled<MeshOptions, "advertise" | "tls">;

/** `HttpOptions` with every default filled in. */
export type HttpConfig = Filled<
  HttpOptions,
  | "demoControl"
  | "connectionsPerAddressMax"
  | "requestsPerAddressPerSecondMax"
  | "requestsPerConnectionPerSecondMax"
>;

/** `NodeOptions` with every default filled in, checked. */
export type NodeConfig = Filled<
  Omit<NodeOptions, "mesh" | "http" | "secret">,
  "incarnation" | "log" | "onNotice" | "transport" | "access"
> & {
  readonly secrets: readonly string[];
  readonly mesh: MeshConfig | undefined;
  readonly http: HttpConfig | undefined;
};
