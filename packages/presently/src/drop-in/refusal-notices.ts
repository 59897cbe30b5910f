/** Tells an operator of refusals, and of no more than they can read: whoever is refused could fill a disk with it. */
import type { Protocol } from "../access/access.ts";
import type { NodeNotice } from "../notice.ts";
import { guardNotices } from "./guarded-notices.ts";
import { TokenBucket } from "./token-bucket.ts";

/** A notice of a gate. Holds no token. */
export interface GateNotice extends NodeNotice {
  /** `access-failed`: a hook threw, took too long or answered nonsense. `address-limit`: an address reached a bound. */
  readonly type: "access-failed" | "address-limit";
  readonly level: "warn";
  readonly protocol: Protocol;
  /** Notices that were not told since the last one. */
  readonly suppressed: number;
  /** What a hook threw. */
  readonly error?: unknown;
}

/** So many at once, and then one a second. */
const BOUND = { burst: 10, perSecond: 1 };

export class RefusalNotices {
  readonly #protocol: Protocol;
  readonly #onNotice: (notice: GateNotice) => void;
  readonly #bucket = new TokenBucket(BOUND, performance.now());
  #suppressed = 0;

  constructor(protocol: Protocol, onNotice: (notice: GateNotice) => void) {
    this.#protocol = protocol;
    // It must not decide who comes in.
    this.#onNotice = guardNotices(onNotice);
  }

  /** A hook did not answer as it should; `error` is what it threw, if it did. */
  hookFailed(hook: string, reason: string, error: Error | undefined): void {
    const message = `the hook ${hook} ${reason}; ${this.#protocol} refused a client`;
    this.#note("access-failed", message, { hook, ...(error === undefined ? {} : { error }) });
  }

  /** An address has reached a bound, which is called `option`. */
  limitReached(address: string, option: string): void {
    const advice = "if it is a proxy, name it in http.trustedProxies";
    const message = `${address} has reached ${option} of ${this.#protocol}; ${advice}`;
    this.#note("address-limit", message, { address, option });
  }

  #note(type: GateNotice["type"], message: string, facts: Readonly<Record<string, unknown>>): void {
    if (!this.#bucket.take(performance.now())) {
      this.#suppressed += 1;
      return;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    this.#onNotice({ ...facts, type, level: "warn", message, protocol: this.#protocol, suppressed });
  }
}
