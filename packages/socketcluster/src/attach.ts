/** Attaching presence to a SocketCluster server. */
import type { AnyNode } from "presently";
import { checkFunction, checkNode, checkObject } from "presently/drop-in";
import { resolveOptions, type SocketClusterPresenceOptions } from "./options.ts";
import type { SocketClusterServer } from "./server.ts";
import { SocketClusterPresence } from "./socketcluster-presence.ts";

/** The options of sc-presence and those that are new, with the node that keeps who is present. */
export type AttachOptions = SocketClusterPresenceOptions & {
  /** The node whose cluster the sockets are present in; it stays the caller's. */
  readonly node: AnyNode;
};

/** Told how attaching went, as by sc-presence: `(true, null)`, or `(false, why)`. */
export type AttachCallback = (ok: boolean, error: string | null) => void;

/**
 * Records the sockets of `server` and the channels that they are subscribed to as presences of the cluster of `node`, and
 * publishes how many there are. Takes up none of the server's middleware, and needs no change of clients. Sockets that are
 * connected already are recorded as well.
 *
 * Options that are ignored are told to `server.emitWarning`, and so is what cannot be recorded later.
 *
 * @param server an `AGServer` of socketcluster-server 20
 * @throws {InvalidArgumentError} for an option that is unknown or cannot be used
 * @throws {ConfigurationError} for options that contradict each other. Both are told to `callback` instead, if there is one
 */
export function attach(server: SocketClusterServer, options: AttachOptions): SocketClusterPresence;
export function attach(
  server: SocketClusterServer,
  options: AttachOptions,
  callback: AttachCallback,
): SocketClusterPresence | undefined;
export function attach(
  server: SocketClusterServer,
  options: AttachOptions,
  callback?: AttachCallback,
): SocketClusterPresence | undefined {
  if (callback !== undefined) checkFunction("callback", callback);
  let presence: SocketClusterPresence;
  try {
    checkObject("server", server, ["listener", "emitWarning"]);
    checkObject("options", options);
    const { node, ...others } = options;
    checkNode(node);
    // Later, so that a listener added after this call hears of them.
    const warn = (message: string) => void setImmediate(() => server.emitWarning(new Error(message)));
    const settings = resolveOptions(others, server, warn);
    presence = new SocketClusterPresence(node, server, settings);
  } catch (error) {
    if (callback === undefined) throw error;
    callback(false, error instanceof Error ? error.message : String(error));
    return undefined;
  }
  callback?.(true, null);
  return presence;
}
