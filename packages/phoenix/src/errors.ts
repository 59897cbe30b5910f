/** The errors of this package; those about presence itself and its limits come from `presently`. */
import { PresentlyError } from "presently";

/** A frame that is not a message of the protocol, or a message that has no frame. Costs a client its connection. */
export class FrameError extends PresentlyError {
  constructor(problem: string, options?: ErrorOptions) {
    super("MALFORMED_FRAME", problem, options);
  }
}

/** The same owner tracks the same key on the same topic already: use `update`. `reason` is Phoenix's word for it. */
export class AlreadyTrackedError extends PresentlyError {
  readonly reason = "already_tracked";
  readonly topic: string;
  readonly key: string;

  constructor(topic: string, key: string) {
    super(
      "ALREADY_TRACKED",
      `key ${JSON.stringify(key)} is tracked on topic ${JSON.stringify(topic)} already: update it`,
    );
    this.topic = topic;
    this.key = key;
  }
}

/** `update` of a presence that its owner does not hold: track it first. `reason` is Phoenix's word for it. */
export class NoPresenceError extends PresentlyError {
  readonly reason = "nopresence";
  readonly topic: string;
  readonly key: string;

  constructor(topic: string, key: string) {
    super(
      "NO_PRESENCE",
      `key ${JSON.stringify(key)} is not tracked on topic ${JSON.stringify(topic)}: track it first`,
    );
    this.topic = topic;
    this.key = key;
  }
}
