/** What can go wrong with NATS, as typed errors. */
import { PresentlyError } from "presently";

/** NATS cannot be used as it is configured; `cause` has what its client says. Nothing was left behind. */
export class NatsError extends PresentlyError {
  constructor(code: "NATS_UNREACHABLE" | "NATS_REFUSED" | "NATS_PAYLOAD", message: string, cause?: unknown) {
    super(code, message, { cause });
  }
}
