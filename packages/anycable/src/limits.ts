/** The bounds of a cable: every one with its unit, its default, and what it protects. */
import { InvalidArgumentError } from "presently";
import { GATE_DEFAULTS, type GateLimits, resolveBounds } from "presently/drop-in";

/** Those of `GateLimits` are asked before a connection is made: how many there may be of one address. */
export interface LimitOptions extends Partial<GateLimits> {
  /** Bytes of one message of a client. Default 65,536. A larger one closes the WebSocket with 1009. */
  readonly frameBytesMax?: number;
  /** Subscriptions of one connection. Default 100. One more is rejected. */
  readonly subscriptionsMax?: number;
  /** Streams of one subscription. Default 20. */
  readonly streamsPerSubscriptionMax?: number;
  /** UTF-8 bytes of the name of a stream. Default 255; as much as the node's `topicBytesMax` at most. */
  readonly streamBytesMax?: number;
  /** UTF-8 bytes of the identifier of a subscription. Default 4,096. A longer one is rejected. */
  readonly identifierBytesMax?: number;
  /** Commands of one connection in the long run, and twice as many at once. Default 200. More close it with 1008. */
  readonly commandsPerSecondMax?: number;
  /** Commands of one connection that wait for a slow callback. Default 1,000. More close it with 1008. */
  readonly commandsWaitingMax?: number;
  /** Bytes of those commands. Default 1 MiB. More close it with 1008. */
  readonly commandsWaitingBytesMax?: number;
  /** Bytes that wait to be read by one client. Default 4 MiB. A slower client is disconnected with `too_slow`. */
  readonly bufferedBytesMax?: number;
  /** Connections, and those under way. Default 50,000. More are refused with 503. */
  readonly connectionsMax?: number;
  /** Sessions whose connection broke and that may be resumed. Default 10,000; the oldest makes room. */
  readonly sessionsKeptMax?: number;
  /** Bytes of all sessions that may be resumed, as JSON. Default 64 MiB; the oldest makes room. */
  readonly sessionsKeptBytesMax?: number;
  /** Messages of one stream that are kept for those who come back. Default 100. */
  readonly historyMessagesMax?: number;
  /** Streams whose messages are kept at this node. Default 10,000; the one that was quiet for longest makes room. */
  readonly historyStreamsMax?: number;
  /** Bytes of all messages that are kept at this node. Default 64 MiB. */
  readonly historyBytesMax?: number;
  /** Bytes of a request to the REST API. Default 1 MiB. */
  readonly requestBytesMax?: number;
  /** Time that the application has to let a client in, or to answer a command. Default 10,000 ms. */
  readonly callbackTimeoutMs?: number;
}

export type Limits = Required<LimitOptions>;

/** The defaults, for help texts. */
export const LIMIT_DEFAULTS: Limits = {
  ...GATE_DEFAULTS,
  frameBytesMax: 65_536,
  subscriptionsMax: 100,
  streamsPerSubscriptionMax: 20,
  streamBytesMax: 255,
  identifierBytesMax: 4_096,
  commandsPerSecondMax: 200,
  commandsWaitingMax: 1_000,
  commandsWaitingBytesMax: 1_024 * 1_024,
  bufferedBytesMax: 4 * 1_024 * 1_024,
  connectionsMax: 50_000,
  sessionsKeptMax: 10_000,
  sessionsKeptBytesMax: 64 * 1_024 * 1_024,
  historyMessagesMax: 100,
  historyStreamsMax: 10_000,
  historyBytesMax: 64 * 1_024 * 1_024,
  requestBytesMax: 1_024 * 1_024,
  callbackTimeoutMs: 10_000,
};

/** Times, in milliseconds. */
export interface DurationOptions {
  /** How long the presence of a connection that broke stays. Default 15,000, as AnyCable's `presence_ttl`. */
  readonly presenceTtlMs?: number;
  /** How long a session whose connection broke may be resumed. Default 300,000. */
  readonly resumeMs?: number;
  /** How long messages are kept. Default 300,000. */
  readonly historyMs?: number;
  /** Between two pings, unless the client asks for another interval. Default 3,000, which the npm client counts on. */
  readonly pingIntervalMs?: number;
  /** A connection whose client answers no ping of the WebSocket for so long is dropped. Default 30,000. */
  readonly silentAfterMs?: number;
  /** Disconnects clients that send no `pong` command for so long, with `no_pong`; 0, the default, does not. */
  readonly pongTimeoutMs?: number;
}

export type Durations = Required<DurationOptions>;

/** What holds for every duration that is not given, in milliseconds. */
export const DURATION_DEFAULTS: Durations = {
  presenceTtlMs: 15_000,
  resumeMs: 300_000,
  historyMs: 300_000,
  pingIntervalMs: 3_000,
  silentAfterMs: 30_000,
  pongTimeoutMs: 0,
};

/** @throws {InvalidArgumentError} for a bound that is no positive integer, or that does not exist */
export function resolveLimits(options?: LimitOptions): Limits {
  return resolveBounds(LIMIT_DEFAULTS, options);
}

/** @throws {InvalidArgumentError} for a duration that is no integer of at least 0 */
export function resolveDurations(options: DurationOptions): Durations {
  const given = Object.fromEntries(
    Object.keys(DURATION_DEFAULTS).map((name) => [name, options[name as keyof DurationOptions]]),
  );
  const durations = resolveBounds(DURATION_DEFAULTS, given, { prefix: "", least: 0 });
  for (const name of ["pingIntervalMs", "silentAfterMs"] as const)
    if (durations[name] === 0) throw new InvalidArgumentError(name, "must be at least 1");
  return durations;
}
