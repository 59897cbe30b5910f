/** The local owner of presences: a socket, a process. Closing it takes away everything that it tracked. */
import { checkFunction, checkInteger, checkOptions, checkString } from "./arguments.ts";
import type { Entry } from "./entry.ts";
import { type EntryHolder, heldCount } from "./entry-bag.ts";
import { ClosedError } from "./errors.ts";
import { callListener } from "./listener-call.ts";
import type { LocalPresences } from "./local-presences.ts";
import type { AnyMeta, Meta, MetaArgument, MetaAt, MetaUpdate, Presence } from "./presence.ts";

/** What becomes of a session's presences when its connection breaks. */
export interface SessionOptions {
  /** How long what it tracks stays after `drop`. Default 0 ms: `drop` is `close`. */
  readonly lingerMs?: number;
}

const OPTIONS: readonly (keyof SessionOptions)[] = ["lingerMs"];

/** A session with metas of whatever type. */
export type AnySession = Session<AnyMeta>;

/** The local owner of presences, a socket for example; made by `session()`. Closing it takes away all that it tracks. */
export class Session<M extends object = Meta> implements EntryHolder {
  /** Kept by `LocalPresences`. */
  held: Entry | Set<Entry> | undefined = undefined;
  /** How long what it tracks stays after `drop`. */
  lingerMs: number;
  private state: "open" | "dropped" | "closed" = "open";
  private readonly owner: LocalPresences;
  private removedListeners: Set<(presence: Presence<AnyMeta>) => void> | undefined = undefined;

  /** @throws {InvalidArgumentError} for an option that cannot be used */
  constructor(owner: LocalPresences, options: SessionOptions = {}) {
    checkOptions(options, OPTIONS);
    const { lingerMs = 0 } = options;
    this.owner = owner;
    checkInteger("lingerMs", lingerMs, 0);
    this.lingerMs = lingerMs;
  }

  /**
   * Makes `key` present on `topic`, visible here at once and on the other nodes within the flush interval. One session,
   * one topic, one key: one entry; tracking it again updates it.
   *
   * @param meta a plain JSON map, taken by value
   * @returns the public reference of the entry
   * @throws {InvalidArgumentError} for a topic, key or meta that cannot be used
   * @throws {LimitError} beyond a bound of the configuration
   * @throws {ClosedError} after `close`
   * Cost: O(meta).
   */
  track<Topic extends string>(topic: Topic, key: string, ...meta: MetaArgument<MetaAt<M, Topic>>): string;
  track(topic: string, key: string, meta: AnyMeta = {}): string {
    this.assertOpen();
    return this.owner.track(this, topic, key, meta).ref;
  }

  /**
   * Replaces the meta of what this session tracks. Watchers see one update, and no reader ever sees neither.
   *
   * @param meta the new map, or a function that returns it, given the previous one, which is frozen
   * @returns the new reference
   * @throws {NotTrackedError} if this session does not track `key` on `topic`; else as `track`
   */
  update<Topic extends string>(topic: Topic, key: string, meta: MetaUpdate<MetaAt<M, Topic>>): string;
  update(topic: string, key: string, meta: AnyMeta): string {
    this.assertOpen();
    checkString("topic", topic);
    checkString("key", key);
    return this.owner.update(this, topic, key, meta).ref;
  }

  /** Takes the entry away, after `drop` one that still lingers. Returns true if there was one. */
  untrack(topic: string, key: string): boolean {
    if (this.state === "closed") throw new ClosedError("this session");
    checkString("topic", topic);
    checkString("key", key);
    return this.owner.untrack(this, topic, key);
  }

  /** What this session itself tracks under `key` on `topic`. */
  get<Topic extends string>(topic: Topic, key: string): Presence<MetaAt<M, Topic>> | undefined;
  get(topic: string, key: string): Presence<AnyMeta> | undefined {
    checkString("topic", topic);
    checkString("key", key);
    return this.owner.find(this, topic, key)?.presence;
  }

  /** Untracks everything, as one change; after `drop`, what still lingers. Idempotent. Cost: O(entries of this session). */
  close(): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.removedListeners = undefined;
    this.owner.close(this);
  }

  /**
   * Ends the session as a connection does that breaks without a goodbye: what it tracks stays for `lingerMs`, counted from
   * the end of this turn of the event loop, and leaves then. Whoever tracks one of these keys on its topic in the meantime,
   * here or on any other node, takes the old entry's place: nobody is told of a leave or a join, only of an update, whose
   * `before` and `after` tell the metas and nodes. With a `lingerMs` of 0 it is `close`.
   *
   * `untrack` and `close` still let go at once; every other call is a `ClosedError` from then on. Each entry waits for one
   * coming back: of two sessions with one key, both may drop and both return. When this node crashes, or is believed down,
   * its lingering entries are lost with the others; when it stops, its hand-off is theirs.
   *
   * Idempotent. Cost: O(entries of this session).
   *
   * @param lingerMs default is the session's
   * @throws {InvalidArgumentError} for a time that cannot be used
   */
  drop(lingerMs = this.lingerMs): void {
    checkInteger("lingerMs", lingerMs, 0);
    if (this.state !== "open") return;
    this.lingerMs = lingerMs;
    if (this.lingerMs === 0 || this.size === 0) {
      this.close();
      return;
    }
    this.state = "dropped";
    this.removedListeners = undefined;
    this.owner.drop(this);
  }

  /** Whether it was closed or dropped. */
  get closed(): boolean {
    return this.state !== "open";
  }

  /** Whether it was dropped, and what it tracked may still be there. */
  get dropped(): boolean {
    return this.state === "dropped";
  }

  /** How many entries it holds. */
  get size(): number {
    return heldCount(this);
  }

  /** Calls `listener` when another replica removes an entry of this session; returns a function that stops that. */
  onRemoved(listener: (presence: Presence<MetaAt<M, string>>) => void): () => void {
    this.assertOpen();
    checkFunction("listener", listener);
    this.removedListeners ??= new Set();
    this.removedListeners.add(listener);
    return () => void this.removedListeners?.delete(listener);
  }

  /** @internal Called by the replica once another one has removed `entry`. `failed` is told what a listener threw. */
  tellRemoved(entry: Entry, failed: (error: unknown) => void): void {
    for (const listener of this.removedListeners ?? []) callListener(listener, entry.presence, failed);
  }

  /** @throws {ClosedError} after `close` or `drop` */
  assertOpen(): void {
    if (this.state !== "open") throw new ClosedError("this session");
  }
}
