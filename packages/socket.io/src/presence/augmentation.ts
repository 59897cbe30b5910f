/** What `presence` adds to the classes of Socket.IO, for TypeScript. */
import type { NamespacePresence } from "./namespace-presence.ts";
import type { SocketPresence } from "./socket-presence.ts";

// biome-ignore lint/suspicious/noExplicitAny: as Socket.IO has it.
type EventsMap = { [event: string]: any };

declare module "socket.io" {
  interface Socket<
    ListenEvents extends EventsMap,
    EmitEvents extends EventsMap,
    ServerSideEvents extends EventsMap,
    // biome-ignore lint/suspicious/noExplicitAny: as Socket.IO has it.
    SocketData = any,
  > {
    /** Where this socket is present; there once `presence(io, node)` was called. */
    readonly presence: SocketPresence;
  }
  interface Namespace<
    ListenEvents extends EventsMap,
    EmitEvents extends EventsMap,
    ServerSideEvents extends EventsMap,
    // biome-ignore lint/suspicious/noExplicitAny: as Socket.IO has it.
    SocketData = any,
  > {
    /** Who is in the rooms of this namespace; there once `presence(io, node)` was called. */
    readonly presence: NamespacePresence;
  }
  interface Server<
    ListenEvents extends EventsMap,
    EmitEvents extends EventsMap,
    ServerSideEvents extends EventsMap,
    // biome-ignore lint/suspicious/noExplicitAny: as Socket.IO has it.
    SocketData = any,
  > {
    /** Who is in the rooms of the main namespace; there once `presence(io, node)` was called. */
    readonly presence: NamespacePresence;
  }
}
