/**
 * One client's session: what it is subscribed to, and who it is there. It outlives its connection for a while, so that a
 * client that was cut off goes on where it was.
 *
 *     connected --(connection lost)--> away --(resumed)--> connected ... --(disconnected, or away for too long)--> ended
 *
 * What its client asks for is carried out by the desk.
 */

import { type Identity, TokenBucket } from "presently/drop-in";
import { CLOSE } from "./close-code.ts";
import { type Command, decodeCommand } from "./command.ts";
import { attempt, CommandDesk, type CommandHost, refused } from "./command-desk.ts";
import * as frames from "./frames.ts";
import { LiveSubscription, type SubscriptionState } from "./live-subscription.ts";
import { type HeldPresence, SessionPresence } from "./session-presence.ts";
import type { SessionServices } from "./session-services.ts";

/**
 * How long a resumed subscription waits for its client to ask for history, which clients do at once. What was missed then comes
 * before what is new. A client that asks later is told only of what this did not send.
 */
const HISTORY_WAIT_MS = 250;
const NEVER = Number.POSITIVE_INFINITY;
/** Former names of a session, by which broadcasts may leave it out. */
const SIDS_MAX = 8;

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
  /** Who the node's `access` says is at the other end. */
  readonly identity?: Identity | undefined;
}

/** A session as it moves to another node. */
export interface SessionState {
  readonly identifiers: unknown;
  readonly sids: readonly string[];
  readonly subscriptions: readonly SubscriptionState[];
  readonly presences: readonly HeldPresence[];
}

export class CableSession implements CommandHost {
  readonly identifiers: unknown;
  readonly presence: SessionPresence;
  readonly #services: SessionServices;
  readonly #desk: CommandDesk;
  readonly #bucket: TokenBucket;
  readonly #sids: string[] = [];
  #connection: ConnectionOptions | undefined;
  #sid = "";
  #owner: string | undefined;
  #state: "connected" | "away" | "ended" = "away";
  #extended = false;
  #pings = 0;
  #pingAt = 0;
  /** Of the pings that have no answer, when the first was sent. */
  #unansweredSince = NEVER;
  /** Of the protocol's pings that the client has not answered, when the first was sent. */
  #pongDueSince = NEVER;
  #awayUntil = 0;
  #historyUntil = NEVER;

