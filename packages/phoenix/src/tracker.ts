/** The presences of one owner, with Phoenix's rules over those of the node's sessions. */
import { ClosedError, type Meta } from "presently";
import { checkString, plain, type Roster, type RosterSession } from "presently/drop-in";
import type { MetaChange } from "./channel.ts";
import { AlreadyTrackedError, NoPresenceError } from "./errors.ts";
import { endPresence, type Lingering, nameOf, type Place } from "./lingering.ts";
import { metaOf } from "./presence-map.ts";

export class Tracker {
  readonly #roster: Roster;
  readonly #lingering: Lingering;
  /** Made when it is first needed: most channels of some applications track nothing. */
  #session: RosterSession | undefined;
  /** What it tracks, in its own session, or in one that a connection that broke has left to it. */
  readonly #places = new Map<string, Place>();
  #ended = false;

  constructor(roster: Roster, lingering: Lingering) {
    this.#roster = roster;
    this.#lingering = lingering;
  }

  /**
   * @throws {AlreadyTrackedError} if this owner tracks the key on the topic already
   * @throws {ClosedError} if this owner has ended
   */
  track(topic: string, key: string | number, meta: Meta): string {
    if (this.#ended) throw new ClosedError("this channel");
    const name = keyText(key);
    checkString("topic", topic);
    if (this.#find(topic, name) !== undefined) throw new AlreadyTrackedError(topic, name);
    const said = withoutRefs(meta);
    const resumed = this.#resume(topic, name);
    if (resumed !== undefined) {
      const held = resumed.session.get(topic, name)!;
      if (JSON.stringify(held.meta) === JSON.stringify(said)) return held.ref;
      return resumed.session.update(topic, name, said);
    }
    if (this.#session === undefined || this.#session.closed) this.#session = this.#roster.session();
    const ref = this.#session.track(topic, name, said);
    this.#places.set(nameOf(topic, name), { topic, key: name, session: this.#session });
    return ref;
  }

  /** Takes over what a connection that broke has tracked, with its meta; answers whether there was something. */
  resume(topic: string, key: string | number): boolean {
    return this.#resume(topic, keyText(key)) !== undefined;
  }

  holds(topic: string, key: string | number): boolean {
    return this.#find(topic, keyText(key)) !== undefined;
  }

  untrack(topic: string, key: string | number): void {
    const name = nameOf(topic, keyText(key));
    const place = this.#places.get(name);
    this.#places.delete(name);
    if (place !== undefined) endPresence(place);
  }

  /** @throws {NoPresenceError} if this owner does not track the key on the topic */
  update(topic: string, key: string | number, change: MetaChange): string {
    const name = keyText(key);
    checkString("topic", topic);
    const session = this.#find(topic, name)?.session;
    if (session === undefined) throw new NoPresenceError(topic, name);
    const meta = typeof change === "function" ? change(metaOf(session.get(topic, name)!)) : change;
    return session.update(topic, name, withoutRefs(meta));
  }

  /** Takes all its presences away, on all topics, as one change. It may track again. */
  close(): void {
    if (this.#session === undefined && this.#places.size === 0) return;
    this.#roster.batch(() => {
      this.#session?.close();
      for (const place of this.#places.values()) endPresence(place);
    });
    this.#forget();
  }

  /** The owner has ended: as `close`, and it can track no more. */
  end(): void {
    this.#ended = true;
    this.close();
  }

  /** As `end`, but a client that tracks the same in time was never away; without a time, until the socket closes. */
  endLater(lingerMs?: number): void {
    this.#ended = true;
    if (this.#places.size > 0) this.#lingering.keep([...this.#places.values()], lingerMs);
    if (this.#session?.size === 0) this.#session.close();
    this.#forget();
  }

  #forget(): void {
    this.#places.clear();
    this.#session = undefined;
  }

  #resume(topic: string, key: string): Place | undefined {
    const session = this.#lingering.claim(topic, key);
    if (session === undefined) return undefined;
    const place = { topic, key, session };
    this.#places.set(nameOf(topic, key), place);
    return place;
  }

  /** What another node has removed is not tracked any more. */
  #find(topic: string, key: string): Place | undefined {
    const place = this.#places.get(nameOf(topic, key));
    return place?.session.get(topic, key) === undefined ? undefined : place;
  }
}

/** Phoenix takes integers for keys too. */
export function keyText(key: string | number): string {
  if (typeof key === "number") return String(key);
  checkString("key", key);
  return key;
}

/** References are the cluster's to give: a meta that was read has those of its time. */
function withoutRefs(meta: Meta): Meta {
  // What is no map is for the node to refuse.
  if (typeof meta !== "object" || meta === null) return meta;
  if (!("phx_ref" in meta || "phx_ref_prev" in meta)) return plain(meta);
  const { phx_ref: _ref, phx_ref_prev: _previous, ...rest } = meta;
  return plain(rest);
}
