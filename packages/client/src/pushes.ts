/** What was sent to the server and has no answer yet. */
import type { Push } from "phoenix";
import type { Answer } from "./own-meta.ts";

export class Pushes {
  readonly #unanswered = new Set<() => void>();

  /** Tells the answer once: that of the server, or a timeout, by the clock of phoenix.js or when they are given up. */
  push(push: Push, answered: (answer: Answer) => void): void {
    const settle = (answer: Answer) => {
      if (this.#unanswered.delete(giveUp)) answered(answer);
    };
    const giveUp = () => {
      cancelTimer(push);
      settle({ status: "timeout" });
    };
    this.#unanswered.add(giveUp);
    push
      .receive("ok", () => settle({ status: "ok" }))
      .receive("error", (answer) => settle({ status: "error", reason: answer?.reason }))
      .receive("timeout", () => settle({ status: "timeout" }));
  }

  /** Nobody waits for an answer any more. */
  giveUp(): void {
    for (const giveUp of this.#unanswered) giveUp();
  }
}

/** A push of phoenix.js keeps a process of Node.js alive until it times out, also when nobody waits for it any more. */
function cancelTimer(push: Push & { cancelTimeout?(): void }): void {
  push.cancelTimeout?.();
}
