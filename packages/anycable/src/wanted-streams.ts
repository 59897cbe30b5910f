/** The streams that somebody hears at this node: others send what is not kept of them only to nodes that have told them so. */
import type { PresentlyNode, TopicSubscription } from "presently";

interface Wanted {
  readonly subscription: TopicSubscription;
  /** Nobody heard it at the last look. */
  idle: boolean;
}

export class WantedStreams {
  readonly #node: PresentlyNode;
  readonly #channel: string;
  readonly #streams = new Map<string, Wanted>();

  constructor(node: PresentlyNode, channel: string) {
    this.#node = node;
    this.#channel = channel;
  }

  /** Somebody is about to hear these; settles when all nodes that can be reached know, undefined if they do. */
  attend(streams: Iterable<string>): undefined | Promise<unknown> {
    const waits: Promise<void>[] = [];
    for (const stream of streams) {
      const wanted = this.#streams.get(stream) ?? this.#begin(stream);
      wanted.idle = false;
      if (!wanted.subscription.isEffective()) waits.push(wanted.subscription.whenEffective());
    }
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  /** Ends what nobody has heard since the look before: who comes back at once finds it as it was. */
  sweep(isHeard: (stream: string) => boolean): void {
    for (const [stream, wanted] of this.#streams) {
      const wasIdle = wanted.idle;
      wanted.idle = !isHeard(stream);
      if (!wasIdle || !wanted.idle) continue;
      wanted.subscription.end();
      this.#streams.delete(stream);
    }
  }

  close(): void {
    for (const { subscription } of this.#streams.values()) subscription.end();
    this.#streams.clear();
  }

  #begin(stream: string): Wanted {
    const wanted = { subscription: this.#node.subscribe(this.#channel, stream), idle: false };
    this.#streams.set(stream, wanted);
    return wanted;
  }
}
