/** The bounds of a socket: every one with its unit, its default, and what it protects. */
import { GATE_DEFAULTS, type GateLimits, resolveBounds } from "presently/drop-in";

/** Those of `GateLimits` are asked before a connection is made: how many there may be of one address. */
export interface LimitOptions extends Partial<GateLimits> {
  /** Bytes of one message of a client. Default 65,536. A larger one closes the WebSocket with 1009. */
  readonly frameBytesMax?: number;
  /** Joined channels of one connection. Default 100, as in Phoenix. One more join is answered with an error. */
  readonly channelsPerConnectionMax?: number;
  /** Joins of one connection in the long run; as many as it may have channels at once. Default 20. More are answered with an error. */
  readonly joinsPerSecondMax?: number;
  /** Messages of one connection in the long run, and twice as many at once. Default 500. More close it with 1008. */
  readonly messagesPerSecondMax?: number;
  /**
   * Bytes of what one client has sent and its channels still hold: the joins of those that are open, and messages that wait
   * for slow callbacks. Default 1 MiB. A join beyond it is answered with an error, a message closes the connection with 1008.
   */
  readonly heldBytesMax?: number;
  /** Bytes that wait to be read by one client. Default 4 MiB. A slower client is closed with 1013, and connects again. */
  readonly bufferedBytesMax?: number;
  /** A WebSocket over which nothing came for so long is closed with 1001. Default 60,000 ms; clients send a heartbeat each 30 s. */
  readonly idleTimeoutMs?: number;
  /** Connections, of both transports, and those under way. Default 50,000. More are refused with 503. */
  readonly connectionsMax?: number;
  /** How long a poll of a long-polling client waits. Default 10,000 ms; a session without a poll ends after one and a half of it. */
  readonly longPollWindowMs?: number;
  /** Sessions of long-polling clients. Default 10,000. More are told to come again. */
  readonly longPollSessionsMax?: number;
  /** Bytes of all requests of a long-polling client that are under way; each may hold 100 messages. Default 1 MiB. More end its session. */
  readonly longPollBodyBytesMax?: number;
  /** Time that `connect` has. Default 10,000 ms. */
  readonly connectTimeoutMs?: number;
  /** Time that `fetch` has; after it, presences go out as they are. Default 10,000 ms. */
  readonly fetchTimeoutMs?: number;
  /** UTF-8 bytes of a topic that may be joined. Default 255; as much as the node's `topicBytesMax` at most. */
  readonly topicBytesMax?: number;
}

export type Limits = Required<LimitOptions>;

/** The defaults, for help texts. */
export const LIMIT_DEFAULTS: Limits = {
  ...GATE_DEFAULTS,
  frameBytesMax: 65_536,
  channelsPerConnectionMax: 100,
  joinsPerSecondMax: 20,
  messagesPerSecondMax: 500,
  heldBytesMax: 1_024 * 1_024,
  bufferedBytesMax: 4 * 1_024 * 1_024,
  idleTimeoutMs: 60_000,
  connectionsMax: 50_000,
  longPollWindowMs: 10_000,
  longPollSessionsMax: 10_000,
  longPollBodyBytesMax: 1_024 * 1_024,
  connectTimeoutMs: 10_000,
  fetchTimeoutMs: 10_000,
  topicBytesMax: 255,
};

/** @throws {InvalidArgumentError} for a bound that is no positive integer, or that does not exist */
export function resolveLimits(options?: LimitOptions): Limits {
  return resolveBounds(LIMIT_DEFAULTS, options);
}
