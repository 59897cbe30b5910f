/**
 * How do we reach the nodes that we have no link with?
 *
 * Every address in the book is dialled while no link with the node behind it exists: configured addresses, those that
 * configured names stand for, and those that peers told of. Peers tell only of nodes that they are linked with, so an address that died does not live on as
 * hearsay.
 */
import { nameOf, type ReplicaId } from "@presently/replica";
import { normalizeAddress } from "./address.ts";
import { AddressBook, isKept } from "./address-book.ts";
import type { ConnectionEnd } from "./connection.ts";
import { Dialer } from "./dialer.ts";
import type { NodeAddress } from "./frames.ts";
import { MissedPeers } from "./missed-peers.ts";
import { Patience } from "./patience.ts";

/**
 * A configured address that led back to us is tried again after this long: behind one name (a load balancer, a list of
 * DNS records) other nodes may answer later.
 */
const SELF_REDIAL_MS = 60_000;

/** A learnt address at which nobody has answered for this many attempts in a row is dialled at a slower pace. */
const COLD_AFTER_FAILURES = 600;
const COLD_PACE = 30;

/** Of a missed node with no address, the peer may dial us: it gets time for its first two attempts. */
const NO_ADDRESS_GRACE_FACTOR = 3;

export interface DiscoveryOptions {
  readonly node: string;
  /** Normalized addresses to dial from the start. */
  readonly configured: readonly string[];
  readonly addressesMax: number;
  readonly dialMinMs: number;
  readonly dialMaxMs: number;
  readonly handshakeTimeoutMs: number;
  readonly random: () => number;
  readonly now: () => number;
  /** Where we can be dialled. */
  readonly ownAddress: () => string;
  /** The replica that we are linked with under this node name. */
  readonly linked: (node: string) => ReplicaId | undefined;
  /**
   * Starts an attempt that waits `patienceMs` for each step. Answered by `answered`, if a peer proves itself, and
   * `ended`.
   */
  readonly dial: (address: string, patienceMs: number) => void;
  /** A peer is missed: the names of the options may stand for other addresses by now. */
  readonly refreshNames: () => void;
  /** A round of attempts to reach this peer failed. */
  readonly unreachable: (peer: ReplicaId, reason: string) => void;
}

