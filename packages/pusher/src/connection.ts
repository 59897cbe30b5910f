/** One client: what it says, and what becomes of it. */
import type { Identity, Session } from "presently";
import { deeperThan, type RosterSession, rosterOf, TokenBucket } from "presently/drop-in";
import type { AppSite } from "./app-site.ts";
import { isChannelName, isGuarded, isPresence, isUserId, userOfChannel } from "./channel-name.ts";
import type { ClientSocket } from "./client-socket.ts";
import { CLOSE, connectionEstablished, ERROR, errorFrame, frame, type Member } from "./frames.ts";
import { isAuth } from "./signature.ts";
import { Subscription } from "./subscription.ts";
import { isMap } from "./wire.ts";

/** Levels of maps and arrays in what a client says. */
const DEPTH_MAX = 32;
/** Users of a watchlist that count. */
const WATCHLIST_MAX = 100;
const BURST_S = 10;

/** A user that has signed in, with what the app says of them. */
export interface User extends Member {
  /** As it came. */
  readonly data: string;
}

/** Why a subscription is refused. */
export interface Refusal {
  readonly message: string;
  readonly type?: "AuthError" | "LimitReached" | "BadName";
  readonly status?: number;
}

export interface ConnectionOptions {
  readonly site: AppSite;
  readonly socket: ClientSocket;
  readonly socketId: string;
  readonly identity: Identity | undefined;
  /** It has ended. */
  readonly ended: () => void;
}

export class Connection {
  readonly site: AppSite;
  readonly socket: ClientSocket;
  readonly socketId: string;
  readonly identity: Identity | undefined;
  user: User | undefined;
  readonly #ended: () => void;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #messages: TokenBucket;
  readonly #clientEvents: TokenBucket;
  readonly #openedAt = performance.now();
  #heardAt = this.#openedAt;
  #pingedAt: number | undefined;
  #authorized = false;
  #isOpen = true;
  #roster: RosterSession | undefined;
  #users: Session | undefined;
  #unwatch: () => void = () => undefined;
  #publishing: Promise<unknown> = Promise.resolve();

