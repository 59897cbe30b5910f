/**
 * How do replicas come to hold the same entries?
 *
 * Local events are pushed to every linked peer as one delta at the end of the turn. Nothing rests on its arrival: each
 * replica tells the others a hash of its whole state at intervals, and whoever differs asks the teller for what it
 * lacks, first as deltas of the log and, where that is too short, as the whole state page by page.
 */
import { type Delta, seedOf } from "@presently/crdt";
import type { ReplicaId } from "presently";
import { bytesOf, type Item } from "./item.ts";
import type { LargeMessages } from "./large-messages.ts";
import type { KeyspaceClock } from "./messenger.ts";
import { pagesOf, StateAssembly } from "./state-pages.ts";
import type { KeyStore } from "./store.ts";
import {
  type Digest,
  decodeCount,
  decodeDelta,
  decodeDigest,
  encodeDelta,
  encodeDigest,
  list,
} from "./wire.ts";

/** Rounds of one pull: a peer that always has more to give is asked again after its next digest. */
const ROUNDS_MAX = 10_000;
/** At most what a pull takes for each origin that it names: its id, a number and a hash. */
const ORIGIN_BYTES = 120;
/** How long the rest of a state is kept for whoever began to ask for it. */
const PAGES_KEPT_MS = 10_000;
const HANDED_OUT_MAX = 16;

export interface ReplicationPort {
  readonly store: KeyStore;
  readonly messages: LargeMessages;
  readonly clock: KeyspaceClock;
  /** Whether an origin without entries still counts in the hash of the state: not once it is gone. */
  readonly counts: (origin: ReplicaId) => boolean;
}

interface HandedOut {
  readonly pages: Generator<unknown[], void>;
  untilMs: number;
}

export class Replication {
  private readonly port: ReplicationPort;
  private readonly pulls = new Map<ReplicaId, Promise<boolean>>();
  private readonly handedOut = new Map<string, HandedOut>();
  private tokens = 0;

  constructor(port: ReplicationPort) {
    this.port = port;
  }

  /** Pushes the local events that wait; answers the number of the last one. */
  flush(): number {
    const { store, messages, clock } = this.port;
    const delta = store.set.takeDelta();
    store.flushed();
    if (delta !== undefined) messages.broadcast(["delta", encodeDelta(delta, clock.now())]);
    return store.set.vectorOf(store.set.replica);
  }

  /** Takes in a delta that was pushed; answers whether it left a gap. */
  receive(encoded: unknown): boolean {
    return this.port.store.set.apply(decodeDelta(encoded)) === "gap";
  }

  /** A hash of the whole state: equal at replicas that hold the same. Cost: O(origins). */
  hash(): string {
    this.flush();
    const { store, counts } = this.port;
    const origins: string[] = [];
    for (const [origin, { vector, hash }] of store.set.digest())
      if (store.set.entriesOf(origin).size > 0 || counts(origin)) origins.push(`${origin} ${vector} ${hash}`);
    origins.sort();
    let low = 0;
    let high = 1;
    for (const text of origins) {
      low = Math.imul(low ^ seedOf(text), 0x85ebca6b) + 1;
      high = Math.imul(high ^ seedOf(`${text}+`), 0xc2b2ae35) + 1;
    }
    return `${(low >>> 0).toString(36)}.${(high >>> 0).toString(36)}`;
  }

  /** Asks a peer for all that it has and we lack; answers whether that was got. One at a time for each peer. */
  pull(peer: ReplicaId): Promise<boolean> {
    let pull = this.pulls.get(peer);
    if (pull === undefined) {
      pull = this.pullFrom(peer)
        .catch(() => false)
        .finally(() => this.pulls.delete(peer));
      this.pulls.set(peer, pull);
    }
    return pull;
  }

