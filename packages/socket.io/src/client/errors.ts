/** The errors of this helper, each with a stable code. */

/**
 * `INVALID_ARGUMENT`: a wrong call. `UNANSWERED`: the server did not answer in time. Everything else is the server's answer:
 * `UNAUTHORIZED`, `TOO_MANY`, `BAD_REQUEST`, `FAILED`, or the code of the engine's own error.
 */
export class PresenceError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "PresenceError";
    this.code = code;
  }
}
