/**
 * One client's session: what it is subscribed to, and who it is there. It outlives its connection for a while, so that a
 * client that was cut off goes on where it was.
 *
 *     connected --(connection lost)--> away --(resumed)--> connected ... --(disconnected, or away for too long)--> ended
 *
 * Commands are carried out one after the other, in their order. What is wrong with one is reported to the operator, and
 * changes nothing; the protocol has no answer for it.
 */
import { PresentlyError } from "presently";
import { CLOSE } from "./close-code.ts";
import { type ChannelCommand, type Command, decodeCommand, decodeIdentifier } from "./command.ts";
import { CommandError, NoPresenceStreamError } from "./errors.ts";
import * as frames from "./frames.ts";
import { isMap } from "./json.ts";
import { LiveSubscription, type SubscriptionHost, type SubscriptionState } from "./live-subscription.ts";
import { Mailbox } from "./mailbox.ts";
import { type HeldPresence, SessionPresence } from "./session-presence.ts";
import type { SessionServices } from "./session-services.ts";
import { inTime, isPromise, type MaybePromise } from "./settle.ts";
import { TokenBucket } from "./token-bucket.ts";

/** How long a resumed subscription waits for its client to ask for history. */
const HISTORY_WAIT_MS = 5_000;
/** Former names of a session, by which broadcasts may leave it out. */
const SIDS_MAX = 8;

type SubscribeCommand = Extract<ChannelCommand, { type: "subscribe" }>;

/** Where frames go: the client's connection. */
export interface Outlet {
  send(frame: string): void;
  /** Asks the connection itself whether it is there; the answer comes to `pong`. */
  ping(number: number): void;
  /** Closes it in good order. */
  close(code: number, reason: string): void;
  /** Cuts it off. */
  terminate(): void;
}

/** How the client wants to be spoken to. */
export interface ConnectionOptions {
  readonly outlet: Outlet;
  /** Unique in the cluster, and not to be guessed: who knows it may resume the session. */
  readonly sid: string;
  /** Whether it speaks the extended protocol, which alone knows of resuming. */
  readonly extended: boolean;
  readonly pingIntervalMs: number;
  readonly pingPrecision: frames.PingPrecision;
}

/** A session as it moves to another node. */
export interface SessionState {
  readonly identifiers: unknown;
  readonly sids: readonly string[];
  readonly subscriptions: readonly SubscriptionState[];
  readonly presences: readonly HeldPresence[];
}

export class CableSession implements SubscriptionHost {
  readonly identifiers: unknown;
  readonly presence: SessionPresence;
  readonly #services: SessionServices;
  readonly #subscriptions = new Map<string, LiveSubscription>();
  readonly #mailbox = new Mailbox();
  readonly #bucket: TokenBucket;
  readonly #sids: string[] = [];
  #connection: ConnectionOptions | undefined;
  #sid = "";
  #state: "connected" | "away" | "ended" = "away";
  #extended = false;
  #pings = 0;
  #pingAt = 0;
  #heardAt = 0;
  #pongAt = 0;
  #awayUntil = 0;
  #historyUntil = Number.POSITIVE_INFINITY;

