/** Every error of this package, each with a stable code. */

/** What went wrong; each has its row on the page of errors. */
export type ClientErrorCode =
  | "INVALID_ARGUMENT"
  | "CLOSED"
  | "LIMIT_REACHED"
  | "NO_TRANSPORT"
  | "NO_ACTIVITY_SOURCE"
  | "UNAUTHORIZED"
  | "TOKEN_FAILED"
  | "ALREADY_JOINED"
  | "JOIN_REFUSED"
  | "UPDATE_REFUSED"
  | "MESSAGE_REFUSED"
  | "TIMED_OUT";

export interface ClientErrorDetails {
  /** Whether the same may succeed later without a change. Default false. */
  readonly temporary?: boolean;
  /** The room that it is about. */
  readonly topic?: string;
  /** What the server gave as its reason, in its own words. */
  readonly reason?: string;
  readonly cause?: unknown;
}

/** `code` is stable and for programs; the message says what to do. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;
  /** Whether the same may succeed later without a change. */
  readonly temporary: boolean;
  readonly topic: string | undefined;
  readonly reason: string | undefined;

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ClientError";
    this.code = code;
    this.temporary = details.temporary ?? false;
    this.topic = details.topic;
    this.reason = details.reason;
  }
}

/** A bound that the options name was reached. */
export function limitReached(option: string, limit: number, what: string, topic?: string): ClientError {
  return new ClientError("LIMIT_REACHED", `${what}: the limit is ${limit} (option ${option})`, {
    temporary: true,
    ...(topic !== undefined && { topic }),
  });
}
