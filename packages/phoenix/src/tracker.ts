/** The presences of one owner, with Phoenix's rules over those of the node's sessions. */
import type { Meta, PresentlyNode, Session } from "presently";
import type { MetaChange } from "./channel.ts";
import { AlreadyTrackedError, NoPresenceError } from "./errors.ts";
import { metaOf } from "./presence-map.ts";

export class Tracker {
  readonly #node: PresentlyNode;
  #session: Session | undefined;

  constructor(node: PresentlyNode) {
    this.#node = node;
  }

  /** @throws {AlreadyTrackedError} if this owner tracks the key on the topic already */
  track(topic: string, key: string | number, meta: Meta): string {
    this.#session ??= this.#node.session();
    const name = String(key);
    if (this.#session.get(topic, name) !== undefined) throw new AlreadyTrackedError(topic, name);
    return this.#session.track(topic, name, withoutRefs(meta));
  }

  holds(topic: string, key: string | number): boolean {
    return this.#session?.get(topic, String(key)) !== undefined;
  }

  untrack(topic: string, key: string | number): void {
    this.#session?.untrack(topic, String(key));
  }

  /** @throws {NoPresenceError} if this owner does not track the key on the topic */
  update(topic: string, key: string | number, change: MetaChange): string {
    const name = String(key);
    const held = this.#session?.get(topic, name);
    if (this.#session === undefined || held === undefined) throw new NoPresenceError(topic, name);
    const meta = typeof change === "function" ? change(metaOf(held)) : change;
    return this.#session.update(topic, name, withoutRefs(meta));
  }

  /** Takes all its presences away, on all topics, as one change. It may track again. */
  close(): void {
    this.#session?.close();
    this.#session = undefined;
  }
}

/** References are the cluster's to give: a meta that was read has those of its time. */
function withoutRefs(meta: Meta): Meta {
  if (typeof meta !== "object" || meta === null || !("phx_ref" in meta || "phx_ref_prev" in meta))
    return meta;
  const { phx_ref: _ref, phx_ref_prev: _previous, ...rest } = meta;
  return rest;
}
