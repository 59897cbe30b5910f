/**
 * What does a client that was cut off know of a stream's presence, and what must it be told when it is back?
 *
 * What was sent before a ping of the WebSocket that it answered has arrived. It is uncertain about the ids that had
 * events since then, and is told how they are now. On another node nobody has counted those events: there it is told of
 * the ids in which the two nodes differ as well. A join that it knew of already changes nothing in its list.
 */

import { type PresenceRecord, presenceInfo } from "./frames.ts";
import type { JsonText } from "./json.ts";
import type { PresenceHub, PresenceNews, StreamPresence } from "./stream-presence.ts";

/** Ids that move with a session; a larger room is subscribed to anew. */
const IDS_MAX = 500;

/** What a client knows of presence, for another node. Undefined if that is too much to say. */
export type PresenceKnown =
  | { readonly present: readonly string[]; readonly uncertain: readonly string[] }
  | undefined;

export class MissedPresence {
  readonly #hub: PresenceHub;
  readonly #held: StreamPresence;
  readonly #tell: (news: PresenceNews) => void;
  #detach: (() => void) | undefined;
  /** The last event that has arrived for certain. */
  #confirmed: number;
  /** The last event before each ping that has no answer yet. */
  #pinged: { readonly ping: number; readonly event: number }[] = [];
  /** Ids that the client was uncertain about at another node, until it has heard of them here. */
  #uncertain = new Set<string>();

  constructor(hub: PresenceHub, stream: string, tell: (news: PresenceNews) => void, known?: PresenceKnown) {
    this.#hub = hub;
    this.#held = hub.hold(stream);
    this.#tell = tell;
    this.#confirmed = this.#held.number;
    if (known === undefined) return;
    this.#uncertain = new Set(known.uncertain);
    const present = new Set(known.present);
    for (const id of present) if (!this.#held.has(id)) this.#uncertain.add(id);
    for (const id of this.#held.ids()) if (!present.has(id)) this.#uncertain.add(id);
  }

  get stream(): string {
    return this.#held.stream;
  }

  records(): PresenceRecord[] {
    return this.#held.records();
  }

  /** Who is present, as the client is told; or how many. */
  info(withRecords: boolean): JsonText {
    return withRecords ? this.#held.info : presenceInfo(this.#held.size, []);
  }

  attach(): void {
    this.#detach ??= this.#held.subscribe({ presenceChanged: this.#tell });
  }

  detach(): void {
    this.#detach?.();
    this.#detach = undefined;
    this.#pinged = [];
  }

  /** Whether what the client does not know is still known here. */
  get resumable(): boolean {
    return this.#missed() !== undefined;
  }

  /** Tells the client of every id about which it is uncertain. */
  catchUp(): void {
    for (const id of this.#missed() ?? []) this.#tell(this.#held.newsOf(id));
  }

  pinged(ping: number): void {
    // A client that answers none of them is dropped long before this grows.
    this.#pinged.push({ ping, event: this.#held.number });
  }

  confirmed(ping: number): void {
    const index = this.#pinged.findLastIndex((pinged) => pinged.ping <= ping);
    if (index < 0) return;
    this.#confirmed = this.#pinged[index]!.event;
    this.#pinged = this.#pinged.slice(index + 1);
    this.#uncertain.clear();
  }

  known(): PresenceKnown {
    const uncertain = this.#missed();
    if (uncertain === undefined || this.#held.size + uncertain.size > IDS_MAX) return undefined;
    return { present: [...this.#held.ids()], uncertain: [...uncertain] };
  }

  end(): void {
    this.detach();
    this.#hub.release(this.#held);
  }

  #missed(): Set<string> | undefined {
    const changed = this.#held.changedSince(this.#confirmed);
    if (changed === undefined) return undefined;
    for (const id of this.#uncertain) changed.add(id);
    return changed;
  }
}
