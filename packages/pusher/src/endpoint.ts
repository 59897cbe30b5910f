/** A server that is ready to use, at the node's own HTTP address. It is what `presently start --pusher-app` serves. */
import { type AnyNode, InvalidArgumentError } from "presently";
import { checkNode, checkObject } from "presently/drop-in";
import { type PusherOptions, PusherServer } from "./pusher-server.ts";

/** As those of a server. */
export interface EndpointOptions extends PusherOptions {
  /** What the paths begin with: `wsPath` of the clients. Default: nothing, as with Pusher. */
  readonly path?: string;
}

/**
 * Serves apps at the node's own HTTP address.
 *
 * @throws {InvalidArgumentError} for a node without `http`, and for options that cannot be used
 */
export function serveEndpoint(node: AnyNode, options: EndpointOptions): PusherServer {
  checkNode(node);
  checkObject("options", options);
  const { path, ...others } = options;
  if (node.httpServer === undefined) throw new InvalidArgumentError("node", "must have the option http");
  const server = new PusherServer(node, others);
  server.attach(node.httpServer, path === undefined ? {} : { path });
  return server;
}
