/** Why a connection is closed, as the WebSocket says it. Never 1000: clients before npm 1.8.16 do not come back from it. */
export const CLOSE = {
  /** Disconnected by its id, or idle: come again. */
  goingAway: 1001,
  /** What came is no message. */
  malformed: 1007,
  /** A bound on what a client may do was exceeded. */
  policy: 1008,
  /** A message was too large. */
  tooLarge: 1009,
  /** The node drains or stops: connect to another one. */
  restart: 1012,
  /** The client reads too slowly. */
  slow: 1013,
  /** Its identity counts no more: connect again, with a new token. */
  expired: 4401,
} as const;
