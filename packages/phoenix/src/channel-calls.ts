/** What a callback asks of its channel. */
import { ClosedError, InvalidArgumentError, type Meta } from "presently";
import type { ChannelControl, MetaChange } from "./channel.ts";
import type { ChannelHost, ChannelServices } from "./channel-host.ts";
import type { ChannelOutlet } from "./channel-outlet.ts";
import type { ChannelPresence } from "./channel-presence.ts";
import type { ChannelServer } from "./channel-server.ts";
import type { ConnectionInfo } from "./connection-info.ts";
import type { Payload, Ref } from "./message.ts";
import type { PresenceEntry, PresenceMap } from "./presence-map.ts";
import { answerOf, type Reply, type ReplyRef } from "./reply.ts";

export interface ChannelCallsOptions {
  readonly server: ChannelServer;
  readonly host: ChannelHost;
  readonly services: ChannelServices;
  readonly outlet: ChannelOutlet;
  readonly presence: ChannelPresence;
}

export class ChannelCalls implements ChannelControl {
  readonly #options: ChannelCallsOptions;

  constructor(options: ChannelCallsOptions) {
    this.#options = options;
  }

  get topic(): string {
    return this.#options.server.topic;
  }

  get joinRef(): Ref {
    return this.#options.server.joinRef;
  }

  get params(): Payload {
    return this.#options.server.params;
  }

  get socketId(): string | undefined {
    return this.#options.host.socketId;
  }

  get info(): ConnectionInfo {
    return this.#options.host.info;
  }

  get closed(): boolean {
    return this.#options.server.state === "closed";
  }

  push(event: string, payload: Payload): void {
    this.#options.outlet.push(event, payload);
  }

  broadcast(event: string, payload: Payload, toItself: boolean): void {
    const { server, services } = this.#options;
    services.exchange.broadcast(server.room, event, payload, toItself ? "" : server.id);
  }

  replyRef(): ReplyRef {
    const { handling } = this.#options.server;
    if (handling === undefined)
      throw new InvalidArgumentError("replyRef", "may be asked for while a message is handled only");
    return handling;
  }

  reply(ref: ReplyRef, reply: Reply): void {
    const answer = answerOf(reply);
    if (!this.closed) this.#options.outlet.answer(ref, answer);
  }

  track(key: string | number, meta: Meta): string {
    this.#assertOpen();
    const { server, presence } = this.#options;
    // Asked for first, so that the client sees itself come, whenever the state reaches it.
    if (server.state === "joining") presence.attach();
    return presence.track(key, meta);
  }

  untrack(key: string | number): void {
    this.#options.presence.untrack(key);
  }

  update(key: string | number, change: MetaChange): string {
    this.#assertOpen();
    return this.#options.presence.update(key, change);
  }

  pushPresenceState(): void {
    if (!this.closed) this.#options.presence.attachAgain();
  }

  list(): Promise<PresenceMap> {
    return this.#options.services.presence.list(this.#options.server.room);
  }

  getByKey(key: string | number): Promise<PresenceEntry | readonly []> {
    return this.#options.services.presence.getByKey(this.#options.server.room, key);
  }

  async may(kind: "watch" | "publish" | "track", key: string | number = ""): Promise<boolean> {
    const { permissions } = this.#options.services;
    const { room } = this.#options.server;
    if (permissions === undefined) return true;
    const { identity } = this.info;
    return kind === "track"
      ? permissions.track(identity, room, String(key))
      : permissions[kind](identity, room);
  }

  stop(): void {
    this.#options.server.stop();
  }

  #assertOpen(): void {
    if (this.closed) throw new ClosedError("this channel");
  }
}
