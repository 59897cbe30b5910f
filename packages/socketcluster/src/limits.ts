/** What one socket may cost its server. */
import { type GateLimits, resolveBesideGate } from "presently/drop-in";

const DEFAULTS = {
  actionsPerSecondMax: 1_000,
  questionsPerSecondMax: 20,
  subscriptionsPerSocketMax: 2_000,
  rostersPerSocketMax: 100,
  waitingMessagesMax: 10_000,
  bufferedBytesMax: 4_194_304,
};

/** Those of `GateLimits` count sockets, that is to say handshakes, of each address. */
export interface LimitOptions extends Partial<GateLimits> {
  /** Subscriptions, publications, calls and transmissions of a socket in a second. Default 1,000; beyond it is disconnected. */
  readonly actionsPerSecondMax?: number;
  /** Calls of our procedures (`userMap`, `roster`) by a socket in a second. Default 20; beyond it they are refused. */
  readonly questionsPerSecondMax?: number;
  /** Channels that a socket may be subscribed to. Default 2,000; beyond it subscriptions are refused. */
  readonly subscriptionsPerSocketMax?: number;
  /** Rosters that a socket may follow. Default 100; beyond it subscriptions to their channels are refused. */
  readonly rostersPerSocketMax?: number;
  /** Messages of a socket that wait to be dealt with. Default 10,000; beyond it is disconnected. */
  readonly waitingMessagesMax?: number;
  /** Bytes that wait for a socket to read them when something is published to it. Default 4 MiB; beyond it is disconnected. */
  readonly bufferedBytesMax?: number;
}

export type Limits = Required<Omit<LimitOptions, keyof GateLimits>> & Partial<GateLimits>;

/** @throws {InvalidArgumentError} for a name that does not exist, or a value that is no positive integer */
export function resolveLimits(options?: LimitOptions): Limits {
  return resolveBesideGate(DEFAULTS, options);
}
