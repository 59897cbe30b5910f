/** How many come and go on one topic, counted from its diffs. Pure. */
import { LastMinute } from "./rates.js";

/** Keys and diffs are counted as the API sends them. */
export class TopicTraffic {
  #joins = new LastMinute();
  #leaves = new LastMinute();
  #updates = new LastMinute();

  /** @param {{ joins: unknown[], leaves: unknown[], updates: unknown[] }} diff */
  add({ joins, leaves, updates }, nowMs) {
    this.#joins.add(nowMs, joins.length);
    this.#leaves.add(nowMs, leaves.length);
    this.#updates.add(nowMs, updates.length);
  }

  /** In the last minute. */
  perMinute(nowMs) {
    return {
      joins: this.#joins.count(nowMs),
      leaves: this.#leaves.count(nowMs),
      updates: this.#updates.count(nowMs),
    };
  }
}