/** Decides which addresses to dial and when, and keeps account of the nodes that are missed. */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #book: AddressBook;
  readonly #dialer: Dialer;
  readonly #missed: MissedPeers;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#book = new AddressBook(options.configured, options.addressesMax);
    this.#dialer = new Dialer({
      minMs: options.dialMinMs,
      maxMs: options.dialMaxMs,
      patience: new Patience(options.handshakeTimeoutMs),
      random: options.random,
      now: options.now,
      dial: options.dial,
    });
    this.#missed = new MissedPeers({
      nodesMax: options.addressesMax,
      graceMs: options.dialMinMs * NO_ADDRESS_GRACE_FACTOR,
      unreachable: options.unreachable,
    });
  }

  /** Begins to dial. Nothing is dialled before. */
  start(): void {
    this.redialAll();
  }

  /** Dials no more, and reports no more. */
  stop(): void {
    this.#dialer.stop();
    this.#missed.clear();
  }

  /** A link with `peer` is up: its addresses are left alone, and it is missed no more. */
  linkUp(peer: ReplicaId): void {
    const node = nameOf(peer);
    for (const { address } of this.#book.behind(node)) this.#dialer.rest(address);
    const missed = this.#missed.remove(node);
    if (missed !== undefined && missed !== peer) {
      this.#options.unreachable(missed, `${peer} runs in its place`);
    }
  }

  /** The link with `peer` is gone: dials all its addresses, at once unless that would make us spin. */
  linkDown(peer: ReplicaId, link: { linkId: string; livedMs: number; refused: boolean }): void {
    this.#missed.add(peer, link.linkId);
    this.#options.refreshNames();
    const addresses = this.#book.behind(nameOf(peer));
    for (const { address } of addresses) {
      if (link.refused) this.#dialer.holdOff(address);
      // A link that broke as soon as it was up counts as one more failure.
      if (link.livedMs >= this.#options.dialMaxMs) this.#dialer.soon(address);
      else this.#dialer.later(address);
    }
    if (addresses.length === 0) this.#missed.awaitCall(peer);
  }

  /** Dials every address of `peer`'s node now. Answered by a link, or by `unreachable`. */
  redial(peer: ReplicaId): void {
    const linked = this.#options.linked(nameOf(peer));
    if (linked === peer) return;
    if (linked !== undefined) {
      this.#options.unreachable(peer, `${linked} runs in its place`);
      return;
    }
    this.#missed.add(peer);
    this.#options.refreshNames();
    const addresses = this.#book.behind(nameOf(peer));
    for (const { address } of addresses) this.#dialer.soon(address);
    if (addresses.length === 0) this.#missed.awaitCall(peer);
  }

  /** Dials an address once, as a peer gave it: another process of our name is said to be there. */
  look(said: string): void {
    const address = normalizeAddress(said);
    if (address !== undefined && address !== this.#options.ownAddress()) this.#dialer.soon(address);
  }

  /** Dials every address whose node we have no link with now. */
  redialAll(): void {
    for (const { address, node, self } of this.#book.entries()) {
      if (!self && (node === undefined || this.#options.linked(node) === undefined))
        this.#dialer.soon(address);
    }
  }

  /** The attempt for `address` led to `peer`, which has proved itself; whether there will be a link is open. */
  answered(address: string, peer: ReplicaId): void {
    const before = this.#book.answered(address, nameOf(peer));
    if (before !== undefined && before !== nameOf(peer)) {
      this.#attemptFailed(before, address, `another node, ${peer}, answers at ${address}`);
    }
  }

  /** The attempt for `address` ended. If it became a link, `linkUp` follows. */
  ended(address: string, end: ConnectionEnd): void {
    if (end.type === "linked") this.#linked(address, end.roundTripMs);
    else if (end.type === "failed") this.#failed(address, end.reason, end.tooSlow);
    else if (end.type === "aborted" || end.refusal.code === "DUPLICATE") this.#moot(address);
    else if (end.refusal.code === "SELF" && end.by === "us") this.#home(address);
    else this.#failed(address, `${end.refusal.code}: ${end.refusal.reason}`);
  }

  #linked(address: string, roundTripMs: number): void {
    this.#dialer.settled(address);
    this.#dialer.measured(address, roundTripMs);
    if (this.#book.entry(address) === undefined) this.#dialer.drop(address);
  }

  /** The attempt for `address` failed: it will be tried again. */
  #failed(address: string, reason: string, tooSlow = false): void {
    this.#dialer.settled(address);
    if (tooSlow) this.#dialer.tooSlow(address);
    const entry = this.#book.entry(address);
    if (entry === undefined) {
      this.#dialer.drop(address);
      return;
    }
    if (entry.name !== undefined) this.#options.refreshNames();
    const cold = !isKept(entry) && this.#dialer.failures(address) >= COLD_AFTER_FAILURES;
    this.#dialer.later(address, cold ? this.#options.dialMaxMs * COLD_PACE : undefined);
    if (entry.node !== undefined) this.#attemptFailed(entry.node, address, reason);
  }

  /** The attempt for `address` ended without saying anything about the node: another connection is, or was, ahead. */
  #moot(address: string): void {
    this.#dialer.settled(address);
    const entry = this.#book.entry(address);
    if (entry === undefined) this.#dialer.drop(address);
    else if (this.#isUnlinked(entry.node)) this.#dialer.later(address);
    else this.#dialer.rest(address);
  }

  /** The attempt for `address` led back to ourselves. */
  #home(address: string): void {
    this.#dialer.settled(address);
    this.#book.leadsHome(address);
    const entry = this.#book.entry(address);
    if (entry !== undefined && isKept(entry)) this.#dialer.later(address, SELF_REDIAL_MS);
    else this.#dialer.drop(address);
  }

  /** Takes what the names of the options stand for now; new addresses are dialled at once. */
  takeNames(names: ReadonlyMap<string, string>): void {
    const { added, forgotten } = this.#book.takeNames(names, (entry) => this.#isUnlinked(entry.node));
    for (const address of forgotten) this.#dialer.drop(address);
    for (const address of added) this.#dialer.soon(address);
  }

  /** The host that was looked up for this address; undefined if it did not come from the DNS. */
  nameFor(address: string): string | undefined {
    return this.#book.entry(address)?.name;
  }

  /** Takes what a peer told of addresses. New ones are dialled at once, and so are known ones that somebody vouches for. */
  learn(addresses: readonly NodeAddress[]): void {
    for (const [node, address] of addresses) {
      if (node === this.#options.node || address === this.#options.ownAddress()) continue;
      const { known, forgotten } = this.#book.learn(node, address, (entry) => this.#isUnlinked(entry.node));
      if (forgotten !== undefined) this.#dialer.drop(forgotten);
      const entry = this.#book.entry(address);
      if (known && entry !== undefined && !entry.self && this.#isUnlinked(entry.node))
        this.#dialer.soon(address);
    }
  }

  /** Forgets a node that will not come back: its learnt addresses, and that it is missed. */
  forget(node: string): void {
    for (const address of this.#book.forget(node)) this.#dialer.drop(address);
    this.#missed.remove(node);
  }

  /** The last link that we had, and lost, with this very replica. */
  lostLinkId(peer: ReplicaId): string | undefined {
    return this.#missed.lostLinkId(peer);
  }

  #isUnlinked(node: string | undefined): boolean {
    return node === undefined || this.#options.linked(node) === undefined;
  }

  #attemptFailed(node: string, address: string, reason: string): void {
    const addresses = this.#book.behind(node).map((entry) => entry.address);
    if (this.#isUnlinked(node)) this.#missed.attemptFailed(node, { address, reason, addresses });
  }
}
