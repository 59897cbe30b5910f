/**
 * From a subscribe message to a presence, and to the list in its confirmation.
 *
 * A client takes the list for the state, and the events for what changed since. So the list must not be older than an
 * event that came before it: it is made when Faye writes the reply, after everything that the reply waits for.
 *
 * Only what Faye has subscribed is recorded. The server tells of a new subscription by an event that has neither the
 * message nor its `ext`, and of a repeated one by nothing but its reply. So a request waits here from the moment when
 * the last extension has let its message pass until the event, or the reply, and a refusal leaves no trace.
 */
import type { FayeMessage } from "./faye.ts";
import type { Limits } from "./limits.ts";
import type { NoticeListener } from "./notice.ts";
import type { Done, PresenceStore } from "./presence-store.ts";
import type { IdAndValue } from "./presence-value.ts";
import { ERROR, isMap, type PresenceRequest, readRequest } from "./request.ts";
import type { ToldBefore } from "./told-before.ts";

/** The list of each channel of a reply. */
type Lists = readonly (readonly IdAndValue[])[];

/** Faye answers a request, and tells of what came of it, within this time: afterwards its place is given away. */
const GIVEN_UP_AFTER_MS = 30_000;

interface Pending {
  /** The reply has the same. */
  readonly id: unknown;
  readonly clientId: string;
  readonly request: PresenceRequest;
  readonly since: number;
  /** What came of recording it, once the subscription is made; undefined before, and if the subscription has ended since. */
  outcome: { readonly done: Done } | { readonly error: unknown } | undefined;
  /** The last event that was told before. */
  start: number | undefined;
}

export interface SubscriptionsOptions {
  readonly store: PresenceStore;
  readonly toldBefore: Pick<ToldBefore, "begins">;
  readonly limits: Limits;
  readonly notice: NoticeListener;
  /** Whether Faye tells of a subscription after its reply, as with an engine that stores it elsewhere. */
  readonly eventsComeLate: boolean;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  /** By client and channel, in the order in which the client asked. */
  readonly #pending = new Map<string, Pending[]>();
  #count = 0;
  /**
   * What was answered last, by client and channel, in the order of the answers: its event may still come, and before it
   * those of earlier subscriptions and of their ends, as many as the client asked for.
   */
  readonly #answered = new Map<string, Pending>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** Requests that Faye is at work on. */
  get pending(): number {
    return this.#count;
  }

