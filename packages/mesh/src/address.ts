/** Addresses: WebSocket URLs that say where a node can be dialled. Two texts of the same address compare equal here. */

/** Longest address accepted, in characters. */
export const ADDRESS_LENGTH_MAX = 255;

/** The address in its one canonical spelling, or undefined if the text is not a `ws:` or `wss:` URL to dial. */
export function normalizeAddress(text: string): string | undefined {
  if (text.length > ADDRESS_LENGTH_MAX || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const dialable =
    (url.protocol === "ws:" || url.protocol === "wss:") &&
    url.hostname !== "" &&
    url.port !== "0" &&
    // Credentials would travel in the clear and end up in logs; a fragment never reaches a server.
    url.username === "" &&
    url.password === "" &&
    url.hash === "";
  if (!dialable) return undefined;
  return url.pathname === "/" && url.search === "" ? `${url.protocol}//${url.host}` : url.href;
}

/** The address of a server that listens on `host` (a name or an IP address) and `port`. */
export function addressOf(host: string, port: number, protocol: "ws" | "wss" = "ws"): string {
  return `${protocol}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Whether only this machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/**
 * What an advertised address means to us. A node that listens on every interface does not know by which one we
 * reach it, and advertises the wildcard: then the host is the one that its connection came from.
 */
export function reachableAddress(advertised: string, remoteHost: string | undefined): string {
  const url = new URL(advertised);
  if (remoteHost === undefined || (url.hostname !== "0.0.0.0" && url.hostname !== "[::]")) return advertised;
  // Sockets that listen on both families report IPv4 peers as mapped IPv6 addresses.
  const host = remoteHost.replace(/^::ffff:(?=\d+\.)/, "");
  url.hostname = host.includes(":") ? `[${host}]` : host;
  return normalizeAddress(url.href) ?? advertised;
}
