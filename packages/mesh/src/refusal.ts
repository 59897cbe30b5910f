/**
 * Why a connection or a link was closed by one of its ends: a stable code, and a sentence for people.
 *
 * A refusal crosses the wire (in a reject frame during the handshake, in the close reason afterwards), so that both
 * ends can log the same line. It never carries a secret or a payload.
 */

/** The codes that this mesh gives; a peer of a later version may send others. */
export type RefusalCode =
  /** Not a frame of this protocol. */
  | "MALFORMED"
  /** A frame of this protocol, at a time when it makes no sense. */
  | "MISTIMED"
  /** More bytes than the bound for a frame or for a handshake. */
  | "TOO_LARGE"
  /** Another major version of the protocol. */
  | "VERSION"
  /** Another cluster's name. */
  | "CLUSTER"
  /** No secret in common, or a secret on one side only. */
  | "SECRET"
  /** The secret was named but not proved: tampering, or a bug. */
  | "BAD_PROOF"
  /** The other end does not speak TLS, or its certificate is not accepted. */
  | "TLS"
  /** The node dialled itself. */
  | "SELF"
  /** The pair has, or is about to have, another link. Part of normal operation. */
  | "DUPLICATE"
  /** Another process uses the same replica id. */
  | "REPLICA_ID_TAKEN"
  /** A newer incarnation of the same node name is known. */
  | "STALE_INCARNATION"
  /** `linksMax` is reached. */
  | "LINKS_FULL"
  /** `pendingHandshakesMax`, or the bound on connections, is reached. */
  | "BUSY"
  /** A step of the handshake took longer than `handshakeTimeoutMs` allows. */
  | "TIMEOUT"
  /** A web page tried to connect. */
  | "FORBIDDEN_ORIGIN"
  /** Not a byte came in for `silentAfterMs`. */
  | "SILENT"
  /** The peer reads so slowly that `maxBufferedBytes` was exceeded four times over. */
  | "SLOW"
  /** A better link with the same node took its place. */
  | "REPLACED"
  /** The node goes on under a newer incarnation. */
  | "RENAMED"
  /** The node stops. */
  | "CLOSING";

/** Why an end closed a connection; `code` is a `RefusalCode` or a code given by the owner of a mesh. */
export interface Refusal {
  readonly code: string;
  readonly reason: string;
  /** With `STALE_INCARNATION`: the newest incarnation of the name that the refusing node knows. */
  readonly newest?: number | undefined;
  /** With `REPLICA_ID_TAKEN` and `STALE_INCARNATION`: where the other process of this name was last met. */
  readonly holder?: string | undefined;
}

/** A refusal made here. The code is checked against the list above. */
export function refusal(code: RefusalCode, reason: string): Refusal {
  return { code, reason };
}

/** WebSocket close frames carry at most this many bytes of reason (RFC 6455, section 5.5.1). */
const CLOSE_REASON_BYTES_MAX = 123;

/** The refusal as the reason of a WebSocket close frame: `CODE: reason`, cut to what fits. */
export function closeReason({ code, reason }: Refusal): Buffer {
  const bytes = Buffer.from(`${code}: ${reason}`);
  if (bytes.length <= CLOSE_REASON_BYTES_MAX) return bytes;
  // Cutting may split a character; what is left of it must go too, or the frame would not be UTF-8.
  let end = CLOSE_REASON_BYTES_MAX;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}

/** Text from outside, safe to put into a log line: no control characters, at most 300 characters. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?").slice(0, 300);
}
