/**
 * Presences of connections that broke, kept for a while: who comes back to this node in time was never away.
 *
 * What nobody comes back for is untracked at the end of its time.
 */
import type { RosterSession } from "presently/drop-in";

/** One presence of a session. */
export interface Place {
  readonly topic: string;
  readonly key: string;
  readonly session: RosterSession;
}

export class Lingering {
  /** Oldest first, by topic and key: several connections of one key may be gone at a time. */
  readonly #places = new Map<string, Set<Place>>();
  readonly #timers = new Set<NodeJS.Timeout>();

  /** Keeps presences for so long, or until `close`. */
  keep(places: readonly Place[], lingerMs: number | undefined): void {
    for (const place of places) this.#placesAt(place).add(place);
    if (lingerMs === undefined) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      for (const place of places) if (this.#take(place)) endPresence(place);
    }, lingerMs);
    this.#timers.add(timer);
  }

  /** The session that holds the presence, which is the caller's from now on, with `endPresence` to end it. */
  claim(topic: string, key: string): RosterSession | undefined {
    const [place] = this.#places.get(nameOf(topic, key)) ?? [];
    if (place === undefined) return undefined;
    this.#take(place);
    // A node that removed it meanwhile has the last word.
    return place.session.get(topic, key) === undefined ? this.claim(topic, key) : place.session;
  }

  /**
   * Hands all that are kept to the session that tracks the same within `handoffMs`, on any node. A session of which an owner has
   * claimed a part is given when that owner ends.
   */
  handOff(handoffMs: number): void {
    const places = new Map<RosterSession, Place[]>();
    for (const kept of this.#places.values())
      for (const place of kept) {
        const others = places.get(place.session);
        if (others === undefined) places.set(place.session, [place]);
        else others.push(place);
      }
    for (const [session, kept] of places) {
      if (session.size > kept.length) continue;
      session.drop(handoffMs);
      for (const place of kept) this.#take(place);
    }
  }

  /** Ends all that are kept, at once. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const places of this.#places.values()) for (const place of places) endPresence(place);
    this.#places.clear();
  }

  #placesAt(place: Place): Set<Place> {
    const name = nameOf(place.topic, place.key);
    const places = this.#places.get(name) ?? new Set();
    this.#places.set(name, places);
    return places;
  }

  /** Whether it was still there to be taken. */
  #take(place: Place): boolean {
    const name = nameOf(place.topic, place.key);
    const places = this.#places.get(name);
    if (!places?.delete(place)) return false;
    if (places.size === 0) this.#places.delete(name);
    return true;
  }
}

/** Untracks it, and closes a session that holds nothing any more. */
export function endPresence({ session, topic, key }: Place): void {
  if (session.closed) return;
  session.untrack(topic, key);
  if (session.size === 0) session.close();
}

/** One text for a topic and a key, and never the same for two pairs. */
export function nameOf(topic: string, key: string): string {
  return `${topic.length}:${topic}${key}`;
}
