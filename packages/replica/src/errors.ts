/** Every error that a user or a peer can cause, each with a stable code. */

/** The base of Presently's errors: `code` is stable and for programs, the message says what to do. */
export class PresentlyError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An argument or option that cannot be used as it is: correct it and call again. */
export class InvalidArgumentError extends PresentlyError {
  constructor(what: string, problem: string, options?: ErrorOptions) {
    super("INVALID_ARGUMENT", `${what} ${problem}`, options);
  }
}

/** A bound named by the configuration was reached; nothing was changed. */
export class LimitError extends PresentlyError {
  /** The option that names the bound. */
  readonly option: string;
  readonly limit: number;

  constructor(option: string, limit: number, what: string) {
    super("LIMIT_REACHED", `${what}: the limit is ${limit} (option ${option})`);
    this.option = option;
    this.limit = limit;
  }
}

/** Options that contradict each other; the message names both. */
export class ConfigurationError extends PresentlyError {
  constructor(message: string, options?: ErrorOptions) {
    super("INVALID_CONFIGURATION", message, options);
  }
}

/** The session, replica or node was closed before this call. */
export class ClosedError extends PresentlyError {
  constructor(what: string) {
    super("CLOSED", `${what} is closed: open another one`);
  }
}

/** `update` of a presence that this session does not hold: track it first. */
export class NotTrackedError extends PresentlyError {
  constructor(topic: string, key: string) {
    super(
      "NOT_TRACKED",
      `this session does not track key ${JSON.stringify(key)} on topic ${JSON.stringify(topic)}: track it first`,
    );
  }
}

/** What a peer sent is not a message of this protocol. Costs the sender its link, and nothing else. */
export class ProtocolError extends PresentlyError {
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
