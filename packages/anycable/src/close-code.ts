/** Why a connection is closed, as the WebSocket says it. */
export const CLOSE = {
  /** After a `disconnect` frame that says more. */
  normal: 1000,
  /** Connect again, to another node. */
  goingAway: 1001,
  /** A bound on what a client may do was exceeded. */
  policy: 1008,
} as const;
