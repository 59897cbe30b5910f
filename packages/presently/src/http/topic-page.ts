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
 * Cost: O(topics), for the total, and O(topics × log limit) in the worst case: nothing is sorted but the page.
 */
export function pageOfTopics(
  topics: Iterable<TopicSummary>,
  limit: number,
  after: TopicPlace | undefined,
  order: TopicOrder = "name",
): TopicPage {
  const isBefore = order === "name" ? isSooner : isBusier;
  const total = { topics: 0, keys: 0, entries: 0 };
  /** One more than the page holds tells whether there is another one. */
  const first: TopicSummary[] = [];
  for (const topic of topics) {
    total.topics++;
    total.keys += topic.keys;
    total.entries += topic.entries;
    if (after !== undefined && !isBefore(after, topic)) continue;
    if (first.length > limit && !isBefore(topic, first.at(-1)!)) continue;
    let [low, high] = [0, first.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(first[middle]!, topic)) low = middle + 1;
      else high = middle;
    }
    first.splice(low, 0, topic);
    if (first.length > limit + 1) first.pop();
  }
  const page = first.slice(0, limit);
  return { topics: page, nextCursor: first.length > limit ? encodeCursor(page.at(-1)!) : null, total };
}

function isSooner(a: TopicPlace, b: TopicPlace): boolean {
  return a.topic < b.topic;
}

/** Whether `a` stands before `b` in the order by keys; those with as many are in code unit order. */
function isBusier(a: TopicPlace, b: TopicPlace): boolean {
  return a.keys === b.keys ? a.topic < b.topic : a.keys > b.keys;
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
