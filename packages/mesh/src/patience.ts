/**
 * How long a handshake waits for each of its steps: a connection, an upgrade, a frame of the other end.
 *
 * A first attempt is short, so that a dial that was swallowed does not hold up the next one. An address that was too slow
 * gets more time with each attempt. One that was linked before gets as much as its round trip asks for.
 */
export class Patience {
  readonly firstMs: number;

  constructor(handshakeTimeoutMs: number) {
    this.firstMs = handshakeTimeoutMs;
  }

  /** The longest wait. Whoever dials us gets it from the start: we do not know how far away it is. */
  get longestMs(): number {
    return Math.min(this.firstMs * LONGEST_FACTOR, TIMER_MS_MAX);
  }

  /** The wait after one that was too short. */
  longer(patienceMs: number): number {
    return Math.min(patienceMs * 2, this.longestMs);
  }

  /** The wait for an address with this round trip. */
  forRoundTrip(roundTripMs: number): number {
    return Math.min(Math.max(this.firstMs, roundTripMs * ROUND_TRIPS), this.longestMs);
  }
}

const LONGEST_FACTOR = 4;

/** A lost packet costs about two more round trips. */
const ROUND_TRIPS = 3;

/** The longest delay that a timer of Node.js takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;
