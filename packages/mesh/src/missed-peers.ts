/**
 * The peers that we had a link with, or were asked to reach, and have none with: until there is one they are missed,
 * and each round of failed attempts to reach them is reported.
 */
import { nameOf, type ReplicaId } from "@presently/replica";

export interface MissedPeersOptions {
  /** Nodes remembered at a time: the owner may ask for any number of names. */
  readonly nodesMax: number;
  /** How long a peer of which no address is known may take to dial us before it is reported. */
  readonly graceMs: number;
  readonly unreachable: (peer: ReplicaId, reason: string) => void;
}

interface Missed {
  /** The life of the node that is looked for. */
  readonly peer: ReplicaId;
  /** The link with it that was lost. */
  lostLinkId: string | undefined;
  /** The addresses that failed in this round. */
  readonly failed: Set<string>;
  graceTimer: NodeJS.Timeout | undefined;
}

export class MissedPeers {
  readonly #options: MissedPeersOptions;
  readonly #byNode = new Map<string, Missed>();

  constructor(options: MissedPeersOptions) {
    this.#options = options;
  }

  /** Begins to miss `peer`, in the place of an older life of its node. */
  add(peer: ReplicaId, lostLinkId?: string): void {
    const missed = this.#ensure(peer);
    if (lostLinkId !== undefined) missed.lostLinkId = lostLinkId;
  }

  /** No address of `peer` is known: reports that after the grace. Being asked again does not put it off. */
  awaitCall(peer: ReplicaId): void {
    const missed = this.#ensure(peer);
    missed.graceTimer ??= setTimeout(() => {
      missed.graceTimer = undefined;
      this.#options.unreachable(peer, `no address of ${peer} is known`);
    }, this.#options.graceMs);
  }

  /**
   * An attempt at one address of a node failed. Reports it once all `addresses` of the node have failed since the last
   * report: while one of them may still lead there, the peer is not out of reach.
   */
  attemptFailed(
    node: string,
    attempt: { address: string; reason: string; addresses: readonly string[] },
  ): void {
    const missed = this.#byNode.get(node);
    if (missed === undefined) return;
    missed.failed.add(attempt.address);
    if (!attempt.addresses.every((address) => missed.failed.has(address))) return;
    missed.failed.clear();
    this.#options.unreachable(missed.peer, attempt.reason);
  }

  /** The link that was lost with this very peer, if it is missed. */
  lostLinkId(peer: ReplicaId): string | undefined {
    const missed = this.#byNode.get(nameOf(peer));
    return missed?.peer === peer ? missed.lostLinkId : undefined;
  }

  /** Stops to miss a node. Returns the life of it that was missed. */
  remove(node: string): ReplicaId | undefined {
    const missed = this.#byNode.get(node);
    clearTimeout(missed?.graceTimer);
    this.#byNode.delete(node);
    return missed?.peer;
  }

  clear(): void {
    for (const node of [...this.#byNode.keys()]) this.remove(node);
  }

  #ensure(peer: ReplicaId): Missed {
    const node = nameOf(peer);
    const known = this.#byNode.get(node);
    if (known?.peer === peer) return known;
    this.remove(node);
    const [oldest] = this.#byNode.keys();
    if (oldest !== undefined && this.#byNode.size >= this.#options.nodesMax) this.remove(oldest);
    const missed: Missed = { peer, lostLinkId: undefined, failed: new Set<string>(), graceTimer: undefined };
    this.#byNode.set(node, missed);
    return missed;
  }
}
