/**
 * Sends what is published on ordinary channels on to the servers of the cluster that have subscribers for it, once, and
 * publishes what they send.
 */
import type { TopicSubscription } from "presently";
import type { ClusterLine } from "./cluster-line.ts";
import type { FayeMessage } from "./faye.ts";
import { expand, isMeta, isPublishable, isService } from "./grammar.ts";
import type { NoticeListener } from "./notice.ts";

export interface RelayOptions {
  readonly line: ClusterLine;
  /** Whether what is published would not reach all others yet, and when it does. */
  readonly starting: () => boolean;
  readonly whenReady: () => Promise<void>;
  /** Which channels are sent on. */
  readonly includes: (channel: string) => boolean;
  readonly publish: (channel: string, data: unknown, ext: unknown) => void;
  readonly notice: NoticeListener;
}

export class Relay {
  readonly #options: RelayOptions;
  /** What is subscribed to at this server, channels and patterns alike, and how often. */
  readonly #wanted = new Map<string, { count: number; readonly subscription: TopicSubscription }>();

  constructor(options: RelayOptions) {
    this.#options = options;
    options.line.listen("publish", ({ channel, data, ext }) => {
      if (isPublishable(channel) && data !== undefined) options.publish(channel, data, ext);
    });
  }

  /**
   * Sends a message that Faye is about to publish on to the others; answers the text of the error, if that cannot be:
   * half a publication would be worse than none.
   */
  forward({ channel, data, ext }: FayeMessage): string | undefined {
    const { line, includes, notice } = this.#options;
    if (typeof channel !== "string" || data === undefined) return undefined;
    if (!isPublishable(channel) || isService(channel) || !includes(channel)) return undefined;
    try {
      const body = { channel, data, ...(ext === undefined ? {} : { ext }) };
      line.send("publish", body, { topics: expand(channel) });
      return undefined;
    } catch (error) {
      const message = `a message on ${channel} was refused, as it cannot be sent to the other nodes: ${String(error)}`;
      notice({ type: "relay-failed", level: "warn", message, channel, error });
      return `407:${channel}:Failed to publish`;
    }
  }

  /** Settles when what is published here reaches the others; undefined if it does. */
  whenServing(): undefined | Promise<void> {
    return this.#options.starting() ? this.#options.whenReady() : undefined;
  }

  /** A client of this server has subscribed. */
  subscribed(channel: string): void {
    if (isMeta(channel) || isService(channel)) return;
    const wanted = this.#wanted.get(channel);
    if (wanted !== undefined) wanted.count++;
    else {
      const subscription = this.#options.line.subscribe("publish", channel);
      this.#wanted.set(channel, { count: 1, subscription });
    }
  }

  unsubscribed(channel: string): void {
    const wanted = this.#wanted.get(channel);
    if (wanted === undefined || --wanted.count > 0) return;
    this.#wanted.delete(channel);
    wanted.subscription.end();
  }

  /** Settles when what is published on these channels, at whichever server, comes here; undefined if it does. */
  whenEffective(channels: readonly string[]): undefined | Promise<unknown> {
    const waits: Promise<void>[] = [];
    for (const channel of channels) {
      const subscription = this.#wanted.get(channel)?.subscription;
      if (subscription?.isEffective() === false) waits.push(subscription.whenEffective());
    }
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  close(): void {
    for (const { subscription } of this.#wanted.values()) subscription.end();
    this.#wanted.clear();
  }
}
