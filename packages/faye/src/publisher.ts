/**
 * Publishes what this plug-in has to say through the client that the application gave it, and recognises it at the
 * server: neither is it sent on to other nodes once more, nor can a client of the outside pretend to be us.
 *
 * A message goes out with a stand-in for its data. Our extension of the client, which sees the message first, puts the
 * data in its place and a token of one use into `ext`; our extension of the server, which sees it last, takes the token
 * out. Extensions of the application in between see an ordinary message.
 */
import { randomUUID } from "node:crypto";
import type { FayeClient, FayeExtension, FayeMessage } from "./faye.ts";
import type { NoticeListener } from "./notice.ts";
import { isMap } from "./request.ts";

/** What is to be published. */
class StandIn {
  readonly data: unknown;
  readonly ext: unknown;

  constructor(data: unknown, ext: unknown) {
    this.data = data;
    this.ext = ext;
  }
}

/** In the place of the data of a message that is to be the last one of a client of the server. */
class Farewell {
  readonly clientId: string;

  constructor(clientId: string) {
    this.clientId = clientId;
  }
}

export interface PublisherOptions {
  readonly client: FayeClient;
  /** Messages that wait for the client, or are on their way from it to the server; beyond it the oldest is given up. */
  readonly pendingMax: number;
  readonly notice: NoticeListener;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #secret = randomUUID();
  readonly #pending = new Map<string, StandIn>();
  #number = 0;
  #state: "unconnected" | "connecting" | "connected" = "unconnected";
  /** A client that is not connected yet sends its first message after the second: they wait here instead. */
  #waiting: [channel: string, standIn: StandIn][] = [];
  readonly #extension: FayeExtension = {
    outgoing: (message, _request, callback) => {
      if (message.data instanceof StandIn) this.#stamp(message, message.data);
      else if (message.data instanceof Farewell) {
        message.channel = "/meta/disconnect";
        message.clientId = message.data.clientId;
        delete message.data;
      }
      callback(message);
    },
  };

  constructor(options: PublisherOptions) {
    this.#options = options;
    options.client.addExtension(this.#extension);
  }

  /** Publishes at this server, and tells the operator if that fails. In order. */
  publish(channel: string, data: unknown, ext?: unknown): void {
    const standIn = new StandIn(data, ext);
    if (this.#state === "connected") {
      this.#send(channel, standIn);
      return;
    }
    if (this.#waiting.length >= this.#options.pendingMax) this.#waiting.shift();
    this.#waiting.push([channel, standIn]);
    if (this.#state === "connecting") return;
    this.#state = "connecting";
    this.#options.client.connect(() => {
      this.#state = "connected";
      for (const [to, message] of this.#waiting.splice(0)) this.#send(to, message);
    });
  }

  /** Ends a client of this server, as if it had said so itself: Faye closes its connection, and it is present nowhere. */
  dismiss(clientId: string): void {
    // One that has gone in the meantime is unknown to Faye, which is as well.
    this.#options.client.publish("/presently/farewell", new Farewell(clientId)).then(null, () => undefined);
  }

  /**
   * Whether the message is one of ours; then it is made what it was meant to be, whatever extensions did to it: those
   * of the node that it comes from have done their part already.
   */
  claim(message: FayeMessage): boolean {
    const token = isMap(message.ext) ? message.ext.presently : undefined;
    const standIn = typeof token === "string" ? this.#pending.get(token) : undefined;
    if (standIn === undefined) return false;
    this.#pending.delete(token as string);
    message.data = standIn.data;
    if (standIn.ext === undefined) delete message.ext;
    else message.ext = standIn.ext;
    return true;
  }

  close(): void {
    this.#options.client.removeExtension(this.#extension);
    this.#pending.clear();
    this.#waiting = [];
  }

  #send(channel: string, standIn: StandIn): void {
    const { client, notice } = this.#options;
    client.publish(channel, standIn).then(null, (reason) => {
      const error = isMap(reason) ? reason.message : reason;
      const message = `a message on ${channel} was refused by this server: ${String(error)}`;
      notice({ type: "publish-failed", level: "warn", message, channel, error: reason });
    });
  }

  #stamp(message: FayeMessage, standIn: StandIn): void {
    const token = `${this.#secret} ${this.#number++}`;
    const [oldest] = this.#pending.size < this.#options.pendingMax ? [] : this.#pending.keys();
    if (oldest !== undefined) this.#pending.delete(oldest);
    this.#pending.set(token, standIn);
    message.data = standIn.data;
    message.ext = {
      ...(isMap(message.ext) ? message.ext : {}),
      ...(isMap(standIn.ext) ? standIn.ext : {}),
      presently: token,
    };
  }
}
