/**
 * How do two replicas notice that they differ although they have seen the same events?
 *
 * Each keeps, per origin, a hash of the dots that are live there: the exclusive-or of one pseudo-random
 * number per dot (Zobrist, "A New Hashing Method with Application for Game Playing", 1970). Adding and
 * removing a dot are the same O(1) step, and the order of changes does not matter. Two lanes of 32 bits
 * keep the arithmetic in small integers; 53 bits of them are compared, so a difference stays unseen once
 * in 2^53. It guards against bugs and lost knowledge, not against an adversary.
 */

/** Starting point of an origin's hash, so that equal event numbers of two origins do not cancel out. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5; // FNV-1a over UTF-16 code units.
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash | 0;
}

/** An order-independent hash of event numbers that can be added to and removed from in O(1). */
export class StateHash {
  private low = 0;
  private high = 0;
  private readonly seed: number;

  constructor(seed: number) {
    this.seed = seed;
  }

  /** Adds the number if it is absent and takes it out if it is present; the caller knows which. */
  toggle(number: number): void {
    const folded = (number | 0) ^ Math.imul((number / 0x1_0000_0000) | 0, 0x9e3779b1);
    this.low ^= mix(folded ^ this.seed);
    this.high ^= mix(Math.imul(folded, 0x85ebca6b) ^ (this.seed + 0x27d4eb2f));
  }

  /** Takes over what `other` holds, and empties it. */
  absorb(other: StateHash): void {
    this.low ^= other.low;
    this.high ^= other.high;
    other.low = 0;
    other.high = 0;
  }

  /** The hash as a safe integer ≥ 0; 0 when empty. */
  get value(): number {
    return combine(this.low, this.high);
  }

  /** The hash of these numbers and those of `other`, which must be others. */
  valueWith(other: StateHash): number {
    return combine(this.low ^ other.low, this.high ^ other.high);
  }
}

function combine(low: number, high: number): number {
  return (high & 0x1f_ffff) * 0x1_0000_0000 + (low >>> 0);
}

/** MurmurHash3's 32-bit finalizer: every input bit changes every output bit with probability near one half. */
function mix(number: number): number {
  let hash = number;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
