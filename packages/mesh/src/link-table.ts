/** The links that are up: at most one for each node name. */
import { nameOf, type ReplicaId } from "@presently/replica";
import type { Link } from "./link.ts";

export class LinkTable {
  readonly #byNode = new Map<string, Link>();
  readonly #byPeer = new Map<ReplicaId, Link>();

  get size(): number {
    return this.#byPeer.size;
  }

  /** The link with this very replica. */
  withPeer(peer: ReplicaId): Link | undefined {
    return this.#byPeer.get(peer);
  }

  /** The link with whichever life of this node. */
  withNode(node: string): Link | undefined {
    return this.#byNode.get(node);
  }

  all(): Link[] {
    return [...this.#byPeer.values()];
  }

  /** There must be no link with the node. */
  add(link: Link): void {
    const node = nameOf(link.replica);
    if (this.#byNode.has(node)) throw new Error(`there is a link with ${node} already`);
    this.#byNode.set(node, link);
    this.#byPeer.set(link.replica, link);
  }

  delete(link: Link): void {
    if (this.#byPeer.get(link.replica) !== link) return;
    this.#byNode.delete(nameOf(link.replica));
    this.#byPeer.delete(link.replica);
  }
}
