/** What a callback sees of its channel: one client's membership of one topic. */
import type { AnyMeta, Meta, MetaArgument, MetaUpdate } from "presently";
import { checkObject, checkString } from "presently/drop-in";
import type { ConnectionInfo } from "./connection-info.ts";
import type { Payload, Ref } from "./message.ts";
import type { PresenceEntry, PresenceMap, PresenceMeta } from "./presence-map.ts";
import type { Reply, ReplyRef } from "./reply.ts";

/** A new meta, or a function of the present one, which has its `phx_ref`. A new map replaces: nothing is merged. */
export type MetaChange<M extends object = Meta> = MetaUpdate<M, PresenceMeta<M>>;

/** What carries a channel. */
export interface ChannelControl {
  readonly topic: string;
  readonly joinRef: Ref;
  readonly params: Payload;
  readonly socketId: string | undefined;
  readonly info: ConnectionInfo;
  readonly closed: boolean;
  push(event: string, payload: Payload): void;
  broadcast(event: string, payload: Payload, toItself: boolean): void;
  replyRef(): ReplyRef;
  reply(ref: ReplyRef, reply: Reply): void;
  track(key: string | number, meta: Meta): string;
  untrack(key: string | number): void;
  update(key: string | number, change: MetaChange): string;
  pushPresenceState(): void;
  list(): Promise<PresenceMap>;
  getByKey(key: string | number): Promise<PresenceEntry | readonly []>;
  may(kind: "watch" | "publish" | "track", key?: string | number): Promise<boolean>;
  stop(): void;
}

/** One client's membership of one topic, which every callback is handed; it ends with the channel, and with it what it tracks. */
export class Channel<Assigns = unknown, M extends object = Meta> {
  /** What `connect` gave; a copy for this channel, that callbacks may change. */
  readonly assigns: Assigns;
  readonly #control: ChannelControl;

  constructor(control: ChannelControl, assigns: Assigns) {
    this.#control = control;
    this.assigns = assigns;
  }

  get topic(): string {
    return this.#control.topic;
  }

  get joinRef(): Ref {
    return this.#control.joinRef;
  }

  /** What the client joined with. Its own words: to be checked before use. */
  get params(): Payload {
    return this.#control.params;
  }

  /** The id of the connection, if the socket gives ids. */
  get socketId(): string | undefined {
    return this.#control.socketId;
  }

  /** How the client connected. */
  get info(): ConnectionInfo {
    return this.#control.info;
  }

  /** Whether it has ended: what is pushed is dropped then, and tracking is refused. */
  get closed(): boolean {
    return this.#control.closed;
  }

  /** Sends to this client only. During `join` it waits until the join is answered. @throws {FrameError} for names too long for a binary frame */
  push(event: string, payload: Payload = {}): void {
    checkString("event", event);
    this.#control.push(event, payload);
  }

  /** Sends to every client of the topic in the cluster, this one included. @throws {LimitError} beyond `broadcastBytesMax` of the node */
  broadcast(event: string, payload: Payload = {}): void {
    checkString("event", event);
    this.#control.broadcast(event, payload, true);
  }

  /** As `broadcast`, but not to this client. */
  broadcastFrom(event: string, payload: Payload = {}): void {
    checkString("event", event);
    this.#control.broadcast(event, payload, false);
  }

  /** Names the message that is being handled, so that it can be answered after the handler returned without a reply. */
  replyRef(): ReplyRef {
    return this.#control.replyRef();
  }

  /** Answers a message by its `replyRef`. Dropped if the client is gone. */
  reply(ref: ReplyRef, reply: Reply): void {
    checkObject("ref", ref);
    this.#control.reply(ref, reply);
  }

  /**
   * Makes the key present on this topic for as long as the channel lives. One channel may hold many keys.
   *
   * @returns its `phx_ref`
   * @throws {AlreadyTrackedError} if this channel tracks the key already
   * @throws {LimitError} {InvalidArgumentError} as `session.track` of the node
   */
  track(key: string | number, ...meta: MetaArgument<M>): string;
  track(key: string | number, meta: AnyMeta = {}): string {
    return this.#control.track(key, meta);
  }

  /** Takes it away; nothing happens if it is not tracked. */
  untrack(key: string | number): void {
    this.#control.untrack(key);
  }

  /** Replaces its meta: one diff. @returns the new `phx_ref` @throws {NoPresenceError} if this channel does not track the key */
  update(key: string | number, change: MetaChange<M>): string;
  update(key: string | number, change: AnyMeta): string {
    return this.#control.update(key, change);
  }

  /** Sends `presence_state` again, in order with the diffs. It is sent once after each join without being asked for. */
  pushPresenceState(): void {
    this.#control.pushPresenceState();
  }

  /** Everybody who is present on the topic, as `fetch` shows them. */
  list(): Promise<PresenceMap<M>>;
  list(): Promise<PresenceMap<AnyMeta>> {
    return this.#control.list();
  }

  /** One key of the list; `[]` if it is absent. */
  getByKey(key: string | number): Promise<PresenceEntry<M> | readonly []>;
  getByKey(key: string | number): Promise<PresenceEntry<AnyMeta> | readonly []> {
    return this.#control.getByKey(key);
  }

  /**
   * Whether this client may do it on this topic, by the node's `access`; without that always true. What a channel does by
   * itself is its own word, and not asked about: ask before you `track` a key, or `broadcast`, that the client chose. To
   * `track` it takes the key under which the client would be present.
   */
  may(kind: "watch" | "publish"): Promise<boolean>;
  may(kind: "track", key: string | number): Promise<boolean>;
  may(kind: "watch" | "publish" | "track", key?: string | number): Promise<boolean> {
    return this.#control.may(kind, key);
  }

  /** Ends the channel: the client is told that it is closed, and does not rejoin. */
  stop(): void {
    this.#control.stop();
  }
}
