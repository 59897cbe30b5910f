/** What an operator should know of. */

/** Something that went wrong with a client, a hook, a webhook or another node. */
export interface PusherNotice {
  /**
   * `refused`: a client or a request was refused. `connection-dropped`: a client broke a rule or a bound. `failed`: the door
   * could not do what it should. `malformed-message`: another node sent what cannot be read. `access-failed`,
   * `address-limit`: as at every door.
   */
  readonly type:
    | "refused"
    | "connection-dropped"
    | "failed"
    | "malformed-message"
    | "access-failed"
    | "address-limit";
  readonly level: "error" | "warn" | "debug";
  /** For people. */
  readonly message: string;
  /** The id of the app. */
  readonly app?: string;
  /** What was thrown. */
  readonly error?: unknown;
}

/** Told of each notice, for logs and alarms. */
export type NoticeListener = (notice: PusherNotice) => void;

/** Where notices go when nobody listens: errors show as warnings of the process. */
export function warnOfNotice({ level, message }: PusherNotice): void {
  if (level === "error") process.emitWarning(message, { type: "PusherServerWarning" });
}
