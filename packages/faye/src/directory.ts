/**
 * Which channels have somebody on them, anywhere in the cluster? A node tells of changes topic by topic, so the channels
 * are kept on a topic of their own: every node that has a client on a channel is present there under the channel's name.
 */
import { LimitError, type PresentlyNode, type Session } from "presently";
import { FAYE_CHANNELS_TOPIC } from "presently/drop-in";
import { ChannelRoster } from "./channel-roster.ts";

export class Directory {
  readonly #node: PresentlyNode;
  /** One session holds only so many entries. */
  readonly #sessions: Session[] = [];
  readonly #bySession = new Map<string, Session>();
  readonly #roster = new ChannelRoster();

  constructor(node: PresentlyNode) {
    this.#node = node;
  }

  /** @throws {LimitError} if the node has no room for it */
  add(channel: string): void {
    this.#bySession.set(channel, this.#track(channel));
  }

  remove(channel: string): void {
    this.#bySession.get(channel)?.untrack(FAYE_CHANNELS_TOPIC, channel);
    this.#bySession.delete(channel);
  }

  /** Tells of every channel that is there, and then of those that come and go; returns what ends that. */
  watch(listed: (channel: string, isListed: boolean) => void): () => void {
    return this.#node.watch(FAYE_CHANNELS_TOPIC, (change) => {
      for (const { type, id } of this.#roster.apply(change)) listed(id, type === "subscribe");
    });
  }

  close(): void {
    for (const session of this.#sessions) session.close();
    this.#bySession.clear();
  }

  #track(channel: string): Session {
    const session = this.#sessions.at(-1) ?? this.#open();
    try {
      session.track(FAYE_CHANNELS_TOPIC, channel);
      return session;
    } catch (error) {
      if (!(error instanceof LimitError) || error.option !== "entriesPerSessionMax") throw error;
      const next = this.#open();
      next.track(FAYE_CHANNELS_TOPIC, channel);
      return next;
    }
  }

  #open(): Session {
    const session = this.#node.session();
    this.#sessions.push(session);
    return session;
  }
}