  private async pullFrom(peer: ReplicaId): Promise<boolean> {
    const { set } = this.port.store;
    let after = "";
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.flush();
      const range = this.digestAfter(after);
      const question = ["pull", encodeDigest(range.digest), after, range.upTo];
      const [type, ...parts] = list(await this.ask(peer, question), "answer");
      this.advance();
      if (type !== "deltas") return await this.takeState(peer, parts);
      let news = false;
      let last = after;
      for (const encoded of list(parts[0], "deltas")) {
        const delta = decodeDelta(encoded);
        const outcome = set.apply(delta);
        if (outcome === "gap") return false;
        news ||= outcome === "applied";
        last = delta.origin;
      }
      if (typeof parts[1] !== "string") return true;
      // An origin that we have forgotten is no news however often it is given: go on after it.
      after = news || parts[1] > after ? parts[1] : last;
    }
    return false;
  }

  /** What we hold of the origins after one, in their order, and up to which: a message has room for so many. */
  private digestAfter(after: string): { readonly digest: Digest; readonly upTo: string | null } {
    const { store } = this.port;
    const origins = [...store.set.digest()].filter(([origin]) => origin > after).sort(byOrigin);
    const room = Math.floor(store.settings.frameBytesTarget / ORIGIN_BYTES);
    const named = origins.slice(0, room);
    return { digest: new Map(named), upTo: named.length < origins.length ? named.at(-1)![0] : null };
  }

  private async takeState(peer: ReplicaId, parts: readonly unknown[]): Promise<boolean> {
    const { set } = this.port.store;
    const assembly = new StateAssembly();
    let [token, page] = parts;
    for (;;) {
      for (const entries of assembly.add(page)) set.stage(entries);
      if (typeof token !== "string") break;
      [token, page] = list(await this.ask(peer, ["page", token]), "page");
      this.advance();
    }
    this.flush();
    return set.merge(assembly.state()) === "merged";
  }

  /**
   * Answers a pull: `["deltas", those that are missing, after which origin to ask on]`, or the first page of the state.
   *
   * @throws {MalformedMessageError}
   */
  give([encoded, after, upTo]: readonly unknown[]): unknown[] {
    this.flush();
    const { store, clock } = this.port;
    const { set, settings } = store;
    const known = decodeDigest(encoded);
    const deltas: unknown[] = [];
    let bytes = 0;
    let last = String(after);
    for (const [origin, { vector, hash }] of [...set.digest()].sort(byOrigin)) {
      if (origin <= last || (typeof upTo === "string" && origin > upTo)) continue;
      const theirs = known.get(origin);
      if (theirs !== undefined && theirs.vector === vector && theirs.hash !== hash)
        return this.giveState(known);
      const missing = set.deltasSince(origin, theirs?.vector ?? 0);
      if (missing === undefined) return this.giveState(known);
      for (const delta of missing) {
        const size = sizeOf(delta);
        if (deltas.length > 0 && bytes + size > settings.frameBytesTarget) return ["deltas", deltas, last];
        deltas.push(encodeDelta(delta, clock.now()));
        bytes += size;
      }
      last = origin;
    }
    return ["deltas", deltas, typeof upTo === "string" ? upTo : null];
  }

  private giveState(known: ReturnType<typeof decodeDigest>): unknown[] {
    const { store, clock } = this.port;
    const token = `${++this.tokens}`;
    const pages = pagesOf(store.set.snapshot(), known, store.settings.frameBytesTarget, () => clock.now());
    // Who asked first and never came back makes room.
    for (const [other, { untilMs }] of this.handedOut)
      if (untilMs < clock.now() || this.handedOut.size >= HANDED_OUT_MAX) this.handedOut.delete(other);
    this.handedOut.set(token, { pages, untilMs: 0 });
    return ["state", ...this.givePage(token)];
  }

  /** The next page of a state that was begun: `[token or null at the end, page]`. */
  givePage(token: unknown): unknown[] {
    const handed = this.handedOut.get(token as string);
    if (handed === undefined) throw new Error("no state is being handed out under this token: begin anew");
    handed.untilMs = this.port.clock.now() + PAGES_KEPT_MS;
    const next = handed.pages.next();
    if (!next.done) return [token, next.value];
    this.handedOut.delete(token as string);
    return [null, []];
  }

  /** Whether this replica has the events of `origin` up to `number`, after asking `peer` for them if need be. */
  async holds(origin: ReplicaId, number: unknown, peer: ReplicaId): Promise<boolean> {
    const wanted = decodeCount(number);
    const { set } = this.port.store;
    if (set.vectorOf(origin) < wanted) await this.pull(peer);
    return set.vectorOf(origin) >= wanted;
  }

  private ask(peer: ReplicaId, payload: unknown): Promise<unknown> {
    const { messages, store } = this.port;
    return messages.request(peer, payload, store.settings.confirmTimeoutMs);
  }

  private advance(): void {
    const { store, clock } = this.port;
    store.advance(clock.now(), clock.wallMs());
  }
}

function sizeOf(delta: Delta<Item>): number {
  let bytes = 64 + 12 * delta.numbers.length;
  for (const item of delta.values) bytes += bytesOf(item);
  for (const { origin, numbers } of delta.removals) bytes += 3 * origin.length + 12 * (numbers.length + 1);
  return bytes;
}

function byOrigin([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}
