/** What one client, or all of them together, can make this plug-in keep. */
import { type GateLimits, resolveBesideGate } from "presently/drop-in";

const DEFAULTS = {
  idBytesMax: 255,
  presenceBytesMax: 7_936,
  channelsPerClientMax: 1_000,
  clientsMax: 100_000,
  pendingMax: 10_000,
};

/** Those of `GateLimits` count clients, that is to say handshakes, of each address. */
export interface LimitOptions extends Partial<GateLimits> {
  /** UTF-8 bytes of a presence id. Default 255; not more than `keyBytesMax` of the node. */
  readonly idBytesMax?: number;
  /** Bytes of `ext.presence` as JSON, numbers counted as 8. Default 7,936; at least 64 below `metaBytesMax` of the node. */
  readonly presenceBytesMax?: number;
  /** Presence channels that one client may be subscribed to. Default 1,000. */
  readonly channelsPerClientMax?: number;
  /** Clients at this server that are subscribed to presence channels. Default 100,000. */
  readonly clientsMax?: number;
  /** Subscriptions and publications that Faye is at work on. Default 10,000. */
  readonly pendingMax?: number;
}

export type Limits = Required<Omit<LimitOptions, keyof GateLimits>> & Partial<GateLimits>;

/** What holds for every limit of presence that is not given; those of addresses are in `GATE_DEFAULTS`. */
export const LIMIT_DEFAULTS: Readonly<typeof DEFAULTS> = DEFAULTS;

/** @throws {InvalidArgumentError} for a name that does not exist, or a value that is no positive integer */
export function resolveLimits(options?: LimitOptions): Limits {
  return resolveBesideGate(DEFAULTS, options);
}
