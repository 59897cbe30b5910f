/** How many clients a server has, and what each is subscribed to: Faye has no bound of its own for either. */
import type { FayeMessage, FayeServer } from "./faye.ts";
import { channelsOf } from "./grammar.ts";
import { isOwnChannel } from "./own-channels.ts";

export interface ClientBoundsOptions {
  readonly clientsMax: number;
  readonly subscriptionsPerClientMax: number;
}

export class ClientBounds {
  readonly #options: ClientBoundsOptions;
  /** Channels of each client that is there. */
  readonly #subscriptions = new Map<string, number>();

  constructor(server: FayeServer, options: ClientBoundsOptions) {
    this.#options = options;
    const count = (clientId: string, channel: string, change: number) => {
      if (!isOwnChannel(channel))
        this.#subscriptions.set(clientId, (this.#subscriptions.get(clientId) ?? 0) + change);
    };
    server.on("handshake", (clientId) => void this.#subscriptions.set(clientId, 0));
    // An engine that is shared tells only one server of a client that has gone, and all of one whose connection is closed.
    server.on("close", (clientId) => void this.#subscriptions.delete(clientId));
    server.on("subscribe", (clientId, channel) => count(clientId, channel, 1));
    server.on("unsubscribe", (clientId, channel) => {
      // It tells of the clients of other servers, too.
      if (this.#subscriptions.has(clientId)) count(clientId, channel, -1);
    });
  }

  /** The error of a message that would go beyond a bound; undefined if it may pass. */
  check({ channel, clientId, subscription }: FayeMessage): string | undefined {
    const { clientsMax, subscriptionsPerClientMax } = this.#options;
    if (channel === "/meta/handshake" && this.#subscriptions.size >= clientsMax)
      return "503::Too many clients";
    if (channel !== "/meta/subscribe") return undefined;
    const added = channelsOf(subscription)?.length ?? 0;
    const held = this.#subscriptions.get(clientId as string) ?? 0;
    return held + added > subscriptionsPerClientMax ? "403::Too many subscriptions" : undefined;
  }
}
