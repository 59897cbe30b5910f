/** What a client is refused with; SocketCluster sends it name and message. */
export class RefusedError extends Error {
  override readonly name = "PresenceRefusedError";
}

/** Why a socket was disconnected: its client comes back by itself, after a pause. */
export const CLOSE = { flood: 4_429, slow: 4_408, unauthorized: 4_401 } as const;
