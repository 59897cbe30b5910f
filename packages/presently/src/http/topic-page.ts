/** One page of the list of topics, in a stable order. */
import { InvalidArgumentError, type TopicSummary } from "@presently/replica";

/** Topics of one page when the caller does not say, and at most. */
export const TOPICS_LIMIT_DEFAULT = 100;
export const TOPICS_LIMIT_MAX = 1_000;

/** A page of topics; `nextCursor` is null on the last one. */
export interface TopicPage {
  readonly topics: readonly TopicSummary[];
  readonly nextCursor: string | null;
  /** Of all pages together: topics with that prefix, and keys and entries on them (a key counts once a topic). */
  readonly total: { readonly topics: number; readonly keys: number; readonly entries: number };
}

/** In which order topics are listed: by their code units, or those with the most keys first. */
export type TopicOrder = "name" | "keys";

/**
 * The `limit` first topics after `after`. By name, topics that come and go between two pages neither repeat nor hide
 * others: a cursor holds the last topic shown, not a position. By keys, one whose count changes meanwhile may.
 *
 * @param topics  in code unit order
 * Cost: O(topics) for the total; by keys also O(topics × log limit) in the worst case.
 */
export function pageOfTopics(
  topics: readonly TopicSummary[],
  limit: number,
  after: TopicPlace | undefined,
  order: TopicOrder = "name",
): TopicPage {
  const total = { topics: topics.length, keys: 0, entries: 0 };
  for (const { keys, entries } of topics) {
    total.keys += keys;
    total.entries += entries;
  }
  // One more than the page holds tells whether there is another one.
  const found = order === "name" ? byName(topics, limit + 1, after) : byKeys(topics, limit + 1, after);
  const page = found.slice(0, limit);
  return { topics: page, nextCursor: found.length > limit ? encodeCursor(page.at(-1)!) : null, total };
}

function byName(topics: readonly TopicSummary[], count: number, after: TopicPlace | undefined) {
  const start = after === undefined ? 0 : firstAfter(topics, after.topic);
  return topics.slice(start, start + count);
}

/** The `count` first ones after a place, kept in order while all are looked at: most are not even compared twice. */
function byKeys(topics: readonly TopicSummary[], count: number, after: TopicPlace | undefined) {
  const first: TopicSummary[] = [];
  for (const topic of topics) {
    if (after !== undefined && !isBusier(after, topic)) continue;
    if (first.length === count && !isBusier(topic, first.at(-1)!)) continue;
    let [low, high] = [0, first.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBusier(first[middle]!, topic)) low = middle + 1;
      else high = middle;
    }
    first.splice(low, 0, topic);
    if (first.length > count) first.pop();
  }
  return first;
}

/** Whether `a` stands before `b` in the order by keys; those with as many are in code unit order. */
function isBusier(a: TopicPlace, b: TopicPlace): boolean {
  return a.keys === b.keys ? a.topic < b.topic : a.keys > b.keys;
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

/** @throws {InvalidArgumentError} unless it is `name` or `keys` */
export function parseOrder(text: string | undefined): TopicOrder {
  if (text === undefined || text === "name" || text === "keys") return text ?? "name";
  throw new InvalidArgumentError(`sort ${JSON.stringify(text)}`, "must be name or keys");
}

/** Where a page ends: its last topic, and how many keys that had. */
export type TopicPlace = Pick<TopicSummary, "topic" | "keys">;

/** The place after which a page starts. @throws {InvalidArgumentError} unless a page gave this cursor */
export function parseCursor(text: string | undefined): TopicPlace | undefined {
  if (text === undefined) return undefined;
  const [, keys, topic] = /^(\d{1,15}):(.+)$/s.exec(Buffer.from(text, "base64url").toString("utf8")) ?? [];
  const place = { topic: topic ?? "", keys: Number(keys) };
  if (topic === undefined || encodeCursor(place) !== text) {
    throw new InvalidArgumentError(
      `cursor ${JSON.stringify(text)}`,
      "is not one that this API gave: use nextCursor",
    );
  }
  return place;
}

function encodeCursor({ topic, keys }: TopicPlace): string {
  return Buffer.from(`${keys}:${topic}`, "utf8").toString("base64url");
}
