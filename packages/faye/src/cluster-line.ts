/** What the servers of a cluster tell each other directly: at most once, in order for each pair, never stored. */
import { randomUUID } from "node:crypto";
import type { BroadcastOptions, PresentlyNode, TopicSubscription } from "presently";
import type { NoticeListener } from "./notice.ts";
import { isMap } from "./request.ts";

/**
 * `publish`: a message of an ordinary channel. `event`: a change that an engine of the application reported.
 * `unsubscribe`: Faye has ended a subscription that another server may have recorded. `whose`, `ours`: where a client is at home.
 */
export type Kind = "publish" | "event" | "unsubscribe" | "whose" | "ours";

/** What is told, of every kind on a channel of Faye. */
export type Body = Readonly<Record<string, unknown>> & { readonly channel: string };

export class ClusterLine {
  readonly #node: PresentlyNode;
  readonly #notice: NoticeListener;
  /** Whose messages are our own: two servers may share a node, so that its name does not say. */
  readonly #origin = randomUUID();
  readonly #unlisten: (() => void)[] = [];

  constructor(node: PresentlyNode, notice: NoticeListener) {
    this.#node = node;
    this.#notice = notice;
  }

  /**
   * Tells all others; with `topics` only nodes that have subscribed to one of them.
   *
   * @throws {LimitError} beyond `broadcastBytesMax` of the node
   * @throws {InvalidArgumentError} for what is no JSON
   */
  send(kind: Kind, body: Body, options?: BroadcastOptions): void {
    this.#node.broadcast(`faye:${kind}`, { ...body, origin: this.#origin }, options);
  }

  /** Says to the others that what they tell of a topic is wanted here. */
  subscribe(kind: Kind, topic: string): TopicSubscription {
    return this.#node.subscribe(`faye:${kind}`, topic);
  }

  /** Calls `listener` with what the others tell. */
  listen(kind: Kind, listener: (body: Body) => void): void {
    const unlisten = this.#node.onBroadcast(`faye:${kind}`, (payload) => {
      if (!isMap(payload) || typeof payload.channel !== "string") {
        const message = `another node sent something as ${kind} that names no channel`;
        this.#notice({ type: "malformed-broadcast", level: "warn", message });
      } else if (payload.origin !== this.#origin) listener(payload as Body);
    });
    this.#unlisten.push(unlisten);
  }

  close(): void {
    for (const unlisten of this.#unlisten.splice(0)) unlisten();
  }
}