  constructor(options: ConnectionOptions) {
    const { site, socket } = options;
    this.site = site;
    this.socket = socket;
    this.socketId = options.socketId;
    this.identity = options.identity;
    this.#ended = options.ended;
    const { messagesPerSecondMax: perSecond } = site.limits;
    const { clientEventsPerSecondMax } = site.config.limits;
    this.#messages = new TokenBucket({ burst: BURST_S * perSecond, perSecond }, this.#openedAt);
    this.#clientEvents = new TokenBucket(
      { burst: clientEventsPerSecondMax, perSecond: clientEventsPerSecondMax },
      this.#openedAt,
    );
    site.connections.add(this);
    site.totals.add("connections", 1);
    socket.send(connectionEstablished(this.socketId, site.durations.activityTimeoutMs));
    socket.listen({
      receive: (text) => this.#isOpen && this.#receive(text),
      alive: () => this.#heard(),
      lost: () => this.#end(0),
      overflowed: () => this.#drop(CLOSE.overCapacity, "too much waits to be read (limits.bufferedBytesMax)"),
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** What this connection tracks on presence channels. */
  get roster(): RosterSession {
    this.#roster ??= rosterOf(this.site.node, this.site.config.names).session();
    return this.#roster;
  }

  /** Ends it, and tells the client why. What it tracked stays for `lingerMs`. */
  close(code: number, reason: string, lingerMs = 0): void {
    if (!this.#isOpen) return;
    this.#end(lingerMs);
    this.socket.close(code, reason);
  }

  /** Pings who is silent, and closes who stays so. */
  tick(now: number): void {
    const { activityTimeoutMs, pongTimeoutMs } = this.site.durations;
    const { authorizeWithinMs } = this.site.config;
    if (authorizeWithinMs > 0 && !this.#authorized && now - this.#openedAt >= authorizeWithinMs)
      this.close(CLOSE.unauthorized, "the connection was not authorized in time (authorizeWithinMs)");
    else if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt >= pongTimeoutMs) this.close(CLOSE.noPong, "pong was not received in time");
    } else if (now - this.#heardAt >= activityTimeoutMs) {
      this.#pingedAt = now;
      this.socket.send(frame("pusher:ping", {}));
    }
  }

  /** The process stood still: what the client said meanwhile is yet to be read. */
  excuse(now: number): void {
    this.#heardAt = now;
    this.#pingedAt = undefined;
  }

  /** Tells the client of a subscription that is refused; the connection goes on. */
  refuse(channel: unknown, { message, type = "AuthError", status = 401 }: Refusal): void {
    this.socket.send(errorFrame(null, message));
    if (typeof channel === "string")
      this.socket.send(frame("pusher:subscription_error", { type, error: message, status }, channel));
    this.site.notice({ type: "refused", level: "debug", message, app: this.site.config.id });
  }

  /** A subscription has ended by itself. */
  forget(subscription: Subscription): void {
    const { name } = subscription.channel;
    if (this.#subscriptions.get(name) === subscription) this.#subscriptions.delete(name);
  }

  #heard(): void {
    this.#heardAt = performance.now();
    this.#pingedAt = undefined;
  }

  #receive(text: string | undefined): void {
    this.#heard();
    if (!this.#messages.take(this.#heardAt)) {
      this.#drop(CLOSE.overCapacity, "too many messages (limits.messagesPerSecondMax)");
      return;
    }
    const message = text === undefined || deeperThan(text, DEPTH_MAX) ? undefined : parsed(text);
    if (!isMap(message) || typeof message.event !== "string") {
      this.#error(null, "a message is a JSON map with the text event");
      return;
    }
    const { event, data } = message;
    if (event === "pusher:ping") this.socket.send(frame("pusher:pong", {}));
    else if (event === "pusher:subscribe") this.#subscribe(isMap(data) ? data : {});
    else if (event === "pusher:unsubscribe") this.#unsubscribe(isMap(data) ? data.channel : undefined);
    else if (event === "pusher:signin") this.#signIn(isMap(data) ? data : {});
    else if (!/^pusher(_internal)?:/.test(event)) this.#clientEvent(event, message.channel, data);
  }

  #subscribe({ channel, auth, channel_data: data }: Record<string, unknown>): void {
    const { config, limits } = this.site;
    if (!isChannelName(channel)) {
      const message = "a channel has 1 to 164 of the characters A-Z a-z 0-9 _ - = @ , . ;";
      this.refuse(channel, { message, type: "BadName", status: 400 });
      return;
    }
    if (this.#subscriptions.has(channel)) {
      this.#error(null, `Existing subscription to channel ${channel}`);
      return;
    }
    if (this.#subscriptions.size >= limits.subscriptionsMax) {
      const message = `too many channels (limits.subscriptionsMax, ${limits.subscriptionsMax})`;
      this.refuse(channel, { message, type: "LimitReached", status: 4_004 });
      return;
    }
    const owner = userOfChannel(channel);
    if (owner !== undefined && owner !== this.user?.id) {
      this.refuse(channel, { message: `sign in as ${JSON.stringify(owner)} to subscribe to ${channel}` });
      return;
    }
    if (data !== undefined && typeof data !== "string") {
      this.refuse(channel, { message: "channel_data must be a text", status: 400 });
      return;
    }
    if (isGuarded(channel)) {
      if (typeof auth !== "string" || auth === "") {
        this.refuse(channel, { message: `Auth info required to subscribe to ${channel}` });
        return;
      }
      const parts = [this.socketId, channel, ...(data === undefined ? [] : [data])];
      if (!isAuth(config, auth, parts)) {
        this.refuse(channel, { message: `Invalid signature: it is not that of ${channel} for this socket` });
        return;
      }
      this.#authorized = true;
    }
    const member = isPresence(channel) ? this.#memberOf(data) : undefined;
    if (typeof member === "string") {
      this.refuse(channel, { message: member, status: 400 });
      return;
    }
    const failed = this.site.attempt(() => {
      const subscription = new Subscription(this, channel, member);
      this.#subscriptions.set(channel, subscription);
      subscription.begin();
    });
    if (failed !== undefined) this.refuse(channel, { message: failed.message, status: 400 });
  }

