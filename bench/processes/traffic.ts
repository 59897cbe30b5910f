/** The bytes of every TCP connection of this process, from the moment that this module is loaded. */
import diagnostics from "node:diagnostics_channel";
import type { Socket } from "node:net";
import type { Connection } from "./bytes-between.ts";

const sockets = new Set<{ readonly socket: Socket; ports: readonly [number, number] | undefined }>();

for (const channel of ["net.client.socket", "net.server.socket"])
  diagnostics.subscribe(channel, (message) => {
    const { socket } = message as { socket: Socket };
    const entry: { socket: Socket; ports: readonly [number, number] | undefined } = {
      socket,
      ports: undefined,
    };
    // A closed socket no longer knows its ports.
    const note = () => {
      entry.ports = [socket.localPort!, socket.remotePort!];
    };
    // One that we dial is shown before it has any.
    if (socket.remotePort === undefined) socket.once("connect", note);
    else note();
    sockets.add(entry);
  });

/** Every connection that was ever open. */
export function connections(): Connection[] {
  const found: Connection[] = [];
  for (const { socket, ports } of sockets)
    if (ports !== undefined)
      found.push({
        localPort: ports[0],
        remotePort: ports[1],
        bytes: socket.bytesRead + socket.bytesWritten,
      });
  return found;
}
