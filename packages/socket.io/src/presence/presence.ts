/** Presence of the sockets of a Socket.IO server, over the cluster of a node. */
import { type AnyNode, ConfigurationError, type Meta } from "presently";
import { checkNode, checkObject, handOffOnDrain, onTopicMessage, rosterOf } from "presently/drop-in";
import type { Namespace, Server, Socket } from "socket.io";
import { ClientRequests } from "./client-requests.ts";
import { FollowedRooms } from "./followed-rooms.ts";
import { NamespacePresence } from "./namespace-presence.ts";
import { type PresenceOptions, resolvePresenceOptions } from "./options.ts";
import { type PresenceParts, SocketPresence } from "./socket-presence.ts";

/** What `presence` returns. */
export interface Presences<M extends object = Meta> extends NamespacePresence<M> {
  /** Takes everybody of this server out, and serves no socket any more. */
  close(): void;
}

/** The namespaces that have presence. */
const served = new WeakSet<object>();

/**
 * Gives the sockets of a namespace `socket.presence`, and the namespace itself (and the server, for `/`) `presence`. Call it
 * before `io.on("connection", …)`. Sockets that are connected already have none.
 *
 * @param io a server, for its main namespace, or a namespace: `io.of("/chat")`, or `io.of(/pattern/)` for all that match
 * @throws {InvalidArgumentError} for an option that is unknown or cannot be used
 * @throws {ConfigurationError} if the namespace has presence already
 */
export function presence<M extends object = Meta>(
  io: Server | Namespace,
  node: AnyNode,
  options: PresenceOptions = {},
): Presences<M> {
  checkObject("io", io, ["on", "fetchSockets"]);
  checkNode(node);
  const settings = resolvePresenceOptions(options);
  const namespace = namespaceOf(io);
  if (served.has(namespace))
    throw new ConfigurationError(
      `the namespace ${namespace.name} has presence already: call presence(io, node) once`,
    );
  served.add(namespace);
  const roster = rosterOf(node, settings.names);
  const parts: PresenceParts = { roster, followed: new FollowedRooms(node, roster, settings), settings };
  const requests = new ClientRequests(node, settings);
  const sockets = new Set<SocketPresence>();
  const serve = (socket: Socket) => {
    const own = new SocketPresence(socket, parts);
    sockets.add(own);
    Object.assign(socket, { presence: own });
    if (!Object.hasOwn(socket.nsp, "presence"))
      Object.assign(socket.nsp, { presence: new NamespacePresence(node, parts, socket.nsp.name) });
    socket.once("disconnect", (reason) => {
      sockets.delete(own);
      own.end(reason);
    });
    requests.serve(socket, own);
  };
  namespace.prependListener("connection", serve);
  const endDrain = handOffOnDrain(node);
  const unlisten = onTopicMessage(node, settings.names, (name, { event, data }) =>
    parts.followed.tell(name, event, data),
  );
  const close = () => {
    endDrain();
    unlisten();
    namespace.removeListener("connection", serve);
    for (const own of sockets) own.end("server namespace disconnect");
    sockets.clear();
    parts.followed.close();
    served.delete(namespace);
  };
  const whole = Object.assign(new NamespacePresence<M>(node, parts, namespace.name), { close });
  Object.assign(namespace, { presence: whole });
  if (io !== namespace) Object.assign(io, { presence: whole });
  return whole;
}

function namespaceOf(io: Server | Namespace): Namespace {
  return io.sockets instanceof Map ? (io as Namespace) : (io as Server).sockets;
}
