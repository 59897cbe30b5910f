/**
 * How much each address has under way, and how fast it comes: one client must not take what all need.
 *
 * How is a table by address kept from growing with the number of addresses, which an attacker chooses? An address that has
 * nothing open is forgotten when room is needed, the one unused for longest first; one that has something open is bounded
 * by what may be open. An IPv6 network hands a whole /64 to one customer, so that such a block counts as one address.
 */
import { isIPv4, isIPv6 } from "node:net";
import { isLoopback } from "../address.ts";
import { TokenBucket } from "./token-bucket.ts";

/** The bounds of a table. */
export interface AddressLimits {
  /** What one address may have open at a time. */
  readonly openMax: number;
  /** What one address may begin in a second; as many may come at once. */
  readonly perSecondMax: number;
  /** Addresses that are known at a time. */
  readonly addressesMax: number;
  /** Loopback is not bounded: who is on this machine is often a proxy that stands for many. */
  readonly sparesLoopback: boolean;
}

/** Why an address may not begin another one: what stands in its way, and after how long asking again makes sense. */
export interface AddressRefusal {
  readonly limit: keyof Omit<AddressLimits, "sparesLoopback">;
  readonly retryAfterMs: number;
}

interface Entry {
  open: number;
  readonly bucket: TokenBucket;
}

/** A pause that is worth waiting when something must end first. */
const BUSY_RETRY_MS = 1_000;

export class AddressTable {
  readonly #limits: AddressLimits;
  readonly #busy = new Map<string, Entry>();
  /** In the order of last use. */
  readonly #idle = new Map<string, Entry>();

  constructor(limits: AddressLimits) {
    this.#limits = limits;
  }

  /** Addresses that are known now; at most `addressesMax`. */
  get size(): number {
    return this.#busy.size + this.#idle.size;
  }

  /**
   * Counts one more that is open for an address; undefined if it may be, and then `leave` must follow once. Cost: O(1).
   *
   * @param now milliseconds of a monotonic clock
   */
  enter(address: string, now: number): AddressRefusal | undefined {
    const { openMax, perSecondMax } = this.#limits;
    const block = blockOf(address);
    if (this.#isSpared(block)) return undefined;
    const entry = this.#busy.get(block) ?? this.#touchIdle(block) ?? this.#add(block, now);
    if (entry === undefined) return { limit: "addressesMax", retryAfterMs: BUSY_RETRY_MS };
    if (entry.open >= openMax) return { limit: "openMax", retryAfterMs: BUSY_RETRY_MS };
    if (!entry.bucket.take(now)) return { limit: "perSecondMax", retryAfterMs: 1_000 / perSecondMax };
    entry.open += 1;
    this.#idle.delete(block);
    this.#busy.set(block, entry);
    return undefined;
  }

  /** What `enter` counted has ended. */
  leave(address: string): void {
    const block = blockOf(address);
    if (this.#isSpared(block)) return;
    const entry = this.#busy.get(block);
    if (entry === undefined) throw new Error(`${block} has nothing open`);
    entry.open -= 1;
    if (entry.open > 0) return;
    this.#busy.delete(block);
    this.#idle.set(block, entry);
  }

  #isSpared(block: string): boolean {
    return this.#limits.sparesLoopback && isLoopback(block);
  }

  /** An address that comes again and again is not forgotten for it, be it refused or not. */
  #touchIdle(block: string): Entry | undefined {
    const entry = this.#idle.get(block);
    if (entry === undefined) return undefined;
    this.#idle.delete(block);
    this.#idle.set(block, entry);
    return entry;
  }

  #add(block: string, now: number): Entry | undefined {
    if (this.size >= this.#limits.addressesMax) {
      const [oldest] = this.#idle.keys();
      if (oldest === undefined) return undefined;
      this.#idle.delete(oldest);
    }
    const { perSecondMax } = this.#limits;
    const bucket = new TokenBucket({ burst: Math.max(1, perSecondMax), perSecond: perSecondMax }, now);
    const entry = { open: 0, bucket };
    this.#idle.set(block, entry);
    return entry;
  }
}

/**
 * What counts as one address: an IPv4 address, also where it is written as IPv6; the first half of an IPv6 address;
 * anything else as it is.
 */
export function blockOf(address: string): string {
  if (!isIPv6(address) || isLoopback(address)) return address;
  const [text] = address.split("%", 1) as [string];
  const mapped = /^::ffff:([\d.]+)$/i.exec(text)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return mapped;
  // The URL parser writes an IPv6 address in its one canonical form, which leaves out the longest run of zeros.
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::") as [string, string?];
  const leading = head === "" ? [] : head.split(":");
  const trailing = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(8 - leading.length - trailing.length).fill("0");
  return `${[...leading, ...zeros, ...trailing].slice(0, 4).join(":")}::/64`;
}
