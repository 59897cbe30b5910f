/** What an operator should know of. */

export interface CableNotice {
  /**
   * `callback-failed`: the application threw. `refused`: a command of a client was not carried out. `disconnected`: a
   * client broke a bound. `unauthorized`: a client was not let in. `malformed-message`: another node sent what cannot be
   * read. `publish-failed`: a message reached the subscribers of this node only. `access-failed`: a hook of the node's
   * `access` failed, and refused a client. `address-limit`: an address has reached a bound.
   */
  readonly type:
    | "callback-failed"
    | "refused"
    | "disconnected"
    | "unauthorized"
    | "malformed-message"
    | "publish-failed"
    | "access-failed"
    | "address-limit";
  readonly level: "error" | "warn" | "debug";
  /** For people. */
  readonly message: string;
  /** The `code` of the error, where there is one. */
  readonly code?: string;
  /** What was thrown. */
  readonly error?: unknown;
}

/** Told of each notice, for logs and alarms. */
export type NoticeListener = (notice: CableNotice) => void;

/** Where notices go when nobody listens: errors show as warnings of the process, and are not lost. */
export function warnOfNotice({ level, message, error }: CableNotice): void {
  if (level !== "error") return;
  const detail = error instanceof Error ? { detail: error.stack ?? error.message } : {};
  process.emitWarning(message, { type: "CableWarning", ...detail });
}
