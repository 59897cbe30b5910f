/** One watch of one topic, shared by all its event streams on this node: a diff is encoded once for all of them. */
import type { TopicChange } from "@presently/replica";
import { type EventStream, encodeEvent } from "./event-stream.ts";
import { diffJson, topicJson } from "./presence-json.ts";
import type { ServedNode } from "./served-node.ts";

/** Fans a topic's diffs out. Watches from its construction until `close`. */
export class EventFeed {
  readonly topic: string;
  readonly #node: ServedNode;
  readonly #streams = new Set<EventStream>();
  readonly #stopWatching: () => void;
  /** The number of the last change, which `list` shows. */
  #number = 0;

  /** @throws what `watch` throws, for a topic that cannot be one */
  constructor(node: ServedNode, topic: string) {
    this.topic = topic;
    this.#node = node;
    this.#stopWatching = node.watch(topic, (change) => this.#changed(change));
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Gives a stream the present state, and every diff from there on. */
  add(stream: EventStream): void {
    const state = { number: this.#number, ...topicJson(this.topic, this.#node.list(this.topic)) };
    this.#streams.add(stream);
    stream.begin(encodeEvent("state", this.#number, JSON.stringify(state)));
  }

  delete(stream: EventStream): void {
    this.#streams.delete(stream);
  }

  /** Ends the watch; the streams are the caller's. */
  close(): void {
    this.#stopWatching();
  }

  #changed(change: TopicChange): void {
    this.#number = change.number;
    // The first call gives the state, before there is a stream; each stream reads its own when it comes.
    if (change.type === "state" || this.#streams.size === 0) return;
    const event = encodeEvent("diff", change.number, JSON.stringify(diffJson(change)));
    for (const stream of this.#streams) stream.send(event);
  }
}
