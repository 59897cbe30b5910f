/** Asks the system for the addresses behind names. */
import { promises as dns } from "node:dns";
import type { Service } from "./peer-name.ts";

/** What a mesh asks about names. Both may take long, and reject when there is no answer; that is tried again. */
export interface NameResolver {
  /** The IP addresses of a host. */
  addresses(host: string): Promise<readonly string[]>;
  /** The hosts and ports in the SRV records of a name. */
  services(name: string): Promise<readonly Service[]>;
}

/**
 * The system's own. Hosts are looked up as every program does it, so that `/etc/hosts` and search domains count (a
 * Kubernetes service can be called by its short name); SRV records are asked of the name servers, by their full name.
 */
export const systemResolver: NameResolver = {
  addresses: async (host) => (await dns.lookup(host, { all: true })).map(({ address }) => address),
  services: (name) => dns.resolveSrv(name),
};
