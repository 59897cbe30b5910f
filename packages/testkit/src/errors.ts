/** What the simulator and its checks throw. */
import { PresentlyError } from "@presently/replica";

/** Something that must always hold did not. The message says what, where and when. */
export class InvariantError extends PresentlyError {
  /** The name of the invariant, as in the list of oracles. */
  readonly invariant: string;

  constructor(invariant: string, message: string, options?: ErrorOptions) {
    super("INVARIANT_BROKEN", `${invariant}: ${message}`, options);
    this.invariant = invariant;
  }
}

/** A scenario, or an argument of the simulator, that cannot be used as it is. */
export class ScenarioError extends PresentlyError {
  constructor(message: string, options?: ErrorOptions) {
    super("INVALID_SCENARIO", message, options);
  }
}

/** What a listener throws because a step of the history says so. */
export class PlannedError extends Error {
  constructor() {
    super("as planned");
    this.name = "PlannedError";
  }
}
