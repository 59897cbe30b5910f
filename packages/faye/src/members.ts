/** Who the clients of one server are: on each channel, a client has one id at a time. */

/** What a step changed for the client on the channel. */
export interface Step {
  /** The id that it has no longer. */
  readonly released: string | undefined;
  /** Whether it is the first of this server on the channel, or was the last. */
  readonly edge: boolean;
}

export class Members {
  readonly #byClient = new Map<string, Map<string, string>>();
  readonly #clientsByChannel = new Map<string, number>();

  /** Clients that are on some channel. */
  get size(): number {
    return this.#byClient.size;
  }

  has(client: string): boolean {
    return this.#byClient.has(client);
  }

  idOf(client: string, channel: string): string | undefined {
    return this.#byClient.get(client)?.get(channel);
  }

  /** How many channels a client is on. */
  channelsOf(client: string): number {
    return this.#byClient.get(client)?.size ?? 0;
  }

  /** How many clients are on a channel. */
  clientsOn(channel: string): number {
    return this.#clientsByChannel.get(channel) ?? 0;
  }

  /** The client is `id` on the channel from now on, and nobody else. */
  join(client: string, channel: string, id: string): Step {
    const channels = this.#byClient.get(client) ?? new Map<string, string>();
    this.#byClient.set(client, channels);
    const previous = channels.get(channel);
    channels.set(channel, id);
    if (previous !== undefined) return { released: previous === id ? undefined : previous, edge: false };
    const clients = this.clientsOn(channel) + 1;
    this.#clientsByChannel.set(channel, clients);
    return { released: undefined, edge: clients === 1 };
  }

  /** The client is nobody on the channel any more. Nothing happens if it was nobody. */
  leave(client: string, channel: string): Step {
    const channels = this.#byClient.get(client);
    const released = channels?.get(channel);
    if (channels === undefined || released === undefined) return { released: undefined, edge: false };
    channels.delete(channel);
    if (channels.size === 0) this.#byClient.delete(client);
    const clients = this.clientsOn(channel) - 1;
    if (clients === 0) this.#clientsByChannel.delete(channel);
    else this.#clientsByChannel.set(channel, clients);
    return { released, edge: clients === 0 };
  }
}
