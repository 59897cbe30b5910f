/** What an operator should know of. */

/** Why a callback of the application is named in a notice. */
export type Callback =
  | "connect"
  | "id"
  | "join"
  | "handleIn"
  | "handleOut"
  | "terminate"
  | "fetch"
  | "handleMetas"
  | "presence"
  | "dispatch"
  | "publishes";

/** Something that went wrong with a client, a callback or another node, with what is needed to find it. */
export interface PhoenixNotice {
  /**
   * `callback-failed`: the application threw. `connection-dropped`: a client broke a rule or a bound. `undeliverable`:
   * bytes for a client that takes text only. `malformed-broadcast`: another node sent what cannot be read.
   * `access-failed`: a hook of the node's `access` failed, and refused a client. `address-limit`: an address has reached a
   * bound.
   */
  readonly type:
    | "callback-failed"
    | "connection-dropped"
    | "undeliverable"
    | "malformed-broadcast"
    | "access-failed"
    | "address-limit";
  readonly level: "error" | "warn" | "debug";
  /** For people. */
  readonly message: string;
  readonly callback?: Callback;
  readonly topic?: string;
  readonly event?: string;
  /** Of `connection-dropped`: the WebSocket close code. */
  readonly code?: number;
  /** What was thrown. */
  readonly error?: unknown;
}

/** Told of each notice, for logs and alarms. */
export type NoticeListener = (notice: PhoenixNotice) => void;

/** Where notices go when nobody listens: errors show as warnings of the process, and are not lost. */
export function warnOfNotice({ level, message, error }: PhoenixNotice): void {
  if (level !== "error") return;
  const detail = error instanceof Error ? { detail: error.stack ?? error.message } : {};
  process.emitWarning(message, { type: "PhoenixSocketWarning", ...detail });
}
