/** How the simulated network behaves when nothing is wrong with it, and how long its ends wait. */
import type { Millis } from "@presently/replica";

/** Delays, widths and patience of the simulated network, in milliseconds of virtual time and bytes. */
export interface NetworkOptions {
  /** The shortest one-way delay of a frame. Default 1. */
  readonly latencyMinMs?: Millis;
  /** The longest one-way delay of all frames but the late ones. Default 10. */
  readonly latencyMaxMs?: Millis;
  /** The share of frames that come late, as after a lost packet; what follows on their link waits. Default 0.01. */
  readonly lateShare?: number;
  /** The longest delay of a late frame. Default 250. */
  readonly lateMaxMs?: Millis;
  /** How much a path carries when nothing is wrong with it. Default: whatever comes. */
  readonly bytesPerSecond?: number;
  /** What the kernels of both ends hold of a direction before the sender's own buffer grows. Default 65,536. */
  readonly windowBytes?: number;
  /** A link with more than this in its buffer is congested; with four times this, it is closed. Default 262,144. */
  readonly maxBufferedBytes?: number;
  /** A link on which nothing comes for so long is closed by the end that hears nothing. Default 5,000. */
  readonly silentAfterMs?: Millis;
  /** A dial that nobody answers is given up after so long. Default 2,000. */
  readonly handshakeTimeoutMs?: Millis;
  /** The first wait before a host is dialled again; doubles with each failure. Default 100. */
  readonly dialMinMs?: Millis;
  /** The longest wait before a host is dialled again. Default 1,000. */
  readonly dialMaxMs?: Millis;
}

export type NetworkSettings = Required<NetworkOptions>;

/** What holds for every option of the network that is not given, in milliseconds and bytes: a good network, a little uneven. */
export const NETWORK_DEFAULTS: NetworkSettings = {
  latencyMinMs: 1,
  latencyMaxMs: 10,
  lateShare: 0.01,
  lateMaxMs: 250,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  windowBytes: 65_536,
  maxBufferedBytes: 262_144,
  silentAfterMs: 5_000,
  handshakeTimeoutMs: 2_000,
  dialMinMs: 100,
  dialMaxMs: 1_000,
};
