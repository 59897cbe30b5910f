/**
 * Where each key is present, and what is shown of it there.
 *
 * Most keys are on one topic with one entry: that entry is all that is kept for them. And one table of all keys would be
 * copied whenever it is full, which at a million keys takes a third of a second; so there are many, told apart by what is
 * cheap to read of a key. Keys that are all alike in that make one large table of it, and nothing worse.
 */
import type { Entry } from "./entry.ts";
import type { Held, Topic } from "./topic.ts";

/** A power of two. */
const SHARDS = 64;

type Found = Held | Map<Topic, Held>;

export class KeyIndex {
  private readonly shards = Array.from({ length: SHARDS }, () => new Map<string, Found>());

  /** What is shown of a key on a topic. Cost: O(1), as for all of these. */
  get(topic: Topic, key: string): Held | undefined {
    const found = this.shardOf(key).get(key);
    if (found instanceof Map) return found.get(topic);
    return found?.home === topic ? found : undefined;
  }

  /** The entry is shown from now on, if nothing is of its key on the topic; else answers what is, and changes nothing. */
  add(topic: Topic, entry: Entry): Held | undefined {
    const { key } = entry;
    const shard = this.shardOf(key);
    const found = shard.get(key);
    if (found === undefined) {
      shard.set(key, entry);
      return undefined;
    }
    if (found instanceof Map) {
      const held = found.get(topic);
      if (held === undefined) found.set(topic, entry);
      return held;
    }
    if (found.home === topic) return found;
    shard.set(key, new Map<Topic, Held>().set(topicOf(found), found).set(topic, entry));
    return undefined;
  }

  /** Something else is shown of a key that is present on the topic. */
  replace(topic: Topic, key: string, held: Held): void {
    const shard = this.shardOf(key);
    const found = shard.get(key);
    if (found instanceof Map) found.set(topic, held);
    else shard.set(key, held);
  }

  /** Nothing is shown any more of a key that was present on the topic. */
  delete(topic: Topic, key: string): void {
    const shard = this.shardOf(key);
    const found = shard.get(key);
    if (!(found instanceof Map)) shard.delete(key);
    else if (found.delete(topic) && found.size === 1) for (const last of found.values()) shard.set(key, last);
  }

  /** The topics on which a key is present. */
  topicsOf(key: string): Topic[] {
    const found = this.shardOf(key).get(key);
    if (found instanceof Map) return [...found.keys()];
    return found === undefined ? [] : [topicOf(found)];
  }

  private shardOf(key: string): Map<string, Found> {
    const { length } = key;
    const mixed = length * 31 + key.charCodeAt(length - 1) * 7 + key.charCodeAt(length >> 1);
    // Readers may ask for a key that is empty, of which no code unit is a number.
    return this.shards[mixed & (SHARDS - 1)]!;
  }
}

/** The topic of what is all that a key has there: an entry in a group is not. */
function topicOf(held: Held): Topic {
  return held.home as Topic;
}
