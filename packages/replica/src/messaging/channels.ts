/** Who listens to which channel. */
import type { ReplicaId } from "@presently/crdt";
import { checkFunction } from "../arguments.ts";
import { freezeJson } from "../json-copy.ts";
import { checkText } from "../limits.ts";
import { reportRejection } from "../listener-call.ts";
import type { ReplicaSettings } from "../options.ts";
import { isRaw, ownPayload } from "../packet.ts";

/** Told of every message on a channel, JSON that is frozen, or bytes or a `Packet` of its own, and of the replica that sent it. */
export type MessageListener = (payload: unknown, from: ReplicaId) => void;

export class Channels {
  private readonly listeners = new Map<string, Set<MessageListener>>();
  private readonly settings: ReplicaSettings;
  private readonly failed: (error: unknown, channel: string) => void;

  /** `failed` is told what a listener threw; the others are still told of the message. */
  constructor(settings: ReplicaSettings, failed: (error: unknown, channel: string) => void) {
    this.settings = settings;
    this.failed = failed;
  }

  /** Calls `listener` with every payload on the channel until the returned function is called. */
  listen(channel: string, listener: MessageListener): () => void {
    checkText("channel", channel, this.settings.topicBytesMax);
    checkFunction("listener", listener);
    let listeners = this.listeners.get(channel);
    if (listeners === undefined) {
      listeners = new Set();
      this.listeners.set(channel, listeners);
    }
    // The same function may listen twice, and each of the two ends for itself.
    const own: MessageListener = (payload, from) => listener(payload, from);
    listeners.add(own);
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.listeners.get(channel) === listeners) this.listeners.delete(channel);
    };
  }

  deliver(channel: string, payload: unknown, from: ReplicaId): void {
    const listeners = this.listeners.get(channel);
    if (listeners === undefined) return;
    if (!isRaw(payload)) freezeJson(payload);
    const failed = (error: unknown) => this.failed(error, channel);
    for (const listener of listeners) {
      try {
        reportRejection(listener(ownPayload(payload), from), failed);
      } catch (error) {
        failed(error);
      }
    }
  }
}
