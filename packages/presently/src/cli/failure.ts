/** How a command ends when it cannot do what it was asked: one line, and an exit code that scripts can tell apart. */
import { ConfigurationError, InvalidArgumentError, PresentlyError } from "@presently/replica";
import { CommanderError } from "commander";

/** Exit codes of the command. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** The command was not understood; the message says what to write instead. */
export class UsageError extends PresentlyError {
  constructor(message: string, options?: ErrorOptions) {
    super("USAGE", message, options);
  }
}

/** The command was understood, but cannot be done now. */
export class CommandError extends PresentlyError {
  constructor(message: string, options?: ErrorOptions) {
    super("COMMAND_FAILED", message, options);
  }
}

/** What to print on standard error, if anything, and the exit code. */
export interface Ending {
  readonly line: string | undefined;
  readonly exitCode: number;
}

/** How an error ends the command. One that nobody foresaw keeps its stack: it is a bug to report. */
export function endingOf(error: unknown): Ending {
  if (error instanceof CommanderError) return endingOfCommander(error);
  if (!(error instanceof PresentlyError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { line: `presently: unexpected error: ${text}`, exitCode: EXIT.failed };
  }
  const isUsage =
    error instanceof UsageError ||
    error instanceof InvalidArgumentError ||
    error instanceof ConfigurationError;
  return { line: `presently: ${oneLine(error.message)}`, exitCode: isUsage ? EXIT.usage : EXIT.failed };
}

/** The parser throws also for `--help` and `--version`, after it has printed them. */
function endingOfCommander(error: CommanderError): Ending {
  if (error.exitCode === 0 || error.code === "commander.help") return { line: undefined, exitCode: EXIT.ok };
  return { line: `presently: ${oneLine(error.message.replace(/^error: /, ""))}`, exitCode: EXIT.usage };
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}
