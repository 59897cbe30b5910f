/**
 * Carries out the commands of one session, one after the other, in their order. What is wrong with one is reported to the
 * operator, and changes nothing; the protocol has no answer for it.
 */
import { PresentlyError } from "presently";
import { Mailbox } from "presently/drop-in";
import { Clearance, type ClearedHost } from "./clearance.ts";
import { type ChannelCommand, decodeIdentifier, type PresenceRequest } from "./command.ts";
import { CommandError, NoPresenceStreamError } from "./errors.ts";
import * as frames from "./frames.ts";
import { isMap } from "./json.ts";
import { LiveSubscription, type SubscriptionHost } from "./live-subscription.ts";
import type { NoticeListener } from "./notice.ts";
import type { SessionServices } from "./session-services.ts";
import { inTime, isPromise, type MaybePromise } from "./settle.ts";

type SubscribeCommand = Extract<ChannelCommand, { type: "subscribe" }>;

/** What the desk asks of its session. */
export type CommandHost = SubscriptionHost & ClearedHost;

export class CommandDesk {
  /** By identifier. */
  readonly subscriptions = new Map<string, LiveSubscription>();
  readonly #services: SessionServices;
  readonly #host: CommandHost;
  readonly #clearance: Clearance;
  readonly #mailbox = new Mailbox();
  #waitingBytes = 0;

  constructor(services: SessionServices, host: CommandHost) {
    this.#services = services;
    this.#host = host;
    this.#clearance = new Clearance(services.permissions, host);
  }

  /** Commands that wait for a callback. */
  get waiting(): number {
    return this.#mailbox.size;
  }

