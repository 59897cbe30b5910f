/** The end of a response, however it comes. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** What waits for the end of a connection: one listener serves all the responses of a client that sends many at once. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `closed` once, when the response has gone out or its connection has ended. A response that still waits behind another
 * one on its connection is not told of the end of that connection.
 */
export function whenClosed(response: ServerResponse, closed: () => void): void {
  const { socket } = response.req;
  const others = waitingFor(socket);
  const once = () => {
    others.delete(once);
    response.off("close", once);
    closed();
  };
  others.add(once);
  response.on("close", once);
}

function waitingFor(socket: Socket): Set<() => void> {
  const known = waiting.get(socket);
  if (known !== undefined) return known;
  const callbacks = new Set<() => void>();
  waiting.set(socket, callbacks);
  socket.once("close", () => {
    for (const callback of callbacks) callback();
  });
  return callbacks;
}
