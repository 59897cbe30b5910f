/**
 * Where Faye carries messages to all servers by itself, how does each client get exactly the events that its own list lacks?
 *
 * Lists and events must come from one node, in its order. So every server tells its own clients, on channels of its own: who
 * subscribes to `/presence/room` at a server is subscribed to `/presently-<server>/presence/room` as well, which is what the
 * server publishes its events on. Faye stores both subscriptions and publishes in the order in which it is asked to. Clients
 * see the names that they know: what they ask and what they get is rewritten.
 */
import { randomUUID } from "node:crypto";
import type { FayeMessage } from "./faye.ts";
import { channelsOf } from "./grammar.ts";

const OWN = /^\/presently-[0-9a-f-]{36}(?=\/)/;

/** A client that has it receives what is published on the channels of all servers. */
const EVERYTHING = "/**";

/** Whether it is a channel of this kind, of whichever server. */
export function isOwnChannel(channel: string): boolean {
  return OWN.test(channel);
}

export class OwnChannels {
  readonly #prefix = `/presently-${randomUUID()}`;
  readonly #hasPresence: (channel: string) => boolean;
  /** What was sent, by what it was rewritten to: Faye puts the same list into its reply. */
  readonly #sent = new WeakMap<readonly string[], unknown>();
  /** Clients of this server that are subscribed to everything. */
  readonly #all = new Set<string>();

  constructor(hasPresence: (channel: string) => boolean) {
    this.#hasPresence = hasPresence;
  }

  /** Rewrites a message that subscribes or unsubscribes. */
  widen(message: FayeMessage): void {
    const channels = channelsOf(message.subscription);
    if (channels === undefined) return;
    const own = channels.filter((channel) => channel.endsWith("*") || this.#hasPresence(channel));
    if (own.length === 0) return;
    const widened = [...channels, ...own.map((channel) => this.#prefix + channel)];
    this.#sent.set(widened, message.subscription);
    message.subscription = widened;
  }

  /** Undoes that in a reply. */
  narrow(reply: FayeMessage): void {
    const { subscription } = reply;
    if (!Array.isArray(subscription)) return;
    reply.subscription =
      this.#sent.get(subscription) ?? subscription.filter((channel) => !isOwnChannel(channel));
  }

  /** Sends an event of ours to the clients of this server. */
  keep(event: FayeMessage): void {
    if (typeof event.channel === "string" && this.#hasPresence(event.channel))
      event.channel = this.#prefix + event.channel;
  }

  subscribed(clientId: string, channel: string): void {
    if (channel === EVERYTHING) this.#all.add(clientId);
  }

  unsubscribed(clientId: string, channel: string): void {
    if (channel === EVERYTHING) this.#all.delete(clientId);
  }

  /**
   * Gives an event that is about to be sent its name back. Returns false if it is not for this client: one of another server is
   * for a client that subscribed there, and not for one that is subscribed to everything and has it from us.
   */
  open(event: FayeMessage, clientId: string | undefined): boolean {
    const { channel } = event;
    if (typeof channel !== "string" || !isOwnChannel(channel)) return true;
    event.channel = channel.replace(OWN, "");
    return channel.startsWith(this.#prefix) || (clientId !== undefined && !this.#all.has(clientId));
  }
}