  /** Their bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#mailbox.clear();
    this.#waitingBytes = 0;
  }

  /** Carries a command out, which came in so many bytes, now or in its turn. Nothing is thrown. */
  post(command: ChannelCommand, bytes: number): void {
    this.#waitingBytes += bytes;
    this.#mailbox.post(() => {
      this.#waitingBytes -= bytes;
      return attemptLater(this.#services.notice, () => this.#carryOut(command));
    });
  }

  #carryOut(command: ChannelCommand): MaybePromise<void> {
    const { identifier } = command;
    if (command.type === "subscribe") return this.#subscribe(command);
    const subscription = this.subscriptions.get(identifier);
    if (subscription === undefined) throw new CommandError("not subscribed");
    switch (command.type) {
      case "unsubscribe":
        this.#unsubscribe(subscription);
        return undefined;
      case "message":
        return this.#clearance.perform(subscription, () => this.#perform(subscription, command.data));
      case "whisper":
        return this.#whisper(subscription, command.data);
      case "history":
        return this.#prepared(subscription, () => subscription.replay(command.history));
      case "join":
        return this.#join(subscription, command.presence);
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
    if (this.subscriptions.has(identifier)) throw new CommandError("subscribed already");
    const { limits } = this.#services;
    let subscription: LiveSubscription;
    try {
      if (this.subscriptions.size >= limits.subscriptionsMax)
        throw new CommandError(`more than ${limits.subscriptionsMax} subscriptions of one connection`);
      const { identifierBytesMax } = limits;
      if (Buffer.byteLength(identifier) > identifierBytesMax)
        throw new CommandError(`an identifier of more than ${identifierBytesMax} bytes`);
      const { channel, params } = decodeIdentifier(identifier);
      const definition = this.#services.definitionOf(channel);
      if (definition === undefined) throw new CommandError("no such channel");
      subscription = new LiveSubscription({
        services: this.#services,
        host: this.#host,
        definition,
        identifier,
        channel,
        params,
      });
    } catch (error) {
      this.#host.send(frames.rejectSubscription(identifier));
      throw error;
    }
    const confirm = () => this.#confirm(subscription, command);
    const refuse = (error: unknown) => this.#reject(subscription, error);
    return this.#call(
      () => subscription.definition.subscribe?.(subscription.face),
      (answer) => {
        if (answer === false) return this.#reject(subscription);
        const confirmed = this.#clearance.watch(subscription, confirm, () => subscription.end());
        return isPromise(confirmed) ? confirmed.then(undefined, refuse) : undefined;
      },
      refuse,
      () => subscription.end(),
    );
  }

  #confirm(subscription: LiveSubscription, { history, presence }: SubscribeCommand): MaybePromise<void> {
    const confirm = () => {
      this.subscriptions.set(subscription.identifier, subscription);
      attempt(this.#services.notice, () => subscription.confirm(history));
      const settle = () => attempt(this.#services.notice, () => subscription.settle());
      const join = () => (presence === undefined ? undefined : this.#join(subscription, presence));
      const joined = attemptLater(this.#services.notice, join);
      return joined === undefined ? settle() : joined.then(settle);
    };
    return this.#prepared(subscription, confirm, history !== undefined);
  }

  /** Runs once this node gets the streams, and has what there is of their history; not if the connection is gone by then. */
  #prepared(
    subscription: LiveSubscription,
    run: () => MaybePromise<void>,
    withHistory = true,
  ): MaybePromise<void> {
    const connection = this.#host.connection;
    const { streams } = this.#services;
    const later = withHistory ? streams.prepare(subscription.streams) : streams.attend(subscription.streams);
    if (later === undefined) return run();
    return later.then(() => {
      if (this.#host.connection === connection && connection !== undefined && !subscription.closed)
        return run();
      if (!this.subscriptions.has(subscription.identifier)) subscription.end();
      return undefined;
    });
  }

  #join(subscription: LiveSubscription, presence: PresenceRequest): MaybePromise<void> {
    const { presenceStream } = subscription;
    const join = () => subscription.clientJoin(presence.id, presence.info);
    return presenceStream === undefined ? join() : this.#clearance.join(presenceStream, presence, join);
  }

  #whisper(subscription: LiveSubscription, data: unknown): MaybePromise<void> {
    const { whisperStream } = subscription;
    if (whisperStream === undefined) throw new CommandError("nobody may whisper here");
    return this.#clearance.whisper(whisperStream, () => subscription.whisper(data));
  }

  #reject(subscription: LiveSubscription, error?: unknown): void {
    subscription.end();
    this.#host.send(frames.rejectSubscription(subscription.identifier));
    if (error instanceof PresentlyError) refused(this.#services.notice, error);
    else if (error !== undefined) failed(this.#services.notice, "subscribe", error);
  }

  #unsubscribe(subscription: LiveSubscription): void {
    const { presenceStream, identifier } = subscription;
    // First of all it hears nothing more, not of its own leave either.
    this.drop(subscription);
    if (presenceStream !== undefined) this.#host.presence.unsubscribed(presenceStream, identifier);
  }

  /** Ends a subscription, and tells the application. */
  drop(subscription: LiveSubscription): void {
    this.subscriptions.delete(subscription.identifier);
    subscription.end();
    void this.#call(
      () => subscription.definition.unsubscribe?.(subscription.face),
      () => undefined,
      (error) => failed(this.#services.notice, "unsubscribe", error),
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
      (error) => failed(this.#services.notice, action, error),
    );
  }

  #sendPresence(subscription: LiveSubscription, withRecords: boolean): void {
    const { identifier } = subscription;
    try {
      this.#host.send(frames.presence(identifier, subscription.presenceInfo(withRecords)));
    } catch (error) {
      if (!(error instanceof NoPresenceStreamError)) throw error;
      this.#host.send(frames.presence(identifier, frames.PRESENCE_ERROR));
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
    const connection = this.#host.connection;
    const { callbackTimeoutMs } = this.#services.limits;
    return inTime(result, callbackTimeoutMs).then(
      // A client that is gone meanwhile subscribes again.
      (value) => (this.#host.connection === connection ? done(value) : late()),
      failed,
    );
  }
}

/** Does what may be refused. */
export function attempt(notice: NoticeListener, run: () => void): void {
  try {
    run();
  } catch (error) {
    refused(notice, error);
  }
}

/** As `attempt`, for what may take its time. */
function attemptLater(notice: NoticeListener, run: () => MaybePromise<void>): undefined | Promise<void> {
  const failed = (error: unknown) => refused(notice, error);
  try {
    const later = run();
    return isPromise(later) ? Promise.resolve(later).catch(failed) : undefined;
  } catch (error) {
    failed(error);
    return undefined;
  }
}

/** Reports what a client asked for in vain; or, of an unknown error, what failed. */
export function refused(notice: NoticeListener, error: unknown): void {
  if (!(error instanceof PresentlyError)) {
    failed(notice, "a command", error);
    return;
  }
  const message = `a command of a client was not carried out: ${error.message}`;
  notice({ type: "refused", level: "debug", message, code: error.code });
}

function failed(notice: NoticeListener, callback: string, error: unknown): void {
  notice({ type: "callback-failed", level: "error", message: `${callback} of a channel failed`, error });
}
