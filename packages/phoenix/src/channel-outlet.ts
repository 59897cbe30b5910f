/**
 * What one channel sends to its client. The answer to the join is the first thing that the client hears of the topic:
 * what is sent before it waits here.
 */
import type { ChannelHost } from "./channel-host.ts";
import type { Frame } from "./frame.ts";
import { EVENT, type Message, type Payload, type Ref } from "./message.ts";
import type { Answer, ReplyRef } from "./reply.ts";

/** Frames that may wait for the answer to a join. */
const WAITING_MAX = 1_000;

export class ChannelOutlet {
  readonly #host: ChannelHost;
  readonly #join: Message;
  #state: "waiting" | "open" | "closed" = "waiting";
  #waiting: Frame[] = [];
  #farewells: readonly Frame[];

  /** @param farewells of the channels that this one takes the place of: sent behind the answer to the join */
  constructor(host: ChannelHost, join: Message, farewells: readonly Frame[]) {
    this.#host = host;
    this.#join = join;
    this.#farewells = farewells;
  }

  /** Farewells that have not been sent yet, for whoever takes this one's place. */
  get farewells(): readonly Frame[] {
    return this.#farewells;
  }

  /** Tells the client that this channel is no more, and not to come again. */
  get closeFrame(): Frame {
    return this.#ownFrame(EVENT.close, {}, this.#joinName);
  }

  /** Tells the client that this channel has failed; it joins again. */
  get crashFrame(): Frame {
    return this.#ownFrame(EVENT.error, { reason: "channel_crash" }, this.#joinName);
  }

  /** What the client knows its join by. In version 1 it has no other name than its own reference. */
  get #joinName(): Ref {
    return this.#join.joinRef ?? this.#join.ref;
  }

  /** @throws {FrameError} {TypeError} for an answer that has no frame */
  joinFrame({ status, payload }: Answer): Frame {
    const { joinRef, ref, topic } = this.#join;
    return this.#host.serializer.reply({ joinRef, ref, topic, status, payload });
  }

  /** @throws as `joinFrame` */
  push(event: string, payload: Payload): void {
    if (this.#state !== "closed") this.send(this.#ownFrame(event, payload));
  }

  /** Answers a message. @throws as `joinFrame` */
  answer({ joinRef, ref, topic }: ReplyRef, { status, payload }: Answer): void {
    this.sendNow(this.#host.serializer.reply({ joinRef, ref, topic, status, payload }));
  }

  /** In its turn: behind the answer to the join. */
  send(frame: Frame): void {
    if (this.#state === "open") this.#host.send(frame);
    else if (this.#state === "closed") return;
    else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(frame);
    else this.#host.overloaded(this.#join.topic);
  }

  /** Whatever waits. */
  sendNow(frame: Frame): void {
    this.#host.send(frame);
  }

  /** Sends the answer to the join, and the farewells behind it. */
  answerJoin(frame: Frame): void {
    this.#host.send(frame);
    for (const farewell of this.#farewells) this.#host.send(farewell);
    this.#farewells = [];
  }

  /** The client is in: what waited goes out. */
  open(): void {
    this.#state = "open";
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const frame of waiting) this.#host.send(frame);
  }

  /** Forgets what waits. */
  close(): void {
    this.#state = "closed";
    this.#waiting = [];
  }

  #ownFrame(event: string, payload: Payload, ref: Ref = null): Frame {
    const { joinRef, topic } = this.#join;
    return this.#host.serializer.push({ joinRef, ref, topic, event, payload });
  }
}
