/** Where a client is, also when a proxy stands between it and this node. */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { InvalidArgumentError } from "@presently/replica";

/**
 * Finds out the address of clients.
 *
 * The address of a socket cannot be lied about; what `X-Forwarded-For` says can. So it is believed as far as proxies that are
 * trusted wrote it: from its end on, up to the first address that is not one of theirs.
 */
export class ClientAddresses {
  readonly #trusted = new BlockList();
  readonly #trustsAny: boolean;

  /**
   * @param trustedProxies addresses, or networks such as 10.0.0.0/8
   * @throws {InvalidArgumentError} for what is neither
   */
  constructor(trustedProxies: readonly string[]) {
    this.#trustsAny = trustedProxies.length > 0;
    for (const proxy of trustedProxies) this.#add(proxy);
  }

  /** The address of whoever sent the request; undefined when its socket is gone. Cost: O(header field). */
  of({ socket, headers }: IncomingMessage): string | undefined {
    const direct = socket.remoteAddress;
    if (direct === undefined || !this.isTrusted(direct)) return direct;
    const forwarded = [headers["x-forwarded-for"] ?? []].flat().join(",").split(",");
    let nearest = direct;
    for (const text of forwarded.reverse()) {
      const address = addressIn(text);
      // What a trusted proxy would not write was written by nobody who is believed.
      if (address === undefined) return nearest;
      nearest = address;
      if (!this.isTrusted(address)) return address;
    }
    return nearest;
  }

  /** Whether it is the address of a proxy whose word counts. */
  isTrusted(address: string): boolean {
    if (!this.#trustsAny) return false;
    const [text] = address.split("%", 1) as [string];
    return this.#trusted.check(text, isIP(text) === 6 ? "ipv6" : "ipv4");
  }

  #add(proxy: string): void {
    const [address = "", prefix, ...more] = proxy.split("/");
    const family = isIP(address);
    const bits = prefix === undefined ? undefined : Number(prefix);
    const fits = bits === undefined || (/^\d+$/.test(prefix!) && bits <= (family === 4 ? 32 : 128));
    if (family === 0 || !fits || more.length > 0)
      throw new InvalidArgumentError(
        `http.trustedProxies ${JSON.stringify(proxy)}`,
        "must be an address or a network, such as 10.0.0.0/8",
      );
    const type = family === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) this.#trusted.addAddress(address, type);
    else this.#trusted.addSubnet(address, bits, type);
  }
}

/** An address, also with the port that some proxies write behind it. */
function addressIn(text: string): string | undefined {
  const trimmed = text.trim();
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d+)?$/.exec(trimmed) ?? [];
  const address = bracketed ?? plain ?? trimmed;
  return isIP(address) === 0 ? undefined : address;
}
