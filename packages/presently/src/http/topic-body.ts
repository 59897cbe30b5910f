/**
 * The bodies of topics with very many entries, encoded a slice a turn of the event loop: nothing else waits for them.
 *
 * Those who ask while others are being answered share the next body, which shows the topic as it is when that is begun:
 * whoever has changed something sees the change in what is asked for afterwards.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Presence, TopicCount } from "@presently/replica";
import { metaJson } from "./presence-json.ts";
import type { ServedNode } from "./served-node.ts";

/** Entries that are encoded in one turn. */
export const ENTRIES_PER_SLICE = 250;

export class TopicBodies {
  readonly #node: Pick<ServedNode, "read" | "count">;
  /** The bodies that are not begun yet, by topic. */
  readonly #waiting = new Map<string, Promise<readonly Uint8Array[]>>();
  /** Resolves once those that were asked for before are made: one is made at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(node: Pick<ServedNode, "read" | "count">) {
    this.#node = node;
  }

  /** The parts of the body, to be sent as they are. */
  of(topic: string): Promise<readonly Uint8Array[]> {
    const waiting = this.#waiting.get(topic);
    if (waiting !== undefined) return waiting;
    const body = this.#last.then(async () => {
      await nextTurn();
      this.#waiting.delete(topic);
      return encode(topic, this.#node.count(topic), this.#node.read(topic));
    });
    this.#waiting.set(topic, body);
    this.#last = body.catch(() => undefined);
    return body;
  }
}

/** What `topicJson` has, of presences that lie key by key, and a line feed. */
async function encode(
  topic: string,
  { keys, entries }: TopicCount,
  presences: Iterable<Presence>,
): Promise<Uint8Array[]> {
  const head = JSON.stringify({ topic, keys, entries }).slice(0, -1);
  const parts = [Buffer.from(`${head},"presences":{`)];
  let [text, sliced, before]: [string, number, string | undefined] = ["", 0, undefined];
  for (const presence of presences) {
    const { key } = presence;
    const opening = `${before === undefined ? "" : "]},"}${JSON.stringify(key)}:{"metas":[`;
    text += (key === before ? "," : opening) + JSON.stringify(metaJson(presence));
    before = key;
    if (++sliced < ENTRIES_PER_SLICE) continue;
    parts.push(Buffer.from(text));
    [text, sliced] = ["", 0];
    await nextTurn();
  }
  parts.push(Buffer.from(`${text}${before === undefined ? "}}" : "]}}}"}\n`));
  return parts;
}
