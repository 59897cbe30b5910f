/** What becomes of a command whose output cannot be written. */
import { EXIT } from "./failure.ts";

/** `presently topics | head` closes our output early: that is how such a pipe ends, and no failure. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT.ok);
    process.stderr.write(`presently: the output cannot be written: ${error.message}\n`);
    process.exit(EXIT.failed);
  });
  // There is nobody left to tell.
  process.stderr.on("error", () => undefined);
}

/** For commands that run nodes: who is present matters more than what is printed. */
export function outliveReader(): void {
  process.stdout.removeAllListeners("error").on("error", () => undefined);
}
