/** The bounds of the door, for all its apps together: every one with its unit, its default, and what it protects. */
import { GATE_DEFAULTS, type GateLimits, resolveBounds } from "presently/drop-in";

/** Those of `GateLimits` are asked before a connection is made: how many there may be of one address. */
export interface LimitOptions extends Partial<GateLimits> {
  /** Bytes of one message of a client. Default 65,536. A larger one closes the WebSocket with 1009. */
  readonly frameBytesMax?: number;
  /** Channels of one connection. Default 1,000. One more is refused. */
  readonly subscriptionsMax?: number;
  /** Messages of one connection in a second in the long run, and ten times as many at once. Default 200. More close it with 4100. */
  readonly messagesPerSecondMax?: number;
  /** Bytes that wait to be read by one client. Default 4 MiB. A slower client is disconnected with 4100. */
  readonly bufferedBytesMax?: number;
  /** Connections at this node, of all apps. Default 50,000. More are sent away with 4100. */
  readonly connectionsMax?: number;
  /** Bytes of a request to the HTTP API. Default 1 MiB. */
  readonly requestBytesMax?: number;
  /** Cache channels whose last event is kept at this node. Default 10,000; the one published to longest ago makes room. */
  readonly cachedEventsMax?: number;
}

export type Limits = Required<LimitOptions>;

const DEFAULTS: Limits = {
  ...GATE_DEFAULTS,
  frameBytesMax: 65_536,
  subscriptionsMax: 1_000,
  messagesPerSecondMax: 200,
  bufferedBytesMax: 4 * 1_024 * 1_024,
  connectionsMax: 50_000,
  requestBytesMax: 1_024 * 1_024,
  cachedEventsMax: 10_000,
};

/** Times, in milliseconds. */
export interface DurationOptions {
  /** A client from which nothing came for so long is pinged; clients are told it, and ping themselves. Default 120,000. */
  readonly activityTimeoutMs?: number;
  /** A client that does not answer a ping for so long is closed with 4201. Default 30,000. */
  readonly pongTimeoutMs?: number;
  /** How long the last event of a cache channel is kept. Default 1,800,000. */
  readonly cacheMs?: number;
}

export type Durations = Required<DurationOptions>;

const DURATIONS: Durations = { activityTimeoutMs: 120_000, pongTimeoutMs: 30_000, cacheMs: 1_800_000 };

/** @throws {InvalidArgumentError} for a bound that is no positive integer, or that does not exist */
export function resolveLimits(options?: LimitOptions): Limits {
  return resolveBounds(DEFAULTS, options);
}

/** @throws {InvalidArgumentError} for a duration that is no positive integer */
export function resolveDurations(options: DurationOptions): Durations {
  const { activityTimeoutMs, pongTimeoutMs, cacheMs } = options;
  return resolveBounds(DURATIONS, { activityTimeoutMs, pongTimeoutMs, cacheMs }, { prefix: "" });
}
