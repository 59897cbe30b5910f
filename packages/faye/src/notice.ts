/** What an operator should know of. */

export interface FayeNotice {
  /**
   * `not-stored`: a subscription was refused because its presence could not be kept. `publish-failed`: Faye did not take
   * an event, or a message that another node sent on: an extension refused it. `relay-failed`: a published message cannot
   * be sent to the other nodes, and was refused. `malformed-broadcast`: another node sent what cannot be read.
   * `engine-failed`: the engine of the options reported an error. `message-failed`: a message of a client could not be dealt
   * with. `access-failed`, `address-limit`: see `GateNotice` of presently. `option-ignored`.
   */
  readonly type:
    | "not-stored"
    | "publish-failed"
    | "relay-failed"
    | "malformed-broadcast"
    | "engine-failed"
    | "message-failed"
    | "access-failed"
    | "address-limit"
    | "option-ignored";
  readonly level: "error" | "warn" | "debug";
  /** For people. */
  readonly message: string;
  readonly channel?: string;
  /** What was thrown or reported. */
  readonly error?: unknown;
}

/** Told of each notice, for logs and alarms. */
export type NoticeListener = (notice: FayeNotice) => void;

/** Where notices go when nobody listens: errors and warnings show as warnings of the process, and are not lost. */
export function warnOfNotice({ level, message, error }: FayeNotice): void {
  if (level === "debug") return;
  const detail = error instanceof Error ? { detail: error.stack ?? error.message } : {};
  process.emitWarning(message, { type: "FayePresenceWarning", ...detail });
}
