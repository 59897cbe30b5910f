/** Presence kept by an engine of the application, by the contract of the original. */
import type { NoticeListener } from "./notice.ts";
import type { PresenceEvent } from "./presence-event.ts";
import type { PresenceStore } from "./presence-store.ts";
import type { IdAndValue, ValueShape } from "./presence-value.ts";
import { isMap, type PresenceRequest } from "./request.ts";

type Callback<T extends unknown[]> = (error: unknown, ...results: T) => void;

/**
 * What may take the place of the cluster: an object with the functions that the original calls. All of them call back
 * once; `json` is `ext.presence` as text.
 */
export interface PresenceEngine {
  /** `isNew`: no other client had this id on the channel. */
  addClient(
    channel: string,
    clientId: string,
    id: string,
    json: string,
    callback: Callback<[isNew?: boolean]>,
  ): void;
  /** `subscribers`: id → json. */
  getSubscribers(channel: string, callback: Callback<[subscribers?: Readonly<Record<string, string>>]>): void;
  /** Part of the contract, though neither the original nor this package calls it. */
  getPresenceInfo?(channel: string, clientId: string, callback: Callback<[json?: string]>): void;
  /** `id` is what the client was added under, if it was; `isLast`: no other client has this id on the channel. */
  unsubscribe(channel: string, clientId: string, callback: Callback<[id?: string, isLast?: boolean]>): void;
}

export interface EngineStoreOptions {
  readonly engine: PresenceEngine;
  readonly shape: ValueShape;
  readonly onEvent: (channel: string, event: PresenceEvent) => void;
  readonly notice: NoticeListener;
}

export class EngineStore implements PresenceStore {
  readonly #options: EngineStoreOptions;
  /** The ids of the clients of this server, as far as they were given to the engine. */
  readonly #ids = new Map<string, Map<string, string>>();
  /** What the engine is doing for a client; the next thing for the same client waits for it. */
  readonly #work = new Map<string, Promise<void>>();
  /** Lists that the engine is asked for at the moment, by channel: what was told since it was asked. */
  readonly #listings = new Map<string, Set<PresenceEvent[]>>();
  #changes = 0;
  #closed = false;

  constructor(options: EngineStoreOptions) {
    this.#options = options;
  }

  get clients(): number {
    return this.#ids.size;
  }

  get changes(): number {
    return this.#changes;
  }

  channelsOf(clientId: string): number {
    return this.#ids.get(clientId)?.size ?? 0;
  }

  idOf(channel: string, clientId: string): string | undefined {
    return this.#ids.get(clientId)?.get(channel);
  }

  add(channel: string, clientId: string, request: PresenceRequest): Promise<void> {
    return this.#inOrder(clientId, async () => {
      const channels = this.#ids.get(clientId) ?? new Map<string, string>();
      const previous = channels.get(channel);
      // The original would keep both ids for this client, and never release the first.
      if (previous !== undefined && previous !== request.id) await this.#release(channel, clientId);
      const json = JSON.stringify(request.presence);
      const [isNew] = await ask<[boolean?]>((done) =>
        this.#options.engine.addClient(channel, clientId, request.id, json, done),
      );
      this.#ids.set(clientId, channels.set(channel, request.id));
      if (isNew) this.#tell(channel, "subscribe", request.id, this.#shaped(request.presence));
    });
  }

  remove(channel: string, clientId: string): Promise<void> {
    return this.#inOrder(clientId, () => this.#release(channel, clientId)).catch((error) => {
      const message = `the engine did not remove a client from ${channel}`;
      this.#options.notice({ type: "engine-failed", level: "error", message, channel, error });
    });
  }

  /** An engine of the application has no such thing: its clients leave and come again. */
  sendAway(): void {}

  /** What the engine answers is as old as the question: what was told meanwhile is put into it. */
  async values(channel: string): Promise<readonly IdAndValue[]> {
    const told: PresenceEvent[] = [];
    const listings = this.#listings.get(channel) ?? new Set();
    this.#listings.set(channel, listings.add(told));
    try {
      const [subscribers = {}] = await ask<[Readonly<Record<string, string>>?]>((done) =>
        this.#options.engine.getSubscribers(channel, done),
      );
      const list = new Map(
        Object.entries(subscribers).map(([id, json]) => [id, this.#shaped(JSON.parse(json))]),
      );
      for (const { type, entries } of told)
        for (const [id, value] of entries) type === "subscribe" ? list.set(id, value) : list.delete(id);
      return [...list];
    } finally {
      listings.delete(told);
      if (listings.size === 0) this.#listings.delete(channel);
    }
  }

  /** The clients of this server are told of an event, of this server or of another. */
  told(channel: string, event: PresenceEvent): void {
    this.#changes += 1;
    for (const told of this.#listings.get(channel) ?? []) told.push(event);
  }

  close(): void {
    this.#closed = true;
    for (const [clientId, channels] of this.#ids)
      for (const channel of channels.keys()) void this.remove(channel, clientId);
  }

  async #release(channel: string, clientId: string): Promise<void> {
    const channels = this.#ids.get(clientId);
    channels?.delete(channel);
    if (channels?.size === 0) this.#ids.delete(clientId);
    const [id, isLast] = await ask<[string?, boolean?]>((done) =>
      this.#options.engine.unsubscribe(channel, clientId, done),
    );
    // For a client that was never added the original publishes the departure of an id "null".
    if (isLast && id !== undefined && id !== null) this.#tell(channel, "unsubscribe", id, null);
  }

  #shaped(presence: unknown): unknown {
    return this.#options.shape === "request" ? presence : ((isMap(presence) ? presence.data : null) ?? null);
  }

  #tell(channel: string, type: PresenceEvent["type"], id: string, value: unknown): void {
    if (this.#closed) return;
    const event: PresenceEvent = { type, entries: [[id, value]] };
    this.told(channel, event);
    this.#options.onEvent(channel, event);
  }

  #inOrder(clientId: string, work: () => Promise<void>): Promise<void> {
    const before = this.#work.get(clientId);
    const now = before === undefined ? work() : before.then(work);
    const settled = now
      .catch(() => undefined) // Whoever asked for it is told; the next is not to be.
      .then(() => {
        if (this.#work.get(clientId) === settled) this.#work.delete(clientId);
      });
    this.#work.set(clientId, settled);
    return now;
  }
}

/** Calls a function that calls back; rejects with what it reports or throws. */
function ask<T extends unknown[]>(call: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, ...results) => {
      if (error) reject(error);
      else resolve(results);
    });
  });
}
