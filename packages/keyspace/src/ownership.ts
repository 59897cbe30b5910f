/**
 * Which replica serialises the operations of a key?
 *
 * The one with the highest hash of its name and the key (rendezvous hashing), of those that are seen to be up and have
 * said that they serve this key space. When one comes or goes, only its keys change hands. Each replica decides by what
 * it sees; where two differ, the one that is asked and does not think itself the owner refuses, and is asked again.
 *
 * Source: Thaler, Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998.
 */
import { nameOf, seedOf } from "@presently/crdt";
import type { ReplicaId } from "presently";
import type { ReplicaView } from "./messenger.ts";

/** `joining`: catching up; `serving`: may own keys; `leaving`: owns nothing any more. */
export type Participation = "joining" | "serving" | "leaving";

export class Ownership {
  own: Participation = "joining";
  private readonly self: () => ReplicaId;
  private readonly views = new Map<ReplicaId, ReplicaView>();
  private readonly participants = new Map<ReplicaId, Participation>();
  /** The origin of the entries that each replica writes, where it has said so. */
  private readonly origins = new Map<ReplicaId, ReplicaId>();
  private readonly hosts = new Map<ReplicaId, ReplicaId>();
  /** Origins whose processes do not answer here, although they are seen to be up. */
  private readonly doubted = new Set<ReplicaId>();
  /** Grows when what stands for processes may show or hide. */
  version = 0;

  constructor(self: () => ReplicaId) {
    this.self = self;
  }

  /** What is now believed of a replica. */
  see(view: ReplicaView): void {
    if (view.status === "self") return;
    const wasUp = this.isUp(view.replica);
    if (view.status === "gone") {
      this.views.delete(view.replica);
      this.participants.delete(view.replica);
      this.origins.delete(view.replica);
    } else this.views.set(view.replica, view);
    if (this.isUp(view.replica) !== wasUp) this.version++;
  }

  /** What a replica has said of itself. */
  hear(replica: ReplicaId, participation: Participation, origin: ReplicaId): void {
    if (this.origins.get(replica) !== origin) this.version++;
    this.participants.set(replica, participation);
    this.origins.set(replica, origin);
    this.hosts.set(origin, replica);
  }

  /** Replicas that serve and are seen to be up, ourselves included if we serve. */
  serving(): ReplicaId[] {
    const serving = this.own === "serving" ? [this.self()] : [];
    for (const [replica, participation] of this.participants)
      if (participation === "serving" && this.isUp(replica)) serving.push(replica);
    return serving;
  }

  /** The others that take part and can be reached directly. */
  linkedParticipants(): ReplicaId[] {
    return [...this.participants.keys()].filter((replica) => this.isUp(replica) && this.isLinked(replica));
  }

  /** Those that serve, the owner of the key first, then those that would own it without the ones before. */
  ranked(key: string): ReplicaId[] {
    const seed = seedOf(key);
    return this.serving()
      .map((replica) => ({ replica, weight: weightOf(replica, seed) }))
      .sort((one, other) => other.weight - one.weight || (one.replica < other.replica ? -1 : 1))
      .map(({ replica }) => replica);
  }

  /** Who owns a key; undefined if nobody serves. Cost: O(replicas). */
  owner(key: string): ReplicaId | undefined {
    const seed = seedOf(key);
    let owner: ReplicaId | undefined;
    let highest = -1;
    for (const replica of this.serving()) {
      const weight = weightOf(replica, seed);
      if (weight < highest || (weight === highest && owner !== undefined && owner < replica)) continue;
      owner = replica;
      highest = weight;
    }
    return owner;
  }

  isLinked(replica: ReplicaId): boolean {
    return this.views.get(replica)?.linked === true;
  }

  isUp(replica: ReplicaId): boolean {
    const status = this.views.get(replica)?.status;
    return status === "up" || status === "suspect";
  }

  /**
   * Whether the process that wrote entries under `origin` is seen to be up. Of one that has not said who it is, its name
   * decides: it may be the life of that name that is up, unless that life has said that it writes under another origin.
   */
  isOriginUp(origin: ReplicaId): boolean {
    const host = this.hosts.get(origin);
    if (host !== undefined) return this.isUp(host);
    const name = nameOf(origin);
    for (const replica of this.views.keys())
      if (nameOf(replica) === name && this.isUp(replica) && !this.origins.has(replica)) return true;
    return false;
  }

  /** Whether what stands for an origin's process shows here. */
  isOriginShown(origin: ReplicaId): boolean {
    return !this.doubted.has(origin) && this.isOriginUp(origin);
  }

  /** The replica that writes under an origin, where it has said so. */
  hostOf(origin: ReplicaId): ReplicaId | undefined {
    return this.hosts.get(origin);
  }

  /** Hides, or shows again, what stands for an origin's process; returns false if that changes nothing. */
  doubt(origin: ReplicaId, isDoubted: boolean): boolean {
    if (this.doubted.has(origin) === isDoubted) return false;
    if (isDoubted) this.doubted.add(origin);
    else this.doubted.delete(origin);
    this.version++;
    return true;
  }

  /** Whether an origin's process is gone for good: it is neither up nor only hidden. */
  isOriginGone(origin: ReplicaId): boolean {
    const host = this.hosts.get(origin);
    if (host !== undefined) return !this.views.has(host);
    const name = nameOf(origin);
    for (const replica of this.views.keys())
      if (nameOf(replica) === name && !this.origins.has(replica)) return false;
    return true;
  }

  /** Nothing is known of this origin any more. */
  forget(origin: ReplicaId): void {
    this.hosts.delete(origin);
  }
}

/** From 0 up to 2^32. By the name: a node that was restarted owns what it owned. */
function weightOf(replica: ReplicaId, keySeed: number): number {
  let hash = seedOf(nameOf(replica)) ^ Math.imul(keySeed, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