  constructor(services: SessionServices, identifiers: unknown) {
    const { commandsPerSecondMax } = services.limits;
    this.#services = services;
    this.identifiers = identifiers;
    this.presence = new SessionPresence({
      node: services.node,
      hub: services.hub,
      ttlMs: services.durations.presenceTtlMs,
      wallClock: services.wallClock,
    });
    this.#bucket = new TokenBucket(
      { burst: 2 * commandsPerSecondMax, perSecond: commandsPerSecondMax },
      services.now(),
    );
  }

  get sid(): string {
    return this.#sid;
  }

  get connected(): boolean {
    return this.#state === "connected";
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  /** Whether a client may go on with it. */
  get resumable(): boolean {
    return this.#state !== "ended" && this.#extended;
  }

  /** How many subscriptions it has. */
  get size(): number {
    return this.#subscriptions.size;
  }

  isSelf(sid: string): boolean {
    return this.#sids.includes(sid);
  }

  send(frame: string): void {
    this.#connection?.outlet.send(frame);
  }

  // The connection.

  /** Begins with a connection. */
  connect(connection: ConnectionOptions): void {
    this.#attach(connection);
    this.send(frames.welcome(this.#sid));
  }

  /** Goes on with another connection. What the client missed of presence it is told now; of streams, when it asks. */
  resume(connection: ConnectionOptions): void {
    this.lost();
    this.#attach(connection);
    const { now } = this.#services;
    for (const subscription of this.#subscriptions.values())
      if (!subscription.resumable) this.#drop(subscription);
    this.send(frames.welcomeBack(this.#sid, [...this.#subscriptions.keys()]));
    this.#attempt(() => this.presence.resume());
    for (const subscription of this.#subscriptions.values()) subscription.resume();
    this.#historyUntil = now() + HISTORY_WAIT_MS;
  }

  /** Takes in a frame of the client. Nothing is thrown. */
  receive(text: string): void {
    if (this.#state !== "connected") return;
    const { now, limits } = this.#services;
    this.#heardAt = now();
    if (!this.#bucket.take(now())) {
      this.#expel(`more than ${limits.commandsPerSecondMax} commands a second`);
      return;
    }
    let command: Command;
    try {
      command = decodeCommand(text);
    } catch (error) {
      this.#refused(error);
      return;
    }
    if (command.type === "pong") this.#pongAt = now();
    else if (command.type === "ping") this.send(frames.PONG);
    else if (this.#mailbox.size >= limits.commandsWaitingMax)
      this.#expel(`more than ${limits.commandsWaitingMax} commands wait for a callback`);
    else this.#post(command);
  }

  /** The connection has answered a ping: everything that was sent before it has arrived. */
  pong(number: number): void {
    this.#heardAt = this.#services.now();
    for (const subscription of this.#subscriptions.values()) subscription.confirmed(number);
  }

  /** The connection is gone. Presence stays for its time to live, the session for longer. */
  lost(): void {
    if (this.#state !== "connected") return;
    const { now, durations } = this.#services;
    this.#connection?.outlet.terminate();
    this.#connection = undefined;
    this.#state = "away";
    this.#mailbox.clear();
    for (const subscription of this.#subscriptions.values()) subscription.pause();
    this.#attempt(() => this.presence.drop());
    this.#awayUntil = now() + (this.#extended ? durations.resumeMs : 0);
    if (!this.#extended) this.end();
  }

  /** Tells the client to go, and ends the session: its presence stays for the time to live if the client is to come back. */
  disconnect(reason: frames.DisconnectReason, reconnect: boolean, code: number = CLOSE.normal): void {
    const outlet = this.#connection?.outlet;
    if (reconnect) this.presence.drop();
    this.end();
    outlet?.send(frames.disconnect(reason, reconnect));
    outlet?.close(code, reason);
  }

  /** Ends everything. What was dropped stays for its time. Idempotent. */
  end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#connection = undefined;
    this.#mailbox.clear();
    this.presence.close();
    for (const subscription of [...this.#subscriptions.values()]) this.#drop(subscription);
  }

  /** Closes the connection, as a node that drains does: the client comes back elsewhere, and resumes the session. */
  sendAway(): void {
    const outlet = this.#connection?.outlet;
    this.#connection = undefined;
    outlet?.close(CLOSE.goingAway, "connect to another node");
    this.lost();
  }

  /** Does what is due. */
  tick(): void {
    const { now, wallClock, durations } = this.#services;
    const time = now();
    if (this.#state === "away" && time >= this.#awayUntil) this.end();
    if (this.#connection === undefined) return;
    if (time - this.#heardAt > durations.silentAfterMs) {
      this.lost();
      return;
    }
    if (durations.pongTimeoutMs > 0 && this.#extended && time - this.#pongAt > durations.pongTimeoutMs) {
      this.disconnect("no_pong", true);
      return;
    }
    if (time >= this.#historyUntil) this.#goOnWithoutHistory();
    if (time < this.#pingAt) return;
    this.#pingAt = time + this.#connection.pingIntervalMs;
    const number = ++this.#pings;
    for (const subscription of this.#subscriptions.values()) subscription.pinged(number);
    this.#connection.outlet.ping(number);
    this.send(frames.ping(wallClock(), this.#connection.pingPrecision));
  }

  /** This process stood still: what it did not hear in that time is nobody's fault. */
  excuse(): void {
    this.#heardAt = this.#services.now();
    this.#pongAt = this.#heardAt;
  }

  // Moving between nodes.

  /** What another node needs to go on with it, while it is away. */
  export(): SessionState {
    const subscriptions = [...this.#subscriptions.values()];
    return {
      identifiers: this.identifiers,
      sids: this.#sids,
      subscriptions: subscriptions.filter(({ resumable }) => resumable).map((one) => one.export()),
      presences: this.presence.list(),
    };
  }

  /** It lives on elsewhere: nothing of it is left here, and its application is not told of an end. */
  abandon(): void {
    this.#state = "ended";
    this.presence.close();
    for (const subscription of this.#subscriptions.values()) subscription.end();
    this.#subscriptions.clear();
  }

  /** Goes on with what another node had. To be followed by `resume`. */
  import({ sids, subscriptions, presences }: SessionState): void {
    this.#sids.push(...sids);
    this.#extended = true;
    for (const state of subscriptions) {
      const { identifier, channel, params } = state;
      const definition = this.#services.definitionOf(channel);
      // A later version of the application may not have it any more; its client subscribes anew, and is told.
      if (definition === undefined) continue;
      const options = { services: this.#services, host: this, definition, identifier, channel, params };
      const subscription = new LiveSubscription(options);
      this.#attempt(() => {
        subscription.import(state);
        this.#subscriptions.set(identifier, subscription);
      });
    }
    const kept = (identifier: string) => this.#subscriptions.has(identifier);
    this.#attempt(() => this.presence.adopt(presences.filter(({ joinedBy }) => joinedBy.some(kept))));
  }

  #attach(connection: ConnectionOptions): void {
    const { now, random } = this.#services;
    this.#state = "connected";
    this.#connection = connection;
    this.#sid = connection.sid;
    this.#sids.push(connection.sid);
    if (this.#sids.length > SIDS_MAX) this.#sids.shift();
    this.#extended = connection.extended;
    this.#heardAt = now();
    this.#pongAt = now();
    // Not all clients of a node that has just started are to be pinged at once.
    this.#pingAt = now() + connection.pingIntervalMs * (0.5 + random());
  }

  #goOnWithoutHistory(): void {
    this.#historyUntil = Number.POSITIVE_INFINITY;
    for (const subscription of this.#subscriptions.values())
      if (subscription.paused) subscription.goOnWithoutHistory();
  }

  // Commands.

  #post(command: ChannelCommand): void {
    this.#mailbox.post(() => {
      let later: MaybePromise<void>;
      try {
        later = this.#carryOut(command);
      } catch (error) {
        this.#refused(error);
        return undefined;
      }
      if (!isPromise(later)) return undefined;
      return Promise.resolve(later).catch((error: unknown) => this.#refused(error));
    });
  }

  #carryOut(command: ChannelCommand): MaybePromise<void> {
    const { identifier } = command;
    if (command.type === "subscribe") return this.#subscribe(command);
    const subscription = this.#subscriptions.get(identifier);
    if (subscription === undefined) throw new CommandError("not subscribed");
    switch (command.type) {
      case "unsubscribe":
        this.#unsubscribe(subscription);
        return undefined;
      case "message":
        return this.#perform(subscription, command.data);
      case "whisper":
        if (!subscription.whisper(command.data)) throw new CommandError("nobody may whisper here");
        return undefined;
      case "history":
        return this.#prepared(subscription, () => subscription.replay(command.history));
      case "join":
        subscription.join(command.presence.id, command.presence.info);
        return undefined;
      case "leave":
        subscription.leave();
        return undefined;
      case "presence":
        this.#sendPresence(subscription, command.withRecords);
        return undefined;
    }
  }

  #subscribe(command: SubscribeCommand): MaybePromise<void> {
    const { identifier } = command;
    if (this.#subscriptions.has(identifier)) throw new CommandError("subscribed already");
    const { limits } = this.#services;
    let subscription: LiveSubscription;
    try {
      if (this.#subscriptions.size >= limits.subscriptionsMax)
        throw new CommandError(`more than ${limits.subscriptionsMax} subscriptions of one connection`);
      const { channel, params } = decodeIdentifier(identifier);
      const definition = this.#services.definitionOf(channel);
      if (definition === undefined) throw new CommandError("no such channel");
      subscription = new LiveSubscription({
        services: this.#services,
        host: this,
        definition,
        identifier,
        channel,
        params,
      });
    } catch (error) {
      this.send(frames.rejectSubscription(identifier));
      throw error;
    }
    const confirm = () => this.#confirm(subscription, command);
    const refuse = (error: unknown) => this.#reject(subscription, error);
    return this.#call(
      () => subscription.definition.subscribe?.(subscription.face),
      (answer) => (answer === false ? this.#reject(subscription) : confirm()),
      refuse,
      () => subscription.end(),
    );
  }

  #confirm(subscription: LiveSubscription, { history, presence }: SubscribeCommand): MaybePromise<void> {
    const confirm = () => {
      this.#subscriptions.set(subscription.identifier, subscription);
      this.#attempt(() => subscription.confirm(history));
      if (presence !== undefined) this.#attempt(() => subscription.join(presence.id, presence.info));
      this.#attempt(() => subscription.settle());
    };
    return history === undefined ? confirm() : this.#prepared(subscription, confirm);
  }

  /** Runs once this node has what there is of the streams' history; not if the connection is gone by then. */
  #prepared(subscription: LiveSubscription, run: () => void): MaybePromise<void> {
    const connection = this.#connection;
    const later = this.#services.streams.prepare(subscription.streams);
    if (later === undefined) return run();
    return later.then(() => {
      if (this.#connection === connection && connection !== undefined && !subscription.closed) run();
      else if (!this.#subscriptions.has(subscription.identifier)) subscription.end();
    });
  }

  #reject(subscription: LiveSubscription, error?: unknown): void {
    subscription.end();
    this.send(frames.rejectSubscription(subscription.identifier));
    if (error instanceof PresentlyError) this.#refused(error);
    else if (error !== undefined) this.#failed("subscribe", error);
  }

  #unsubscribe(subscription: LiveSubscription): void {
    const { presenceStream, identifier } = subscription;
    if (presenceStream !== undefined) this.presence.unsubscribed(presenceStream, identifier);
    this.#drop(subscription);
  }

  #drop(subscription: LiveSubscription): void {
    this.#subscriptions.delete(subscription.identifier);
    subscription.end();
    void this.#call(
      () => subscription.definition.unsubscribe?.(subscription.face),
      () => undefined,
      (error) => this.#failed("unsubscribe", error),
    );
  }

  #perform(subscription: LiveSubscription, data: unknown): MaybePromise<void> {
    if (!isMap(data)) throw new CommandError("the data of a message is not a map");
    const { action = "receive" } = data;
    const { actions = {} } = subscription.definition;
    if (typeof action !== "string" || !Object.hasOwn(actions, action))
      throw new CommandError("the channel has no such action");
    return this.#call(
      () => actions[action]!(data, subscription.face),
      () => undefined,
      (error) => this.#failed(action, error),
    );
  }

  #sendPresence(subscription: LiveSubscription, withRecords: boolean): void {
    const { identifier } = subscription;
    try {
      const records = subscription.presence();
      const info = frames.presenceInfo(records.length, withRecords ? records : []);
      this.send(frames.presence(identifier, info));
    } catch (error) {
      if (!(error instanceof NoPresenceStreamError)) throw error;
      this.send(frames.presence(identifier, frames.PRESENCE_ERROR));
    }
  }

  /** Calls the application; nothing that it does is thrown on. */
  #call<T>(
    call: () => MaybePromise<T>,
    done: (value: T) => MaybePromise<void>,
    failed: (error: unknown) => void,
    late: () => void = () => undefined,
  ): MaybePromise<void> {
    let result: MaybePromise<T>;
    try {
      result = call();
    } catch (error) {
      return failed(error);
    }
    if (!isPromise(result)) return done(result);
    const connection = this.#connection;
    const { callbackTimeoutMs } = this.#services.limits;
    return inTime(result, callbackTimeoutMs).then(
      // A client that is gone meanwhile subscribes again.
      (value) => (this.#connection === connection ? done(value) : late()),
      failed,
    );
  }

  /** Does what may be refused. */
  #attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#refused(error);
    }
  }

  #refused(error: unknown): void {
    if (!(error instanceof PresentlyError)) {
      this.#failed("a command", error);
      return;
    }
    const message = `a command of a client was not carried out: ${error.message}`;
    this.#services.notice({ type: "refused", level: "debug", message, code: error.code });
  }

  #failed(callback: string, error: unknown): void {
    const message = `${callback} of a channel failed`;
    this.#services.notice({ type: "callback-failed", level: "error", message, error });
  }

  /** The client broke a bound. */
  #expel(reason: string): void {
    const message = `a client was disconnected: ${reason}`;
    this.#services.notice({ type: "disconnected", level: "warn", message });
    const outlet = this.#connection?.outlet;
    this.#connection = undefined;
    outlet?.close(CLOSE.policy, reason);
    this.lost();
    this.end();
  }
}