  /** Takes the request of a message that subscribes to these channels; answers the text of the error, if it is refused. */
  request(message: FayeMessage, channels: readonly string[]): string | undefined {
    const request = readRequest(message.ext, this.#options.limits);
    if (typeof request === "string") {
      if (request === ERROR.notStored) this.#refused(channels[0]!, "its id or data is too large, or no JSON");
      return request;
    }
    const { clientId } = message;
    // Faye itself refuses a client that is none.
    if (typeof clientId !== "string") return undefined;
    const problem = this.#noRoomFor(clientId, channels);
    if (problem !== undefined) {
      this.#refused(channels[0]!, problem);
      return ERROR.notStored;
    }
    const since = this.#options.now();
    for (const channel of channels) {
      const name = nameOf(clientId, channel);
      const waiting = this.#pending.get(name) ?? [];
      this.#pending.set(name, waiting);
      waiting.push({ id: message.id, clientId, request, since, outcome: undefined, start: undefined });
      this.#count += 1;
    }
    return undefined;
  }

  /** Faye has subscribed the client: it is present now. */
  subscribed(clientId: string, channel: string): void {
    const name = nameOf(clientId, channel);
    const pending = this.#pending.get(name)?.find(({ outcome }) => outcome === undefined);
    const answered = this.#answered.get(name);
    if (pending !== undefined) this.#record(channel, pending);
    else if (answered !== undefined && this.#options.store.idOf(channel, clientId) === undefined)
      this.#record(channel, answered);
  }

  /** Faye has ended a subscription of the client: what it asked for since then is not recorded yet. */
  unsubscribed(clientId: string, channel: string): void {
    const name = nameOf(clientId, channel);
    for (const pending of this.#pending.get(name) ?? []) pending.outcome = pending.start = undefined;
    const answered = this.#answered.get(name);
    if (answered !== undefined) answered.start = undefined;
  }

  /** The message will have no reply. */
  forget(message: FayeMessage, channels: readonly string[]): void {
    if (typeof message.clientId !== "string") return;
    for (const channel of channels) this.#take(message.clientId, channel, message.id);
  }

  /**
   * Completes a reply: with the list of everybody, or with an error. Returns a promise if that takes a while.
   *
   * @param effective what else the reply waits for: the list is made after it
   */
  confirm(reply: FayeMessage, channels: readonly string[], effective?: Promise<unknown>): Done {
    const { clientId } = reply;
    const steps: Done[] = [];
    let failed = false;
    for (const channel of channels) {
      const pending = typeof clientId === "string" ? this.#take(clientId, channel, reply.id) : undefined;
      if (pending === undefined || reply.error) continue;
      // The client was subscribed before: what it says of itself is new.
      const outcome = pending.outcome ?? this.#record(channel, pending);
      this.#expectEvent(channel, pending);
      if ("error" in outcome) failed = true;
      else steps.push(outcome.done);
    }
    if (reply.error) return undefined;
    if (failed) return refuse(reply);
    const waits = [...steps, effective].filter((step) => step !== undefined);
    const finish = () => this.#list(reply, channels);
    return waits.length === 0 ? finish() : Promise.all(waits).then(finish, () => refuse(reply));
  }

  #expectEvent(channel: string, pending: Pending): void {
    const { eventsComeLate, limits, now } = this.#options;
    if (!eventsComeLate) return;
    const name = nameOf(pending.clientId, channel);
    this.#answered.delete(name);
    for (const [other, { since }] of this.#answered) {
      if (this.#answered.size < limits.pendingMax && now() - since < GIVEN_UP_AFTER_MS) break;
      this.#answered.delete(other);
    }
    this.#answered.set(name, pending);
  }

  #take(clientId: string, channel: string, id: unknown): Pending | undefined {
    const name = nameOf(clientId, channel);
    const waiting = this.#pending.get(name);
    if (waiting === undefined) return undefined;
    const place = waiting.findIndex((pending) => pending.id === id);
    const [pending] = waiting.splice(Math.max(place, 0), 1);
    if (waiting.length === 0) this.#pending.delete(name);
    this.#count -= 1;
    return pending;
  }

  #record(channel: string, pending: Pending): NonNullable<Pending["outcome"]> {
    const { store, toldBefore } = this.#options;
    pending.start ??= store.changes;
    toldBefore.begins(pending.clientId, channel, pending.start);
    try {
      const done = store.add(channel, pending.clientId, pending.request);
      done?.catch((error) => this.#refused(channel, "the engine failed", error));
      pending.outcome = { done };
    } catch (error) {
      this.#refused(channel, error instanceof Error ? error.message : String(error), error);
      pending.outcome = { error };
    }
    return pending.outcome;
  }

  #list(reply: FayeMessage, channels: readonly string[]): Done {
    const { store } = this.#options;
    const lists = () => channels.map((channel) => store.values(channel));
    const first = lists();
    if (!first.every(isReady))
      return Promise.all(first).then(
        (ready) => attach(reply, channels, () => ready),
        (error) => {
          this.#refused(channels[0]!, "the engine failed", error);
          return refuse(reply);
        },
      );
    // Other replies of the same request, or extensions, may keep this one waiting. What is told meanwhile makes it old.
    let current = first;
    let { changes } = store;
    return attach(reply, channels, () => {
      if (store.changes === changes) return current;
      ({ changes } = store);
      current = lists() as typeof first;
      return current;
    });
  }

  #noRoomFor(clientId: string, channels: readonly string[]): string | undefined {
    const { store, limits, now } = this.#options;
    if (store.channelsOf(clientId) + channels.length > limits.channelsPerClientMax)
      return `the client is on too many channels (limits.channelsPerClientMax is ${limits.channelsPerClientMax})`;
    if (store.clients >= limits.clientsMax && store.channelsOf(clientId) === 0)
      return `too many clients are present (limits.clientsMax is ${limits.clientsMax})`;
    for (const [name, waiting] of this.#pending) {
      const isRoom = this.#count + channels.length <= limits.pendingMax;
      if (isRoom || now() - waiting.at(-1)!.since < GIVEN_UP_AFTER_MS) break;
      this.#pending.delete(name);
      this.#count -= waiting.length;
    }
    if (this.#count + channels.length > limits.pendingMax)
      return `too many subscriptions wait for Faye (limits.pendingMax is ${limits.pendingMax})`;
    return undefined;
  }

  #refused(channel: string, problem: string, error?: unknown): void {
    const message = `a client was not made present on ${channel}: ${problem}`;
    this.#options.notice({ type: "not-stored", level: "warn", message, channel, error });
  }
}

function refuse(reply: FayeMessage): undefined {
  reply.successful = false;
  reply.error = ERROR.notStored;
  return undefined;
}

/**
 * One list for a message with several channels, which the original could not take, and each by itself besides.
 *
 * @param lists called whenever the reply is read, and again when it is written; returns the same lists while nothing changed
 */
function attach(reply: FayeMessage, channels: readonly string[], lists: () => Lists): undefined {
  const presence = {};
  define(presence, "subscribe", lists, (now) => Object.fromEntries(now.flat()));
  if (channels.length !== 1)
    define(presence, "channels", lists, (now) =>
      Object.fromEntries(channels.map((name, i) => [name, Object.fromEntries(now[i]!)])),
    );
  reply.ext = { ...(isMap(reply.ext) ? reply.ext : {}), presence };
  return undefined;
}

/** A field that is made of the lists when it is read. An extension of the application may put another value in its place. */
function define(presence: object, field: string, lists: () => Lists, make: (now: Lists) => unknown): void {
  let of: Lists | undefined;
  let made: unknown;
  Object.defineProperty(presence, field, {
    enumerable: true,
    configurable: true,
    get() {
      const now = lists();
      if (of !== now) {
        of = now;
        made = make(now);
      }
      return made;
    },
    set(value) {
      Object.defineProperty(presence, field, { value, enumerable: true, configurable: true, writable: true });
    },
  });
}

function isReady(
  list: readonly IdAndValue[] | Promise<readonly IdAndValue[]>,
): list is readonly IdAndValue[] {
  return !(list instanceof Promise);
}

/** One text for a client and a channel, and never the same for two pairs. */
function nameOf(clientId: string, channel: string): string {
  return `${clientId.length}:${clientId}${channel}`;
}
