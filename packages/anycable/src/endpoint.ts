/** A cable that is ready to use: streams, presence and the REST API. It is what `presently start --anycable` serves. */
import { type AnyNode, InvalidArgumentError } from "presently";
import { checkNode, checkObject, isLoopback, requireSharedSecret } from "presently/drop-in";
import { Cable, type CableOptions } from "./cable.ts";

/**
 * As those of a cable, but that clients need a token that is signed with `secret`, as with `anycable-go --secret`: unless there
 * is a `jwtSecret`, `authenticate` or `access` of the node, or `noauth` or `publicStreams` lets everybody in.
 */
export interface EndpointOptions extends CableOptions<unknown> {
  /** Where clients connect. Default `/cable`. */
  readonly path?: string;
}

/** Where other machines can try, fewer are guessed. */
const SECRET_BYTES_MIN = 32;

/**
 * Serves a cable at the node's own HTTP address.
 *
 * @throws {InvalidArgumentError} for a node without `http`, for a `secret` of fewer than 32 bytes where other machines reach
 *   it, and for options that cannot be used
 */
export function serveEndpoint(node: AnyNode, options: EndpointOptions = {}): Cable {
  checkNode(node);
  checkObject("options", options);
  const { path, ...others } = options;
  const server = node.httpServer;
  if (server === undefined || node.httpUrl === undefined)
    throw new InvalidArgumentError("node", "must have the option http");
  const { secret, jwtSecret = node.access === undefined ? secret : undefined } = options;
  const { noauth = options.publicStreams === true && options.jwtSecret === undefined } = options;
  if (secret !== undefined && !isLoopback(new URL(node.httpUrl).hostname.replace(/^\[|\]$/g, "")))
    requireSharedSecret("secret", secret, SECRET_BYTES_MIN);
  const cable = new Cable(node, { ...others, ...(jwtSecret === undefined ? {} : { jwtSecret }), noauth });
  cable.attach(server, path === undefined ? {} : { path });
  return cable;
}
