/** What an operator should know of. */

export interface SocketIoNotice {
  /**
   * `malformed-message`: another node sent what cannot be read. `not-kept`: a socket or one of its rooms could not be recorded in
   * the cluster, so that other servers do not list it. `answer-lost`: an answer to another server could not be sent.
   * `request-failed`: a hook threw at what a client asked for. `access-failed`, `address-limit`: see `GateNotice` of presently.
   */
  readonly type:
    | "malformed-message"
    | "not-kept"
    | "answer-lost"
    | "request-failed"
    | "access-failed"
    | "address-limit";
  readonly level: "error" | "warn" | "debug";
  /** For people. */
  readonly message: string;
  readonly namespace?: string;
  /** What was thrown. */
  readonly error?: unknown;
}

/** Told of each notice, for logs and alarms. */
export type NoticeListener = (notice: SocketIoNotice) => void;

/** Where notices go when nobody listens: errors and warnings show as warnings of the process, and are not lost. */
export function warnOfNotice({ level, message, error }: SocketIoNotice): void {
  if (level === "debug") return;
  const detail = error instanceof Error ? { detail: error.stack ?? error.message } : {};
  process.emitWarning(message, { type: "PresentlySocketIoWarning", ...detail });
}
