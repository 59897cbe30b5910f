/**
 * Which requests must reach one certain process of several behind one port, and which process that is?
 *
 * Most need not: every process knows everybody, and a WebSocket or an event stream lives where its connection came in. What
 * consists of several requests does: long-polling of Phoenix, Faye (also over WebSockets, for its handshake comes over HTTP
 * before), and what is PUT and then DELETEd. A session of the first two belongs to the process that its client's address
 * hashes to; what is PUT to the one that its topic and key hash to. No table is kept, nothing is asked of the others, and
 * a process that was started anew is responsible for the same as before.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** A process of a group: from 1 to the number of them. It outlives the operating system's process. */
export type Slot = number;

export interface AffinityOptions {
  readonly processes: number;
  /** Paths below which clients long-poll Phoenix, such as `/socket`. */
  readonly phoenix: string | undefined;
  /** Path of Faye, such as `/bayeux`. */
  readonly faye: string | undefined;
  /** The address of a client, seen through the proxies that are trusted; undefined if its socket is gone. */
  readonly addressOf: (request: IncomingMessage) => string | undefined;
}

const PUT_PATH = /^\/api\/topics\/([^/]+)\/presences\/([^/]+)$/;

export class Affinity {
  readonly #options: AffinityOptions;
  readonly #longPoll: string | undefined;

  constructor(options: AffinityOptions) {
    this.#options = options;
    this.#longPoll =
      options.phoenix === undefined ? undefined : `${options.phoenix.replace(/\/+$/, "")}/longpoll`;
  }

  /** The one process that may serve the request; undefined if any may. Cost: some µs for those that are bound. */
  slotOf(request: IncomingMessage): Slot | undefined {
    const [path] = (request.url ?? "").split("?", 1) as [string];
    const { faye } = this.#options;
    if (path === this.#longPoll) return this.#slotOfClient(request);
    if (faye !== undefined && (path === faye || path.startsWith(`${faye}/`)))
      return this.#slotOfClient(request);
    if (request.method !== "PUT" && request.method !== "DELETE") return undefined;
    const [, topic, key] = PUT_PATH.exec(path) ?? [];
    return topic === undefined || key === undefined
      ? undefined
      : this.#hash(`${decoded(topic)}\n${decoded(key)}`);
  }

  #slotOfClient(request: IncomingMessage): Slot {
    return this.#hash(networkOf(this.#options.addressOf(request) ?? ""));
  }

  #hash(text: string): Slot {
    return 1 + (createHash("sha256").update(text).digest().readUInt32BE(0) % this.#options.processes);
  }
}

/**
 * What stays the same of a client's address: all of it in IPv4; the first 64 bits in IPv6, whose others many machines
 * change from connection to connection.
 */
export function networkOf(address: string): string {
  const [text] = address.split("%", 1) as [string];
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  if (mapped !== undefined || !text.includes(":")) return mapped ?? text;
  const [before = "", after] = text.split("::");
  const groups = (part: string | undefined) => (part ? part.split(":") : []);
  const zeros = after === undefined ? 0 : Math.max(0, 8 - groups(before).length - groups(after).length);
  const all = [...groups(before), ...new Array<string>(zeros).fill("0"), ...groups(after)];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

/** What cannot be decoded is refused by the process that gets it, whichever that is. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