  /** Who it will be on a presence channel, or why nobody. */
  #memberOf(data: string | undefined): Member | string {
    const { memberBytesMax } = this.site.config.limits;
    if (data === undefined)
      return this.user ?? "channel_data with a user_id is missing, and nobody signed in";
    const given = deeperThan(data, DEPTH_MAX) ? undefined : parsed(data);
    if (!isMap(given)) return "channel_data must be a JSON map";
    const { user_id, user_info: info } = given;
    const id = typeof user_id === "number" ? String(user_id) : user_id;
    if (!isUserId(id)) return "user_id must be a text of 1 to 128 characters, or a number";
    if (info !== undefined && Buffer.byteLength(JSON.stringify(info)) > memberBytesMax)
      return `user_info is larger than ${memberBytesMax} bytes (limits.memberBytesMax)`;
    return { id, info };
  }

  #unsubscribe(channel: unknown): void {
    if (typeof channel !== "string") return;
    this.#subscriptions.get(channel)?.end();
  }

  #signIn({ auth, user_data: data }: Record<string, unknown>): void {
    const { config, signedIn } = this.site;
    if (typeof data !== "string" || !isAuth(config, auth, [this.socketId, "", "user", "", data])) {
      this.#error(CLOSE.unauthorized, "Invalid signature: it is not that of this user for this socket");
      return;
    }
    const given = deeperThan(data, DEPTH_MAX) ? undefined : parsed(data);
    const { id, user_info: info, watchlist } = isMap(given) ? given : {};
    if (!isUserId(id)) {
      this.#error(CLOSE.unauthorized, "the id of a user must be a text of 1 to 128 characters");
      return;
    }
    if (this.user !== undefined && this.user.id !== id) {
      this.#error(CLOSE.unauthorized, "this connection is signed in as another user");
      return;
    }
    if (info !== undefined && Buffer.byteLength(JSON.stringify(info)) > config.limits.memberBytesMax) {
      this.#error(CLOSE.unauthorized, "user_info is too large (limits.memberBytesMax)");
      return;
    }
    const failed = this.site.attempt(() => {
      this.#users ??= this.site.node.session() as Session;
      this.#users.track(signedIn.topic, id);
    });
    if (failed !== undefined) {
      this.#error(CLOSE.unauthorized, failed.message);
      return;
    }
    this.user = { id, info, data };
    this.#authorized = true;
    this.socket.send(frame("pusher:signin_success", JSON.stringify({ user_data: data })));
    const watched = Array.isArray(watchlist) ? watchlist.filter(isUserId) : [];
    this.#unwatch();
    if (watched.length > WATCHLIST_MAX)
      this.#error(ERROR.watchlist, `only the first ${WATCHLIST_MAX} users of the watchlist count`);
    if (watched.length > 0)
      this.#unwatch = signedIn.watch(this.socket, [...new Set(watched.slice(0, WATCHLIST_MAX))]);
  }

  #clientEvent(event: string, channel: unknown, data: unknown): void {
    const { config, permissions } = this.site;
    const problem = this.#clientEventProblem(event, channel, data);
    if (problem !== undefined) {
      this.#error(ERROR.clientEvent, problem);
      return;
    }
    if (!this.#clientEvents.take(performance.now())) {
      const most = config.limits.clientEventsPerSecondMax;
      this.#error(ERROR.clientEvent, `more than ${most} client events in a second`);
      return;
    }
    const name = channel as string;
    const member = this.#subscriptions.get(name)?.member;
    const publish = () => {
      const failed = this.site.attempt(() =>
        this.site.publish({
          channels: [name],
          event,
          data: JSON.stringify(data ?? null),
          except: this.socketId,
          ...(member === undefined ? {} : { user: member.id }),
        }),
      );
      if (failed !== undefined) this.#error(ERROR.clientEvent, failed.message);
      else
        this.site.onWebhook({
          name: "client_event",
          channel: name,
          event,
          data: typeof data === "string" ? data : JSON.stringify(data ?? null),
          socket_id: this.socketId,
          ...(member === undefined ? {} : { user_id: member.id }),
        });
    };
    if (permissions === undefined) {
      publish();
      return;
    }
    this.#publishing = Promise.all([permissions.publish(this.identity, name), this.#publishing]).then(
      ([allowed]) => (allowed ? publish() : this.#error(ERROR.clientEvent, `you may not publish on ${name}`)),
    );
  }

  #clientEventProblem(event: string, channel: unknown, data: unknown): string | undefined {
    const { clientEvents, limits } = this.site.config;
    if (!event.startsWith("client-")) return "the name of a client event begins with client-";
    if (!clientEvents) return "this app allows no client events";
    if (event.length > 200) return "the name of an event has at most 200 characters";
    if (typeof channel !== "string" || !isGuarded(channel) || channel.startsWith("private-encrypted-"))
      return "client events are for private and presence channels";
    if (!this.#subscriptions.get(channel)?.isLive) return `you are not subscribed to ${channel}`;
    if (Buffer.byteLength(JSON.stringify(data ?? null)) > limits.eventBytesMax)
      return `the data of an event has at most ${limits.eventBytesMax} bytes`;
    return undefined;
  }

  #error(code: number | null, message: string): void {
    this.socket.send(errorFrame(code, message));
  }

  #drop(code: number, message: string): void {
    if (!this.#isOpen) return;
    const { id: app } = this.site.config;
    this.site.notice({ type: "connection-dropped", level: "warn", message, app });
    this.close(code, message);
  }

  #end(lingerMs: number): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.site.connections.delete(this);
    this.#unwatch();
    this.site.node.batch(() => {
      for (const subscription of [...this.#subscriptions.values()]) subscription.detach();
      this.#subscriptions.clear();
      for (const session of [this.#roster, this.#users]) session?.drop(lingerMs);
      this.site.totals.add("connections", -1);
    });
    this.#ended();
  }
}

/** JSON, or undefined for what is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
