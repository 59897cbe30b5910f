/** One app at one node: its connections and channels here, and the way to those of other nodes. */
import { type AnyNode, PresentlyError } from "presently";
import { isReservedRoom, type Permissions, rosterOf, TokenBucket } from "presently/drop-in";
import type { AppConfig } from "./app-options.ts";
import { isCache } from "./channel-name.ts";
import type { Connection } from "./connection.ts";
import { type CachedEvent, EventCache } from "./event-cache.ts";
import { CLOSE } from "./frames.ts";
import type { Durations, Limits } from "./limits.ts";
import { LocalChannel } from "./local-channel.ts";
import type { NoticeListener } from "./notice.ts";
import { SignedIn } from "./signed-in.ts";
import { Tallies } from "./tallies.ts";
import type { WebhookEvent } from "./webhooks.ts";
import {
  CACHE_CHANNEL,
  decodeEvent,
  EVENT_CHANNEL,
  eventFrame,
  interestOf,
  type RelayedEvent,
  TERMINATE_CHANNEL,
} from "./wire.ts";

/** How long another node may take to say what it keeps of a cache channel, and how many are asked. */
const CACHE_TIMEOUT_MS = 500;
const CACHE_PEERS = 3;

export interface AppSiteOptions {
  readonly node: AnyNode;
  readonly config: AppConfig;
  readonly limits: Limits;
  readonly durations: Durations;
  /** Undefined where nobody needs to be asked besides the signatures. */
  readonly permissions: Permissions | undefined;
  readonly notice: NoticeListener;
}

/** An event that somebody publishes. */
export type Publication = Pick<RelayedEvent, "channels" | "event" | "data" | "except" | "user">;

export class AppSite {
  readonly node: AnyNode;
  readonly config: AppConfig;
  readonly limits: Limits;
  readonly durations: Durations;
  readonly permissions: Permissions | undefined;
  readonly notice: NoticeListener;
  readonly connections = new Set<Connection>();
  /** Subscriptions by channel, and connections of the app, over all nodes. */
  readonly tallies: Tallies;
  readonly totals: Tallies;
  readonly signedIn: SignedIn;
  readonly requests: TokenBucket;
  /** Told of what webhooks post and the topics do not show. */
  onWebhook: (event: WebhookEvent) => void = () => undefined;
  readonly #channels = new Map<string, LocalChannel>();
  readonly #cache: EventCache;
  #publishedAt = 0;

  constructor(options: AppSiteOptions) {
    const { node, config, limits, durations } = options;
    this.node = node;
    this.config = config;
    this.limits = limits;
    this.durations = durations;
    this.permissions = options.permissions;
    this.notice = options.notice;
    this.tallies = new Tallies(node, `${config.topics}channel/`);
    this.totals = new Tallies(node, `${config.topics}total/`);
    this.signedIn = new SignedIn(node, `${config.topics}users`);
    const { requestsPerSecondMax } = config.limits;
    this.requests = new TokenBucket(
      { burst: requestsPerSecondMax, perSecond: requestsPerSecondMax },
      performance.now(),
    );
    const { cacheMs: keptMs } = durations;
    this.#cache = new EventCache({ keptMs, eventsMax: limits.cachedEventsMax, now: () => Date.now() });
  }

  /** A channel that somebody here is about to use; `release` when they do no more. */
  use(name: string): LocalChannel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new LocalChannel({ node: this.node, app: this.config, name, tallies: this.tallies });
      this.#channels.set(name, channel);
    }
    channel.users += 1;
    return channel;
  }

  release(channel: LocalChannel): void {
    channel.users -= 1;
    if (channel.users > 0) return;
    channel.close();
    this.#channels.delete(channel.name);
  }

  /**
   * Sends a client's event to the subscribers of its channels on all nodes.
   *
   * @throws {LimitError} beyond `broadcastBytesMax` of the node
   */
  publish(publication: Publication): void {
    const { channels } = publication;
    const topics = channels.map((channel) => interestOf(this.config.id, channel));
    this.node.broadcast(EVENT_CHANNEL, this.#message(publication), { topics });
  }

  /** As `publish`, for a server's: those for cache channels are kept, at every node. */
  publishOfServer(publication: Publication): void {
    const plain = publication.channels.filter((channel) => !isCache(channel));
    const cached = publication.channels.filter(isCache);
    if (plain.length > 0) this.publish({ ...publication, channels: plain });
    if (cached.length === 0) return;
    this.#publishedAt = Math.max(Date.now(), this.#publishedAt + 1);
    const at = this.#publishedAt;
    this.node.broadcast(EVENT_CHANNEL, { ...this.#message({ ...publication, channels: cached }), at });
  }

  /** An event has come, from this node or another one. */
  receive(event: RelayedEvent): void {
    const { at } = event;
    for (const name of event.channels) {
      if (at !== undefined) this.#cache.put(name, { ...event, at, channels: [name] });
      this.#channels.get(name)?.deliver(eventFrame(event, name), event.except);
    }
  }

  /** What is kept of a cache channel here, and for how long still. */
  cached(channel: string): { readonly event: CachedEvent; readonly ttlMs: number } | undefined {
    const event = this.#cache.get(channel);
    return event && { event, ttlMs: this.#cache.ttlMs(event) };
  }

  /** Asks other nodes for a later event of a cache channel. Never rejects. */
  async askForCached(channel: string): Promise<void> {
    const peers = this.node.cluster().filter(({ status, linked }) => status === "up" && linked);
    const asked = peers
      .slice(0, CACHE_PEERS)
      .map(({ replica }) =>
        this.node.request(
          replica,
          CACHE_CHANNEL,
          { app: this.config.id, channel },
          { timeoutMs: CACHE_TIMEOUT_MS },
        ),
      );
    for (const answer of await Promise.allSettled(asked)) {
      // A node that does not say what it keeps is no reason to refuse a subscription.
      const event = answer.status === "fulfilled" ? decodeEvent(answer.value) : undefined;
      if (event?.at !== undefined) this.#cache.put(channel, { ...event, at: event.at });
    }
  }

  /** The users of a presence channel, by the ids of this app. */
  users(channel: string): string[] {
    return [
      ...new Set(
        rosterOf(this.node, this.config.names)
          .list(channel)
          .map(({ key }) => key),
      ),
    ];
  }

  /** Whether clients of this app must not be members of what the channel stands for. */
  isReserved(channel: string): boolean {
    return isReservedRoom(channel, this.config.names, "pusher");
  }

  /** Closes the connections of a user that is signed in, on all nodes. */
  terminate(user: string): void {
    this.node.broadcast(TERMINATE_CHANNEL, { app: this.config.id, user });
  }

  terminateHere(user: string): void {
    for (const connection of [...this.connections])
      if (connection.user?.id === user) connection.close(CLOSE.unauthorized, "the app ended the connection");
  }

  /** Does what may be refused by a bound or a name; returns why, if it was. Anything else is thrown. */
  attempt(work: () => void): PresentlyError | undefined {
    try {
      work();
      return undefined;
    } catch (error) {
      if (error instanceof PresentlyError) return error;
      throw error;
    }
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
    this.signedIn.close();
    this.tallies.close();
    this.totals.close();
  }

  #message(publication: Publication): RelayedEvent {
    return { app: this.config.id, ...publication };
  }
}
