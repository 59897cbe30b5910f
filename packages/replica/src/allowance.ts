/** What one message may claim without listing it: a few bytes can stand for any number of events, or of equal values. */
import { ProtocolError } from "./errors.ts";

const CLAIMED_MAX = 1_000_000;

/** What one message may still claim. */
export class Allowance {
  private left = CLAIMED_MAX;

  /** @throws {ProtocolError} beyond it */
  take(claimed: number): void {
    this.left -= claimed;
    if (this.left < 0) throw new ProtocolError("BAD_FRAME", "too many numbers or values that are not listed");
  }
}
