/** Tokens that were used already, so that none is used twice. */
import { LimitError } from "@presently/replica";

/** At most so often is the whole table looked through for what may be forgotten. */
const SWEEP_INTERVAL_MS = 1_000;

/**
 * Remembers each token until it expires. Full of tokens that have not, it takes no more: forgetting one would let it in
 * again.
 */
export class UsedTokens {
  readonly #most: number;
  readonly #option: string;
  readonly #expiries = new Map<string, number>();
  #sweptAt = Number.NEGATIVE_INFINITY;

  /** @param option what the bound is called in the configuration */
  constructor(most: number, option: string) {
    this.#most = most;
    this.#option = option;
  }

  /** Tokens that are remembered. */
  get size(): number {
    return this.#expiries.size;
  }

  /**
   * Whether this is the first use of a token.
   *
   * @param expiresAtMs from when on the token is refused for its age, so that it may be forgotten
   * @throws {LimitError} when there is no room
   */
  use(token: string, expiresAtMs: number, now: number): boolean {
    if (this.#expiries.has(token)) return false;
    if (this.#expiries.size >= this.#most) this.#sweep(now);
    if (this.#expiries.size >= this.#most)
      throw new LimitError(this.#option, this.#most, "too many single-use tokens have not expired yet");
    this.#expiries.set(token, expiresAtMs);
    return true;
  }

  #sweep(now: number): void {
    if (now < this.#sweptAt + SWEEP_INTERVAL_MS && now >= this.#sweptAt) return;
    this.#sweptAt = now;
    for (const [token, expiresAtMs] of this.#expiries) if (now >= expiresAtMs) this.#expiries.delete(token);
  }
}