  constructor(services: SessionServices, identifiers: unknown) {
    const { commandsPerSecondMax } = services.limits;
    this.#services = services;
    this.identifiers = identifiers;
    this.#desk = new CommandDesk(services, this);
    this.presence = new SessionPresence({
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

  get identity(): Identity | undefined {
    return this.#connection?.identity;
  }

  /** The id of whoever is, or was last, at the other end: only they may go on with it. */
  get owner(): string | undefined {
    return this.#owner;
  }

  /** Whether a client may go on with it. */
  get resumable(): boolean {
    return this.#state !== "ended" && this.#extended;
  }

  /** How many subscriptions it has. */
  get size(): number {
    return this.#desk.subscriptions.size;
  }

  get connection(): object | undefined {
    return this.#connection;
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
    for (const subscription of this.#desk.subscriptions.values())
      if (!subscription.resumable) this.#desk.drop(subscription);
    this.send(frames.welcomeBack(this.#sid, [...this.#desk.subscriptions.keys()]));
    attempt(this.#services.notice, () => this.presence.resume());
    for (const subscription of this.#desk.subscriptions.values()) subscription.resume();
    this.#historyUntil = now() + HISTORY_WAIT_MS;
  }

  /** Takes in a frame of the client. Nothing is thrown. */
  receive(text: string): void {
    if (this.#state !== "connected") return;
    const { now, limits } = this.#services;
    this.#unansweredSince = NEVER;
    if (!this.#bucket.take(now())) {
      this.#expel(`more than ${limits.commandsPerSecondMax} commands a second`);
      return;
    }
    let command: Command;
    try {
      command = decodeCommand(text);
    } catch (error) {
      refused(this.#services.notice, error);
      return;
    }
    if (command.type === "pong") this.#pongDueSince = NEVER;
    else if (command.type === "ping") this.send(frames.PONG);
    else if (this.#desk.waiting >= limits.commandsWaitingMax)
      this.#expel(`more than ${limits.commandsWaitingMax} commands wait for a callback`);
    else if (this.#desk.waitingBytes >= limits.commandsWaitingBytesMax)
      this.#expel(`more than ${limits.commandsWaitingBytesMax} bytes of commands wait for a callback`);
    else this.#desk.post(command, Buffer.byteLength(text));
  }

  /** The connection has answered a ping: everything that was sent before it has arrived. */
  pong(number: number): void {
    this.#unansweredSince = NEVER;
    for (const subscription of this.#desk.subscriptions.values()) subscription.confirmed(number);
  }

  /** The connection is gone. Presence stays for its time to live, the session for longer. */
  lost(): void {
    if (this.#state !== "connected") return;
    const { now, durations } = this.#services;
    this.#connection?.outlet.terminate();
    this.#connection = undefined;
    this.#state = "away";
    this.#desk.clear();
    for (const subscription of this.#desk.subscriptions.values()) subscription.pause();
    attempt(this.#services.notice, () => this.presence.drop());
    this.#awayUntil = now() + (this.#extended ? durations.resumeMs : 0);
    if (!this.#extended) this.end();
  }

  /**
   * Tells the client to go, and ends the session: its presence stays for the time to live if the client is to come back,
   * as it does when it has renewed its token.
   */
  disconnect(reason: frames.DisconnectReason, reconnect: boolean, code: number = CLOSE.normal): void {
    const outlet = this.#connection?.outlet;
    if (reconnect || reason === "token_expired") this.presence.drop();
    this.end();
    outlet?.send(frames.disconnect(reason, reconnect));
    outlet?.close(code, reason);
  }

  /** Ends everything. What was dropped stays for its time. Idempotent. */
  end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#connection = undefined;
    this.#desk.clear();
    this.presence.close();
    for (const subscription of [...this.#desk.subscriptions.values()]) this.#desk.drop(subscription);
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
    if (time - this.#unansweredSince > durations.silentAfterMs) {
      this.lost();
      return;
    }
    if (
      durations.pongTimeoutMs > 0 &&
      this.#extended &&
      time - this.#pongDueSince > durations.pongTimeoutMs
    ) {
      this.disconnect("no_pong", true);
      return;
    }
    if (time >= this.#historyUntil) this.#goOnWithoutHistory();
    if (time < this.#pingAt) return;
    this.#pingAt = time + this.#connection.pingIntervalMs;
    this.#unansweredSince = Math.min(this.#unansweredSince, time);
    this.#pongDueSince = Math.min(this.#pongDueSince, time);
    const number = ++this.#pings;
    for (const subscription of this.#desk.subscriptions.values()) subscription.pinged(number);
    this.#connection.outlet.ping(number);
    this.send(frames.ping(wallClock(), this.#connection.pingPrecision));
  }

  /** This process stood still: what it did not hear in that time is nobody's fault. */
  excuse(): void {
    this.#unansweredSince = NEVER;
    if (this.#pongDueSince !== NEVER) this.#pongDueSince = this.#services.now();
  }

  // Moving between nodes.

  /** What another node needs to go on with it, while it is away. */
  export(): SessionState {
    const subscriptions = [...this.#desk.subscriptions.values()];
    return {
      identifiers: this.identifiers,
      sids: this.#sids,
      subscriptions: subscriptions.filter(({ portable }) => portable).map((one) => one.export()),
      presences: this.presence.list(),
    };
  }

  /** It lives on elsewhere: nothing of it is left here, and its application is not told of an end. */
  abandon(): void {
    this.#state = "ended";
    this.presence.close();
    for (const subscription of this.#desk.subscriptions.values()) subscription.end();
    this.#desk.subscriptions.clear();
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
      attempt(this.#services.notice, () => {
        subscription.import(state);
        this.#desk.subscriptions.set(identifier, subscription);
      });
    }
    const kept = (identifier: string) => this.#desk.subscriptions.has(identifier);
    attempt(this.#services.notice, () =>
      this.presence.adopt(presences.filter(({ joinedBy }) => joinedBy.some(kept))),
    );
  }

  #attach(connection: ConnectionOptions): void {
    const { now, random } = this.#services;
    this.#state = "connected";
    this.#connection = connection;
    this.#sid = connection.sid;
    this.#owner = connection.identity?.id;
    this.#sids.push(connection.sid);
    if (this.#sids.length > SIDS_MAX) this.#sids.shift();
    this.#extended = connection.extended;
    this.#unansweredSince = NEVER;
    this.#pongDueSince = NEVER;
    // Not all clients of a node that has just started are to be pinged at once.
    this.#pingAt = now() + connection.pingIntervalMs * (0.5 + random());
  }

  #goOnWithoutHistory(): void {
    this.#historyUntil = NEVER;
    for (const subscription of this.#desk.subscriptions.values())
      if (subscription.paused) subscription.goOnWithoutHistory();
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
