/** Rates from counters that only grow, and what they were over the last minutes. Time comes in, nothing is read. */

/** A rate is an average over so long: less jumps about, more lags behind. */
const WINDOW_MS = 5_000;
/** A rate of samples that are older is no rate any more. */
const FRESH_MS = 4_000;
const SAMPLES_MAX = 16;

/** One counter. */
export class RateMeter {
  /** @type {{ atMs: number, value: number }[]} */
  #samples = [];
  #life;

  /**
   * @param {number} atMs
   * @param {number} value
   * @param {unknown} life  whatever changes when the counter starts again; one that falls has started again, too
   */
  add(atMs, value, life = undefined) {
    const last = this.#samples.at(-1);
    if (last !== undefined && (life !== this.#life || value < last.value || atMs <= last.atMs))
      this.#samples = [];
    this.#life = life;
    this.#samples.push({ atMs, value });
    while (
      this.#samples.length > SAMPLES_MAX ||
      (this.#samples.length > 2 && this.#samples[1].atMs <= atMs - WINDOW_MS)
    )
      this.#samples.shift();
  }

  /** A second, of late; undefined while it is not known, or not any more. @returns {number | undefined} */
  perSecond(nowMs) {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (last === undefined || first === last || nowMs - last.atMs > FRESH_MS) return undefined;
    return ((last.value - first.value) * 1_000) / (last.atMs - first.atMs);
  }
}

/** Many counters, by name; those that were not told of are forgotten. */
export class RateMeters {
  /** @type {Map<string, RateMeter>} */
  #meters = new Map();

  /** @param {Iterable<readonly [name: string, value: number, life?: unknown]>} counters  all that there are */
  add(atMs, counters) {
    const meters = new Map();
    for (const [name, value, life] of counters) {
      const meter = this.#meters.get(name) ?? new RateMeter();
      meter.add(atMs, value, life);
      meters.set(name, meter);
    }
    this.#meters = meters;
  }

  /** @returns {number | undefined} */
  perSecond(name, nowMs) {
    return this.#meters.get(name)?.perSecond(nowMs);
  }

  /** The sum of those that are known; undefined if none is. @returns {number | undefined} */
  totalPerSecond(nowMs) {
    let total;
    for (const meter of this.#meters.values()) {
      const rate = meter.perSecond(nowMs);
      if (rate !== undefined) total = (total ?? 0) + rate;
    }
    return total;
  }

  get size() {
    return this.#meters.size;
  }
}

/** Values of the last minutes; `undefined` is a value that is not known, and stays a gap. */
export class History {
  #spanMs;
  #pointsMax;
  /** @type {{ atMs: number, value: number | undefined }[]} */
  #points = [];

  constructor({ spanMs = 120_000, pointsMax = 150 } = {}) {
    this.#spanMs = spanMs;
    this.#pointsMax = pointsMax;
  }

  get spanMs() {
    return this.#spanMs;
  }

  /** @param {number} atMs @param {number | undefined} value */
  add(atMs, value) {
    this.#points.push({ atMs, value });
    const start = this.#points.findIndex((point) => point.atMs >= atMs - this.#spanMs);
    this.#points = this.#points.slice(Math.max(start, this.#points.length - this.#pointsMax));
  }

  /** Oldest first. */
  get points() {
    return this.#points;
  }
}

/** How often something happened in the last minute; bounded, whatever happens. */
export class LastMinute {
  /** Counts by second. @type {Map<number, number>} */
  #seconds = new Map();

  add(atMs, count = 1) {
    const second = Math.floor(atMs / 1_000);
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + count);
    this.#forget(atMs);
  }

  count(nowMs) {
    this.#forget(nowMs);
    let sum = 0;
    for (const count of this.#seconds.values()) sum += count;
    return sum;
  }

  #forget(nowMs) {
    const oldest = Math.floor(nowMs / 1_000) - 59;
    for (const second of this.#seconds.keys()) if (second < oldest) this.#seconds.delete(second);
  }
}
