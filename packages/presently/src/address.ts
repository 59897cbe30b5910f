/** Addresses as people write them: `127.0.0.1:4001`, `[::1]:4001`, `localhost:4001`. */
import { checkString, InvalidArgumentError } from "@presently/replica";

const PORT_MAX = 65_535;

/** Where a server listens. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port`; an IPv6 host stands in brackets. Port 0 means "any free port".
 *
 * @param what  how to call the value in an error
 * @throws {InvalidArgumentError} when the text is anything else
 */
export function parseHostAndPort(text: string, what: string): HostAndPort {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^\s:[\]/@]+)):(\d+)$/.exec(text);
  const refuse = (problem: string) => new InvalidArgumentError(`${what} ${JSON.stringify(text)}`, problem);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw refuse("is not host:port: write 127.0.0.1:4001, or [::1]:4001 for IPv6");
  const port = Number(match?.[3]);
  if (port > PORT_MAX) throw refuse(`has a port above ${PORT_MAX}`);
  return { host, port };
}

/** Writes an address so that `parseHostAndPort` reads it back, and so that it fits into a URL. */
export function formatHostAndPort({ host, port }: HostAndPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only processes of this machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  checkString("host", host);
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
