/** What it means that a room could not be joined. */
import { ClientError } from "./errors.ts";

export interface JoinRefusal {
  /** Whether it was for what this client says of itself, and would not be for something else. */
  readonly isAboutMeta: boolean;
  readonly reason: string;
  /** `JOIN_REFUSED`; temporary if phoenix.js may try again by itself. */
  readonly error: ClientError;
}

/** Reasons that pass. */
const TEMPORARY_REASONS = new Set(["too many joins", "too many channels joined", "join crashed"]);

/**
 * @param answer  what the server replied: `{ reason, code }`, or anything else
 * @param wasJoined  whether the room was joined before: then its token may be expiring right now, and the next one will do
 */
export function joinRefusalOf(answer: unknown, topic: string, wasJoined: boolean): JoinRefusal {
  const { reason, code } = { reason: "no reason given", code: undefined, ...(answer as object) };
  const isLimit = code === "LIMIT_REACHED";
  const isAboutMeta = code === "INVALID_ARGUMENT" || (isLimit && reason.includes("(option meta"));
  // A meta that is too large stays so; the other bounds of a node are those of the moment.
  const passes = TEMPORARY_REASONS.has(reason) || (reason === "unauthorized" && wasJoined);
  const temporary = passes || (isLimit && !isAboutMeta);
  const message = `the server refused to let you into ${topic}: ${reason}`;
  return {
    isAboutMeta,
    reason,
    error: new ClientError("JOIN_REFUSED", message, { temporary, topic, reason }),
  };
}
