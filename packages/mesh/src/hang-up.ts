/** Ends a WebSocket: says why, lets what is buffered go out, and does not wait for ever. */
import type { WebSocket } from "ws";
import { closeReason, type Refusal } from "./refusal.ts";

/** Close codes of RFC 6455, section 7.4.1, as the mesh uses them. */
export const CLOSE = {
  /** The connection is not needed: another one serves. */
  normal: 1000,
  /** The node stops, or goes on under another replica id. */
  goingAway: 1001,
  /** The peer is refused. */
  refused: 1008,
} as const;

/** How long a closed connection may take to flush and to be confirmed before it is cut. */
const LINGER_MS = 1000;

/** Closes `socket` after what was sent on it, and cuts it if that takes longer than `lingerMs`. */
export function hangUp(socket: WebSocket, closeCode: number, why: Refusal, lingerMs = LINGER_MS): void {
  if (socket.readyState === socket.CLOSED) return;
  const timer = setTimeout(() => socket.terminate(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
  // Before the WebSocket is open there is nobody to say it to.
  if (socket.readyState === socket.CONNECTING) socket.terminate();
  else socket.close(closeCode, closeReason(why));
}
