/**
 * One client's membership of one topic, from the join to the end: what Phoenix runs as a process.
 *
 *     joining --(join answers ok)--> joined --(leave, stop, crash, connection gone, joined again)--> closed
 *        \--(join answers error, or throws)---------------------------------------------------------->/
 *
 * Callbacks run one after the other, in the order of the messages.
 */

import { LimitError } from "presently";
import { Mailbox, reportRejection } from "presently/drop-in";
import { Channel } from "./channel.ts";
import { ChannelCalls } from "./channel-calls.ts";
import type { EndReason } from "./channel-definition.ts";
import type { ChannelServerOptions } from "./channel-host.ts";
import { ChannelOutlet } from "./channel-outlet.ts";
import { ChannelPresence } from "./channel-presence.ts";
import type { Frame } from "./frame.ts";
import { type EncodedJson, EVENT, type Message, type Payload, type Ref } from "./message.ts";
import type { Callback } from "./notice.ts";
import { type Answer, answerOf, type ReplyRef } from "./reply.ts";
import { settle } from "./settle.ts";
import type { SharedBroadcast } from "./shared-broadcast.ts";
import type { Member, Topic } from "./topic.ts";

/** Tasks that may wait for a slow callback. */
const WAITING_MAX = 1_000;

export class ChannelServer implements Member {
  readonly id: string;
  readonly topic: string;
  /** What the topic is called in the cluster. */
  readonly room: string;
  readonly joinRef: Ref;
  readonly params: Payload;
  readonly #options: ChannelServerOptions;
  readonly #channel: Channel<unknown>;
  readonly #mailbox = new Mailbox();
  readonly #outlet: ChannelOutlet;
  readonly #presence: ChannelPresence;
  readonly #held: Topic;
  #state: "joining" | "joined" | "closed" = "joining";
  #stateSent = false;
  #handling: ReplyRef | undefined;
  /** Of its join, and of the messages that wait. */
  #heldBytes: number;

