/** The end of a response, however it comes. */
import type { ServerResponse } from "node:http";

/**
 * Calls `closed` once, when the response has gone out or its connection has ended. A response that still waits behind another
 * one on its connection is not told of the end of that connection.
 */
export function whenClosed(response: ServerResponse, closed: () => void): void {
  const { socket } = response.req;
  const once = () => {
    socket.off("close", once);
    response.off("close", once);
    closed();
  };
  socket.on("close", once);
  response.on("close", once);
}
