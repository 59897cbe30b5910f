/** Who the clients of one server are: on each channel, a client has one id at a time. */

export class Members {
  readonly #byClient = new Map<string, Map<string, string>>();

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

  /** The client is `id` on the channel from now on, and nobody else. Returns the id that it has no longer. */
  join(client: string, channel: string, id: string): string | undefined {
    const channels = this.#byClient.get(client) ?? new Map<string, string>();
    this.#byClient.set(client, channels);
    const previous = channels.get(channel);
    channels.set(channel, id);
    return previous === id ? undefined : previous;
  }

  /** The client is nobody on the channel any more. Returns the id that it had there. */
  leave(client: string, channel: string): string | undefined {
    const channels = this.#byClient.get(client);
    const released = channels?.get(channel);
    if (channels === undefined || released === undefined) return undefined;
    channels.delete(channel);
    if (channels.size === 0) this.#byClient.delete(client);
    return released;
  }

  /** The client is nobody on any channel any more. */
  leaveAll(client: string): void {
    this.#byClient.delete(client);
  }
}
