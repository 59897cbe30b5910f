/** How a connection begins: which of the two protocols it speaks, and what the client asks for in its URL. */
import type { PingPrecision } from "./frames.ts";

/** The server's own order counts. */
const PROTOCOLS = ["actioncable-v1-json", "actioncable-v1-ext-json"] as const;

export type Protocol = (typeof PROTOCOLS)[number];

const TOKEN_PREFIX = "anycable-token.";
/** What a client may ask for as its ping interval. */
const [PING_SECONDS_MIN, PING_SECONDS_MAX] = [1, 300];

/** The protocol to speak; undefined if there is none in common. Who offers none speaks the base protocol. */
export function chooseProtocol(offered: readonly string[]): Protocol | undefined {
  const names = offered.filter((name) => !name.startsWith(TOKEN_PREFIX));
  if (names.length === 0) return "actioncable-v1-json";
  return PROTOCOLS.find((name) => names.includes(name));
}

/** The token that browsers send as a sub-protocol, having no other header field of their own. */
export function tokenIn(offered: readonly string[]): string | undefined {
  return offered.find((name) => name.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length);
}

/** The names in `Sec-WebSocket-Protocol`. */
export function offeredProtocols(header: string | undefined): readonly string[] {
  return (header ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** Milliseconds between two pings: `pi` is in seconds; what cannot be used counts as none. */
export function pingIntervalMs(pi: string | undefined, byDefaultMs: number): number {
  const seconds = Number(pi ?? Number.NaN);
  if (!Number.isFinite(seconds) || seconds < PING_SECONDS_MIN || seconds > PING_SECONDS_MAX)
    return byDefaultMs;
  return seconds * 1_000;
}

export function pingPrecision(ptp: string | undefined): PingPrecision {
  return ptp === "ms" || ptp === "ns" ? ptp : "s";
}
