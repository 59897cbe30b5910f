/** What peers tell each other of where nodes can be dialled: of those they are linked with, and of no others. */
import { nameOf } from "@presently/replica";
import type { Discovery } from "./discovery.ts";
import { decodeAddresses, encodeAddresses, type NodeAddress } from "./frames.ts";
import type { Link } from "./link.ts";
import type { LinkTable } from "./link-table.ts";

/** The capability of nodes that take part: others are told nothing, and their own addresses are kept to oneself. */
export const PEER_GOSSIP = "peer-gossip";

export interface GossipOptions {
  /** Switched off, nothing is told and nothing is believed. */
  readonly enabled: boolean;
  readonly major: number;
  readonly links: LinkTable;
  readonly discovery: Discovery;
}

export class Gossip {
  readonly #options: GossipOptions;

  constructor(options: GossipOptions) {
    this.#options = options;
  }

  /** A link is up: learns where its peer is, tells the peer where the others are, and the others where the peer is. */
  introduce(link: Link): void {
    const { enabled, major, links, discovery } = this.#options;
    if (!enabled || !takesPart(link)) return;
    const newcomer = nodeAddresses([link]);
    discovery.learn(newcomer);
    const others = links.all().filter((other) => other !== link && takesPart(other));
    for (const frame of encodeAddresses(major, nodeAddresses(others))) link.send(frame);
    for (const frame of encodeAddresses(major, newcomer)) for (const other of others) other.send(frame);
  }

  /** Takes what a peer tells. @throws {ProtocolError} `MALFORMED` */
  hear(frame: Uint8Array): void {
    if (this.#options.enabled) this.#options.discovery.learn(decodeAddresses(frame));
  }
}

function takesPart(link: Link): boolean {
  return link.capabilities.includes(PEER_GOSSIP);
}

function nodeAddresses(links: readonly Link[]): NodeAddress[] {
  return links.flatMap(({ replica, advertised }): NodeAddress[] =>
    advertised === undefined ? [] : [[nameOf(replica), advertised]],
  );
}