  constructor(options: ChannelServerOptions) {
    const { host, message, services, definition, assigns, farewells } = options;
    this.#options = options;
    this.#heldBytes = options.bytes;
    this.id = services.exchange.memberId();
    this.topic = message.topic;
    this.joinRef = message.joinRef;
    this.params = message.payload;
    this.room = options.room;
    this.#outlet = new ChannelOutlet(host, message, farewells);
    const tracker = services.newTracker();
    this.#held = services.exchange.hold(this.room, this.topic);
    this.#presence = new ChannelPresence({
      topic: this.room,
      held: this.#held,
      member: this,
      tracker,
      definition: definition.presence,
    });
    const calls = new ChannelCalls({
      server: this,
      host,
      services,
      outlet: this.#outlet,
      presence: this.#presence,
    });
    this.#channel = new Channel<unknown>(calls, copyOf(assigns));
    services.presence.adopt(this.#channel, tracker);
  }

  /** What the client has to be allowed before it gets to the application; undefined where that asks itself. */
  get #permissions() {
    const { services, definition } = this.#options;
    return definition.asksItself ? undefined : services.permissions;
  }

  get state(): "joining" | "joined" | "closed" {
    return this.#state;
  }

  /** The message that is being handled. */
  get handling(): ReplyRef | undefined {
    return this.#handling;
  }

  /** Farewells that have not been sent yet, for whoever takes this one's place. */
  get farewells(): readonly Frame[] {
    return this.#outlet.farewells;
  }

  /** The frame that tells the client that this channel is no more. */
  get closeFrame(): Frame {
    return this.#outlet.closeFrame;
  }

  // What the connection calls.

  /** Begins. Whoever is told that it has joined gets what is broadcast from then on, at whichever node. */
  start(): void {
    this.#post(() => this.#held.whenEffective());
    this.#post(() => (this.#permissions === undefined ? this.#join() : this.#joinIfAllowed()));
  }

  /** Takes in a message of the client, which had so many bytes. */
  receive(message: Message, bytes: number): void {
    if (this.#state === "closed") return;
    this.#heldBytes += bytes;
    if (!this.#options.host.hold(bytes)) {
      this.#options.host.overloaded(this.topic);
      return;
    }
    this.#post(() => {
      this.#heldBytes -= bytes;
      this.#options.host.letGo(bytes);
      if (message.event === EVENT.leave) return this.#leave(message);
      return this.#needsPermission(message.event) ? this.#handleIfAllowed(message) : this.#handle(message);
    });
  }

  /** Ends the channel without telling the client. What it tracks is untracked, unless the node hands it off. */
  end(reason: EndReason): void {
    if (this.#state === "closed") return;
    const wasJoined = this.#state === "joined";
    this.#state = "closed";
    this.#mailbox.clear();
    this.#options.host.letGo(this.#heldBytes);
    this.#outlet.close();
    this.#presence.end(reason);
    this.#options.host.ended(this);
    const { terminate } = this.#options.definition;
    if (!wasJoined || terminate === undefined) return;
    const failed = (error: unknown) => this.#report("terminate", error);
    this.#mailbox.post(() => settle(() => terminate(reason, this.#channel), ignore, failed));
  }

  // What the topic calls.

  deliver(broadcast: SharedBroadcast): void {
    if (this.#state === "closed") return;
    const { definition, host } = this.#options;
    const { handleOut } = definition;
    const intercept =
      handleOut !== undefined && Object.hasOwn(handleOut, broadcast.event)
        ? handleOut[broadcast.event]
        : undefined;
    if (intercept !== undefined) {
      const failed = (error: unknown) => this.#crash("handleOut", error, broadcast.event);
      this.#post(() => settle(() => intercept(broadcast.value, this.#channel), ignore, failed));
      return;
    }
    const frame = broadcast.frameFor(host.serializer, this.joinRef, this.topic);
    if (frame !== undefined) this.#outlet.send(frame);
    else {
      const message = `a broadcast of bytes has no frame for a client of version ${host.serializer.version}`;
      const { event } = broadcast;
      const { topic } = this;
      this.#options.services.notice({ type: "undeliverable", level: "debug", message, topic, event });
    }
  }

  pushState(state: EncodedJson): void {
    this.#outlet.push(EVENT.state, state);
    // The client applies diffs of its earlier join to the first state. The second one takes back what they did.
    if (this.#options.confusesJoins && !this.#stateSent) this.#outlet.push(EVENT.state, state);
    this.#stateSent = true;
  }

  /** Ends the channel, and tells the client so, which does not join again. */
  stop(): void {
    if (this.#state === "closed") return;
    this.end("stopped");
    this.#outlet.sendNow(this.closeFrame);
  }

  // The join.

  #join(): undefined | Promise<void> {
    return settle<unknown>(
      () => this.#options.definition.join?.(this.params, this.#channel),
      (result) => this.#joinAnswered(result === undefined ? { ok: {} } : result),
      (error) => this.#joinFailed(error),
    );
  }

  async #joinIfAllowed(): Promise<void> {
    if (!(await this.#channel.may("watch"))) {
      this.#joinAnswered({ error: { reason: "unauthorized" } });
      return;
    }
    // The client may have gone meanwhile.
    if (this.state !== "closed") await this.#join();
    if (this.state !== "joined") return;
    const key = this.#joinerKey();
    if (key !== undefined && (await this.#channel.may("track", key)) && this.state === "joined")
      this.#trackJoiner(key);
  }

  #joinAnswered(result: unknown): void {
    if (this.#state === "closed") return;
    let answer: Answer;
    let frame: Frame;
    try {
      answer = answerOf(result);
      frame = this.#outlet.joinFrame(answer);
      // What the topic sends from here on waits behind the answer.
      if (answer.status === "ok") this.#presence.enter(this.#channel, this.params);
    } catch (error) {
      this.#joinFailed(error);
      return;
    }
    this.#outlet.answerJoin(frame);
    if (answer.status === "ok") this.#entered();
    else this.end("stopped");
  }

  #entered(): void {
    this.#state = "joined";
    this.#outlet.open();
    if (this.#permissions !== undefined) return;
    const key = this.#joinerKey();
    if (key !== undefined) this.#trackJoiner(key);
  }

  #joinerKey(): string | number | undefined {
    try {
      const key = this.#presence.keyOf(this.#channel, this.params);
      reportRejection(key, (error) => this.#crash("presence", error));
      return key;
    } catch (error) {
      this.#crash("presence", error);
      return undefined;
    }
  }

  #trackJoiner(key: string | number): void {
    try {
      this.#presence.trackJoiner(key, this.#channel, this.params);
    } catch (error) {
      this.#crash("presence", error);
    }
  }

  #joinFailed(error: unknown): void {
    if (this.#state === "closed") return;
    this.#report("join", error);
    // A bound that is reached is no fault of the application, and its client may come again when there is room.
    const reason = error instanceof LimitError ? error.message : "join crashed";
    const answer: Answer = { status: "error", payload: { reason } };
    this.#outlet.answerJoin(this.#outlet.joinFrame(answer));
    this.end("crashed");
  }

  // Messages.

  /** Whether the client must be allowed to publish. What `publishes` throws ends the channel. */
  #needsPermission(event: string): boolean {
    const { definition } = this.#options;
    if (this.#permissions === undefined) return false;
    try {
      return definition.publishes?.(event) !== false;
    } catch (error) {
      this.#crash("publishes", error, event);
      return true;
    }
  }

  async #handleIfAllowed(message: Message): Promise<void> {
    const isAllowed = await this.#channel.may("publish");
    if (this.state !== "joined") return;
    if (isAllowed) await this.#handle(message);
    else this.#outlet.answer(message, { status: "error", payload: { reason: "unauthorized" } });
  }

  #handle({ joinRef, ref, topic, event, payload }: Message): undefined | Promise<void> {
    const { handleIn } = this.#options.definition;
    const handling: ReplyRef = { joinRef, ref, topic };
    this.#handling = handling;
    return settle<unknown>(
      () => {
        if (typeof handleIn === "function") return handleIn(event, payload, this.#channel);
        if (handleIn !== undefined && Object.hasOwn(handleIn, event))
          return handleIn[event]!(payload, this.#channel);
        return { error: { reason: "unhandled event" } };
      },
      (result) => {
        this.#handling = undefined;
        if (result === undefined || this.#state === "closed") return;
        try {
          this.#outlet.answer(handling, answerOf(result));
        } catch (error) {
          this.#crash("handleIn", error, event);
        }
      },
      (error) => {
        this.#handling = undefined;
        this.#crash("handleIn", error, event);
      },
    );
  }

  #leave({ ref }: Message): undefined {
    const { joinRef, topic } = this;
    this.#outlet.answer({ joinRef, ref, topic }, { status: "ok", payload: {} });
    this.end("left");
    this.#outlet.sendNow(this.closeFrame);
    return undefined;
  }

  #crash(callback: Callback, error: unknown, event?: string): void {
    this.#report(callback, error, event);
    if (this.#state === "closed") return;
    this.end("crashed");
    this.#outlet.sendNow(this.#outlet.crashFrame);
  }

  // Helpers.

  #post(task: () => undefined | Promise<void>): void {
    if (this.#state === "closed") return;
    if (this.#mailbox.size >= WAITING_MAX) this.#options.host.overloaded(this.topic);
    else this.#mailbox.post(task);
  }

  #report(callback: Callback, error: unknown, event?: string): void {
    const { topic } = this;
    const message = `${callback} failed in a channel of topic ${JSON.stringify(topic)}`;
    const named = event === undefined ? {} : { event };
    this.#options.services.notice({
      type: "callback-failed",
      level: error instanceof LimitError ? "warn" : "error",
      message,
      callback,
      topic,
      ...named,
      error,
    });
  }
}

function copyOf(assigns: unknown): unknown {
  const isPlain =
    typeof assigns === "object" && assigns !== null && Object.getPrototypeOf(assigns) === Object.prototype;
  return isPlain ? { ...assigns } : assigns;
}

function ignore(): void {}
