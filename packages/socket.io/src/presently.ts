/** Joining Socket.IO servers. */
import type { AnyNode } from "presently";
import { checkNode } from "presently/drop-in";
import type { Adapter } from "socket.io-adapter";
import { PresentlyAdapter, type ServedNamespace } from "./adapter.ts";
import { type AdapterOptions, resolveOptions } from "./options.ts";

/**
 * The adapter for `io.adapter`: all servers whose nodes are in one cluster are one. The node stays the caller's; start serving
 * clients once it is ready (`node.whenReady()`).
 *
 * @throws {InvalidArgumentError} for what is no node, and for an option that is unknown or cannot be used
 */
export function presently(node: AnyNode, options: AdapterOptions = {}): typeof Adapter {
  checkNode(node);
  const settings = resolveOptions(options);
  // Socket.IO calls it with `new`, once for each namespace.
  return class extends PresentlyAdapter {
    constructor(namespace: ServedNamespace) {
      super(node, settings, namespace);
    }
  };
}
