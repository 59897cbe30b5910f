/**
 * Peers by name: `dns+ws://name:port` stands for every IP address of a name, `srv+ws://_service._tcp.name` for every host
 * and port in its SRV records; `wss` goes as well as `ws`. Text in, addresses out; nobody is asked here.
 */
import { isIP } from "node:net";
import { normalizeAddress } from "./address.ts";

/** A name to look up, taken from the options. */
export interface PeerName {
  /** As it is shown, in its one canonical spelling. */
  readonly text: string;
  readonly type: "dns" | "srv";
  readonly protocol: "ws:" | "wss:";
  /** What is looked up. */
  readonly host: string;
  /** Of `dns`: with its colon; empty for the protocol's own port. */
  readonly port: string;
  readonly path: string;
}

/** A host and port, as SRV records hold them. */
export interface Service {
  readonly name: string;
  readonly port: number;
}

/** The name in a peer of the options, or undefined if the text is no such name. */
export function parsePeerName(text: string): PeerName | undefined {
  const match = /^(dns|srv)\+(wss?:\/\/.*)$/i.exec(text);
  const address = match === null ? undefined : normalizeAddress(match[2]!);
  if (match === null || address === undefined) return undefined;
  const type = match[1]!.toLowerCase() as "dns" | "srv";
  const { protocol, hostname, port, pathname, search } = new URL(address);
  // An IP address needs no look-up, and SRV records bring ports of their own.
  if (isIP(hostname.replace(/^\[|\]$/g, "")) !== 0 || (type === "srv" && port !== "")) return undefined;
  return {
    text: `${type}+${address}`,
    type,
    protocol: protocol as "ws:" | "wss:",
    host: hostname,
    port: port === "" ? "" : `:${port}`,
    path: pathname === "/" && search === "" ? "" : `${pathname}${search}`,
  };
}

/** The addresses to dial for a `dns` name with these IP addresses. What is no IP address is left out. */
export function addressesAt({ protocol, port, path }: PeerName, ips: readonly string[]): string[] {
  return ips.flatMap((ip) => {
    const family = isIP(ip);
    return family === 0 ? [] : dialable(`${protocol}//${family === 6 ? `[${ip}]` : ip}${port}${path}`);
  });
}

/** The addresses to dial for a `srv` name with these records: hosts stay names, so that they may move. */
export function addressesOf({ protocol, path }: PeerName, services: readonly Service[]): string[] {
  // A root label at the end says the same, and would make another host of it for certificates.
  return services.flatMap(({ name, port }) =>
    dialable(`${protocol}//${name.replace(/\.$/, "")}:${port}${path}`),
  );
}

function dialable(text: string): string[] {
  const address = normalizeAddress(text);
  return address === undefined ? [] : [address];
}
