/** Sends what is published on ordinary channels on to the other servers of the cluster, once, and publishes what they send. */
import type { ClusterLine } from "./cluster-line.ts";
import type { FayeMessage } from "./faye.ts";
import { isPublishable, isService } from "./grammar.ts";
import type { NoticeListener } from "./notice.ts";

export interface RelayOptions {
  readonly line: ClusterLine;
  /** Which channels are sent on. */
  readonly includes: (channel: string) => boolean;
  readonly publish: (channel: string, data: unknown, ext: unknown) => void;
  readonly notice: NoticeListener;
}

export class Relay {
  readonly #options: RelayOptions;

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
      line.send("publish", { channel, data, ...(ext === undefined ? {} : { ext }) });
      return undefined;
    } catch (error) {
      const message = `a message on ${channel} was refused, as it cannot be sent to the other nodes: ${String(error)}`;
      notice({ type: "relay-failed", level: "warn", message, channel, error });
      return `407:${channel}:Failed to publish`;
    }
  }
}
