/** The errors of this package; those about presence itself and its limits come from `presently`. */
import { PresentlyError } from "presently";

/** What a client sent is no command of the protocol. It is reported, and changes nothing. */
export class CommandError extends PresentlyError {
  constructor(problem: string, options?: ErrorOptions) {
    super("MALFORMED_COMMAND", problem, options);
  }
}

/** The node's `access` does not let whoever asked do it. Nothing changes. */
export class ForbiddenError extends PresentlyError {
  constructor(what: string) {
    super("FORBIDDEN", `access does not let them ${what}`);
  }
}

/** A session joins a stream under a second id: `leave` first. Nothing changes. */
export class PresenceMismatchError extends PresentlyError {
  readonly stream: string;

  constructor(stream: string) {
    super(
      "PRESENCE_ID_MISMATCH",
      `this session is present on ${JSON.stringify(stream)} under another id: leave first`,
    );
    this.stream = stream;
  }
}

/** Presence was asked for where there is none: the stream has it switched off, or the channel names no stream for it. */
export class NoPresenceStreamError extends PresentlyError {
  constructor() {
    super("NO_PRESENCE_STREAM", "this subscription has no presence: name a stream with presenceFrom()");
  }
}
