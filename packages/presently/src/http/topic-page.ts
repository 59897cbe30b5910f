/** One page of the list of topics, in a stable order. */
import { InvalidArgumentError, type TopicSummary } from "@presently/replica";

/** Topics of one page when the caller does not say, and at most. */
export const TOPICS_LIMIT_DEFAULT = 100;
export const TOPICS_LIMIT_MAX = 1_000;

/** A page of topics; `nextCursor` is null on the last one. */
export interface TopicPage {
  readonly topics: readonly TopicSummary[];
  readonly nextCursor: string | null;
}

/**
 * The `limit` first topics after `after`. Topics that come and go between two pages neither repeat nor hide others: a
 * cursor holds the last topic shown, not a position.
 *
 * @param topics  in code unit order
 * Cost: O(limit + log topics).
 */
export function pageOfTopics(
  topics: readonly TopicSummary[],
  limit: number,
  after: string | undefined,
): TopicPage {
  const start = after === undefined ? 0 : firstAfter(topics, after);
  const page = topics.slice(start, start + limit);
  const isLast = start + limit >= topics.length;
  return { topics: page, nextCursor: isLast ? null : encodeCursor(page.at(-1)!.topic) };
}

function firstAfter(sorted: readonly TopicSummary[], topic: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]!.topic <= topic) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @throws {InvalidArgumentError} unless it is a whole number from 1 to 1,000 */
export function parseLimit(text: string | undefined): number {
  if (text === undefined) return TOPICS_LIMIT_DEFAULT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > TOPICS_LIMIT_MAX) {
    throw new InvalidArgumentError(
      `limit ${JSON.stringify(text)}`,
      `must be a whole number from 1 to ${TOPICS_LIMIT_MAX}`,
    );
  }
  return limit;
}

/** The topic after which a page starts. @throws {InvalidArgumentError} unless a page gave this cursor */
export function parseCursor(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const topic = Buffer.from(text, "base64url").toString("utf8");
  if (topic === "" || encodeCursor(topic) !== text) {
    throw new InvalidArgumentError(
      `cursor ${JSON.stringify(text)}`,
      "is not one that this API gave: use nextCursor",
    );
  }
  return topic;
}

function encodeCursor(topic: string): string {
  return Buffer.from(topic, "utf8").toString("base64url");
}
