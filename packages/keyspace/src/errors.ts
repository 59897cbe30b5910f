/** Every error that the use of a key space can cause, besides those of `presently`. */
import { PresentlyError } from "presently";

/** The key holds another type than the operation is for: use another key, or delete it first. */
export class WrongTypeError extends PresentlyError {
  readonly key: string;

  constructor(key: string, is: string, wanted: string) {
    super(
      "WRONG_TYPE",
      `WRONGTYPE key ${JSON.stringify(key)} holds a ${is}, not a ${wanted}: delete it first`,
    );
    this.key = key;
  }
}

/** A counter's text is no integer, or the result would not be a safe one. Nothing was changed. */
export class NotAnIntegerError extends PresentlyError {
  readonly key: string;

  constructor(key: string, problem: string) {
    super("NOT_AN_INTEGER", `the value at key ${JSON.stringify(key)} ${problem}`);
    this.key = key;
  }
}

/** The replica that serialises this key could not be asked in time. Whether it acted is not known; trying again can help. */
export class OwnerUnreachableError extends PresentlyError {
  readonly key: string;
  readonly owner: string;

  constructor(key: string, owner: string, waitedMs: number) {
    super(
      "OWNER_UNREACHABLE",
      `${owner}, which owns key ${JSON.stringify(key)}, did not answer within ${waitedMs} ms: try again`,
    );
    this.key = key;
    this.owner = owner;
  }
}

/** What was written is held by this replica alone: no other one confirmed it in time. It is not taken back. */
export class UnconfirmedError extends PresentlyError {
  constructor(waitedMs: number) {
    super(
      "UNCONFIRMED",
      `no other replica confirmed the write within ${waitedMs} ms; it spreads once one can be reached`,
    );
  }
}
