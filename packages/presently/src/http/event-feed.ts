/** A topic's event streams on this node: a diff is encoded once for all of them. */
import { SharedWatch } from "../drop-in/shared-watch.ts";
import { type EventStream, encodeEvent } from "./event-stream.ts";
import { diffJson, topicJson } from "./presence-json.ts";
import type { ServedNode } from "./served-node.ts";

/** Fans a topic's diffs out. Watches from its construction until `close`. */
export class EventFeed {
  readonly topic: string;
  readonly #watch: SharedWatch<EventStream>;

  /** @throws what `watch` throws, for a topic that cannot be one */
  constructor(node: ServedNode, topic: string) {
    this.topic = topic;
    this.#watch = new SharedWatch(node, topic, (diff, streams) => {
      const event = encodeEvent("diff", diff.number, JSON.stringify(diffJson(diff)));
      for (const stream of streams) stream.send(event);
    });
  }

  get size(): number {
    return this.#watch.size;
  }

  /** Sends an encoded event to all streams, between two diffs. */
  send(event: Uint8Array): void {
    for (const stream of this.#watch.receivers) stream.send(event);
  }

  /** Gives a stream the present state, and every diff from there on. */
  add(stream: EventStream): void {
    const { number, presences } = this.#watch.state;
    const state = { number, ...topicJson(this.topic, [...presences]) };
    this.#watch.attach(stream);
    stream.begin(encodeEvent("state", number, JSON.stringify(state)));
  }

  delete(stream: EventStream): void {
    this.#watch.detach(stream);
  }

  /** Ends the watch; the streams are the caller's. */
  close(): void {
    this.#watch.close();
  }
}
