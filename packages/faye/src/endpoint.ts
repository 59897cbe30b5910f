/**
 * A Faye server that is ready to use, at the HTTP address of a node: whoever connects may publish on any channel, to the
 * clients of all nodes, and is present where it subscribes with a presence id. It is what `presently start --faye`
 * serves, to try the npm client against a cluster without writing a server.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type AnyNode, InvalidArgumentError } from "presently";
import {
  type CheckOrigin,
  checkInteger,
  checkNode,
  checkObject,
  type RosterOptions,
} from "presently/drop-in";
import type { FayeModule, FayeServer } from "./faye.ts";
import type { LimitOptions } from "./limits.ts";
import type { NoticeListener } from "./notice.ts";
import { protect } from "./protect.ts";
import { type FayePresence, setup } from "./setup.ts";

/** How the ready-made server is reached, and what a client may cost it. */
export interface EndpointOptions {
  /** The module `faye`: this package does not bring its own. */
  readonly faye: FayeModule;
  /** Where clients connect. Default `/bayeux`. */
  readonly path?: string;
  /** Faye's `timeout`: a client that was not heard of for twice as long is gone. Default 45 seconds. */
  readonly timeoutSeconds?: number;
  /** Bytes of one request. Default 1 MiB: Faye itself takes any number. */
  readonly bodyBytesMax?: number;
  /** What channels and ids are called in the cluster. Default: the same. */
  readonly roster?: RosterOptions;
  /** Which web pages may connect. Default `true`: those of the host that they connect to. See `ProtectOptions`. */
  readonly checkOrigin?: CheckOrigin;
  /** Of presence, and of each address: see `setup`. */
  readonly limits?: LimitOptions;
  readonly onNotice?: NoticeListener;
}

/** What runs after `serveEndpoint`: Faye's own server, and the presence that is attached to it. */
export interface FayeEndpoint {
  readonly server: FayeServer;
  readonly presence: FayePresence;
}

/**
 * Serves the ready-made server. It ends with the node, which sends its clients away first.
 *
 * @throws {InvalidArgumentError} for a node without `http`, and for options that cannot be used
 */
export function serveEndpoint(node: AnyNode, options: EndpointOptions): FayeEndpoint {
  checkNode(node);
  checkObject("options", options);
  const { faye, path = "/bayeux", timeoutSeconds = 45, bodyBytesMax, roster, limits, onNotice } = options;
  const { checkOrigin = true } = options;
  const http = node.httpServer;
  if (http === undefined) throw new InvalidArgumentError("node", "must have the option http");
  if (typeof path !== "string" || !/^(\/[\w.-]+)+$/.test(path))
    throw new InvalidArgumentError("options.path", "must be a path such as /bayeux");
  if (typeof faye?.NodeAdapter !== "function")
    throw new InvalidArgumentError("options.faye", "must be the module faye");
  checkInteger("options.timeoutSeconds", timeoutSeconds, 1);
  const server = new faye.NodeAdapter({ mount: path, timeout: timeoutSeconds });
  // A client that is well says something at least once in the timeout.
  const silentAfterMs = Math.max(300_000, Math.ceil(timeoutSeconds * 3_000));
  protect(server, { checkOrigin, silentAfterMs, ...(bodyBytesMax !== undefined && { bodyBytesMax }) });
  const client = server.getClient();
  const given = {
    ...(roster === undefined ? {} : { roster }),
    ...(limits === undefined ? {} : { limits }),
    ...(onNotice === undefined ? {} : { onNotice }),
  };
  const presence = setup(server, client, { node, broadcast: true, ...given });
  const isOurs = (request: IncomingMessage) => server.check(request);
  const upgradesElsewhere = http.listenerCount("upgrade") > 0;
  server.attach(http);
  const sockets = new Set<Duplex>();
  // In the place of Faye's listener, not beside it: others ask whether they are alone.
  const [upgrade] = http.listeners("upgrade");
  http.removeAllListeners("upgrade");
  http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isOurs(request)) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    } else if (!upgradesElsewhere) {
      // Faye takes all upgrades for itself, and leaves those of other paths open for ever.
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    upgrade?.call(http, request, socket, head);
  });
  void node.whenStopping.then(() => {
    client.disconnect();
    server.close();
    for (const socket of sockets) socket.end();
  });
  return { server, presence };
}
