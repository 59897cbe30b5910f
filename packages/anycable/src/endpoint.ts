/** A cable that is ready to use: streams, presence and the REST API. It is what `presently start --anycable` serves. */
import { InvalidArgumentError, type PresentlyNode } from "presently";
import { Cable, type CableOptions } from "./cable.ts";

export interface EndpointOptions extends CableOptions<unknown> {
  /** Where clients connect. Default `/cable`. */
  readonly path?: string;
}

/**
 * Serves a cable at the node's own HTTP address.
 *
 * @throws {InvalidArgumentError} for a node without `http`, and for options that cannot be used
 */
export function serveEndpoint(node: PresentlyNode, { path, ...options }: EndpointOptions = {}): Cable {
  const server = node.httpServer;
  if (server === undefined) throw new InvalidArgumentError("node", "must have the option http");
  const cable = new Cable(node, options);
  cable.attach(server, path === undefined ? {} : { path });
  return cable;
}
