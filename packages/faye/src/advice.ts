/**
 * What a refused client is told, so that it comes back after a pause.
 *
 * Faye itself advises `handshake` and no pause. Npm's client then shakes hands again at once, without an end: a client whose
 * token has expired asks some hundred times a second (faye/faye#542). Advised to `retry` a handshake, it waits for its own
 * option `retry`, and other clients of Bayeux for `interval`. A `handshake` with an `interval` would be no better here: npm's
 * client then begins two handshakes for each refused one, one by either pause.
 */
import type { FayeMessage } from "./faye.ts";

/** Before a client that was refused asks again. */
const REFUSED_PAUSE_MS = 5_000;

/** Before a client that is not known here shakes hands again: as a rule its server is gone, and the handshake will do. */
const UNKNOWN_PAUSE_MS = 500;

/** Puts advice into the reply to a refused handshake or connect; what somebody else has advised stays. */
export function advise(reply: FayeMessage): void {
  const { channel, error, advice } = reply;
  if (typeof error !== "string" || advice?.interval !== undefined) return;
  if (advice !== undefined && advice.reconnect !== "handshake") return;
  if (channel === "/meta/handshake") reply.advice = { reconnect: "retry", interval: REFUSED_PAUSE_MS };
  else if (channel === "/meta/connect") {
    const interval = error.startsWith("401:") ? UNKNOWN_PAUSE_MS : REFUSED_PAUSE_MS;
    reply.advice = { reconnect: "handshake", interval };
  }
}
