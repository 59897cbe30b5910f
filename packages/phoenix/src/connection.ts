/** One connected client, on whatever transport: its channels, and the bounds on what it may do. */
import type { PresentlyNode } from "presently";
import { TokenBucket } from "presently/drop-in";
import type { ChannelDefinition, EndReason } from "./channel-definition.ts";
import type { ChannelHost, ChannelServices } from "./channel-host.ts";
import { ChannelServer } from "./channel-server.ts";
import { CLOSE } from "./close-code.ts";
import type { ConnectionInfo } from "./connection-info.ts";
import { FrameError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { Limits } from "./limits.ts";
import { EVENT, type Message, PROTOCOL_TOPIC, type Ref } from "./message.ts";
import type { Serializer } from "./serializer.ts";

const RESTART = "the server restarts";

/** The transport's side of a connection. */
export interface Outlet {
  /** Whether binary frames reach the client. */
  readonly takesBinary: boolean;
  send(frame: Frame): void;
  /** Closes the transport; called at most once. */
  close(code: number, reason: string): void;
}

export interface ConnectionServices extends ChannelServices {
  readonly node: PresentlyNode;
  // biome-ignore lint/suspicious/noExplicitAny: the channels of one socket share one type of assigns, which only the socket knows.
  readonly definitionOf: (topic: string) => ChannelDefinition<any, any> | undefined;
  /** Whether nobody may join a topic, whatever its channel says. */
  readonly isReserved: (topic: string) => boolean;
  readonly limits: Limits;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** The connection is over. */
  readonly ended: (connection: Connection) => void;
}

export interface ConnectionOptions {
  readonly services: ConnectionServices;
  readonly outlet: Outlet;
  readonly serializer: Serializer;
  readonly info: ConnectionInfo;
  readonly assigns: unknown;
  readonly socketId: string | undefined;
}

export class Connection implements ChannelHost {
  readonly serializer: Serializer;
  readonly info: ConnectionInfo;
  readonly socketId: string | undefined;
  readonly #services: ConnectionServices;
  readonly #outlet: Outlet;
  readonly #assigns: unknown;
  readonly #channels = new Map<string, ChannelServer>();
  readonly #messages: TokenBucket;
  readonly #joins: TokenBucket;
  #heldBytes = 0;
  /** Whether a channel has ended while the connection goes on. */
  #hasLeft = false;
  #open = true;

  constructor({ services, outlet, serializer, info, assigns, socketId }: ConnectionOptions) {
    const { messagesPerSecondMax, joinsPerSecondMax, channelsPerConnectionMax } = services.limits;
    const now = services.now();
    this.#services = services;
    this.#outlet = outlet;
    this.#assigns = assigns;
    this.serializer = serializer;
    this.info = info;
    this.socketId = socketId;
    this.#messages = new TokenBucket(
      { burst: 2 * messagesPerSecondMax, perSecond: messagesPerSecondMax },
      now,
    );
    // A client that connects again joins all its channels again at once.
    this.#joins = new TokenBucket({ burst: channelsPerConnectionMax, perSecond: joinsPerSecondMax }, now);
    if (socketId !== undefined) services.exchange.identify(socketId, this);
  }

  get open(): boolean {
    return this.#open;
  }

  /** How many channels it has. */
  get size(): number {
    return this.#channels.size;
  }

  // What the transport calls.

  /** Takes in a frame. What is no message closes the connection; nothing is thrown. */
  receive(content: string | Uint8Array): void {
    if (!this.#open || !this.mayAsk()) return;
    let message: Message;
    try {
      message =
        typeof content === "string"
          ? this.serializer.decodeText(content)
          : this.serializer.decodeBinary(content);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.close(CLOSE.malformed, error.message);
      return;
    }
    this.#dispatch(message, Buffer.byteLength(content));
  }

  /** Counts a message, or what costs as much, such as a poll. Too many close the connection; the answer is false then. */
  mayAsk(): boolean {
    if (this.#messages.take(this.#services.now())) return true;
    const { messagesPerSecondMax } = this.#services.limits;
    this.close(CLOSE.policy, `more than ${messagesPerSecondMax} messages a second`);
    return false;
  }

  /** The transport is gone: all channels end, as one change. Idempotent. */
  lost(): void {
    this.#end("closed");
  }

  /** The transport has closed itself, for what the client sent. */
  broken(code: number, reason: string): void {
    if (this.#open) this.#noteDrop(code, reason);
    this.#end("disconnected");
  }

  // What others call.

  /** Ends the channels, tells the client why, and closes the transport. Idempotent. */
  close(code: number, reason: string): void {
    if (!this.#open) return;
    if (code !== CLOSE.goingAway && code !== CLOSE.restart) this.#noteDrop(code, reason);
    this.#end("disconnected");
    this.#outlet.close(code, reason);
  }

  /** The client's identity counts no more: it connects again, as somebody who is known. */
  expire(): void {
    if (!this.#open) return;
    this.#end("expired");
    this.#outlet.close(CLOSE.expired, "the token has expired");
  }

  disconnect(): void {
    this.close(CLOSE.goingAway, "disconnected");
  }

  /** Sends the client to another node. */
  restart(): void {
    this.close(CLOSE.restart, RESTART);
  }

  /** As `restart`, but what was tracked stays, until the node stops and hands it off. */
  drain(): void {
    if (!this.#open) return;
    this.#end("drained");
    this.#outlet.close(CLOSE.restart, RESTART);
  }

  // What channels call.

  send(frame: Frame): void {
    if (!this.#open) return;
    if (this.#outlet.takesBinary || !frame.isBinary) this.#outlet.send(frame);
    else {
      const message = "a binary frame was not sent to a long-polling client, which takes text only";
      this.#services.notice({ type: "undeliverable", level: "debug", message });
    }
  }

  hold(bytes: number): boolean {
    this.#heldBytes += bytes;
    return this.#heldBytes <= this.#services.limits.heldBytesMax;
  }

  letGo(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  ended(server: ChannelServer): void {
    this.#hasLeft = true;
    if (this.#channels.get(server.topic) === server) this.#channels.delete(server.topic);
  }

  overloaded(topic: string): void {
    this.close(CLOSE.policy, `too much waits for the callbacks of topic ${JSON.stringify(topic)}`);
  }

  #noteDrop(code: number, reason: string): void {
    const message = `a client was disconnected with code ${code}: ${reason}`;
    this.#services.notice({ type: "connection-dropped", level: "warn", message, code });
  }

  #end(reason: EndReason): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.socketId !== undefined) this.#services.exchange.forget(this.socketId, this);
    this.#services.node.batch(() => {
      for (const server of [...this.#channels.values()]) server.end(reason);
    });
    this.#services.ended(this);
  }

  #dispatch(message: Message, bytes: number): void {
    const { joinRef, ref, topic, event } = message;
    if (topic === PROTOCOL_TOPIC && event === EVENT.heartbeat) {
      this.#reply({ joinRef, ref, topic }, "ok", {});
      return;
    }
    if (event === EVENT.join) {
      this.#join(message, bytes);
      return;
    }
    const server = this.#channels.get(topic);
    if (server === undefined) {
      // A leave that comes after the end of its channel has what it wants.
      if (event === EVENT.leave) this.#reply({ joinRef, ref, topic }, "ok", {});
      else this.#refuse({ joinRef: null, ref, topic }, "unmatched topic");
      return;
    }
    // A message for an earlier join of this topic.
    if (joinRef !== null && joinRef !== server.joinRef) return;
    server.receive(message, bytes);
  }

  #join(message: Message, bytes: number): void {
    const { joinRef, ref, topic } = message;
    const { definitionOf, isReserved, limits, node, now } = this.#services;
    const definition = topic === "" ? undefined : definitionOf(topic);
    const current = this.#channels.get(topic);
    if (definition === undefined) this.#refuse({ joinRef: null, ref, topic }, "unmatched topic");
    else if (isReserved(topic)) this.#refuse({ joinRef, ref, topic }, "unauthorized");
    else if (Buffer.byteLength(topic) > limits.topicBytesMax)
      this.#refuse({ joinRef, ref, topic }, `topic longer than ${limits.topicBytesMax} bytes`);
    else if (current === undefined && this.#channels.size >= limits.channelsPerConnectionMax)
      this.#refuse({ joinRef, ref, topic }, "too many channels joined");
    else if (this.#heldBytes + bytes > limits.heldBytesMax)
      this.#refuse({ joinRef, ref, topic }, `channels hold more than ${limits.heldBytesMax} bytes`);
    else if (!this.#joins.take(now())) this.#refuse({ joinRef, ref, topic }, "too many joins");
    // Whoever joins again is seen to leave and to come in one diff.
    else node.batch(() => this.#start(message, bytes, definition, current));
  }

  #start(
    message: Message,
    bytes: number,
    definition: ChannelDefinition<unknown>,
    current: ChannelServer | undefined,
  ): void {
    const farewells = current === undefined ? [] : [...current.farewells, current.closeFrame];
    current?.end("duplicate_join");
    this.hold(bytes);
    const server = new ChannelServer({
      host: this,
      services: this.#services,
      definition,
      room: definition.room?.(message.topic, message.payload) ?? message.topic,
      assigns: this.#assigns,
      message,
      bytes,
      farewells,
      confusesJoins: this.#hasLeft && (this.serializer.underJoin === undefined || message.joinRef === null),
    });
    this.#channels.set(message.topic, server);
    server.start();
  }

  #refuse(to: { joinRef: Ref; ref: Ref; topic: string }, reason: string): void {
    this.#reply(to, "error", { reason });
  }

  #reply(to: { joinRef: Ref; ref: Ref; topic: string }, status: string, payload: object): void {
    this.send(this.serializer.reply({ ...to, status, payload }));
  }
}
