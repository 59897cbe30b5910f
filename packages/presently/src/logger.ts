/** Where log lines go: one JSON object a line. */
import { pino } from "pino";
import { tellDroppedLines } from "./dropped-lines.ts";
import { type LineOutput, standardOutput } from "./standard-output.ts";

/** The levels of `logLevel`, from the least important line on; `silent` writes nothing. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

/** The least important line that is written; see `logLevels`. */
export type LogLevel = (typeof logLevels)[number];

/** What a node asks of a logger; pino's fits. Facts are fields of the line, the message is for people. */
export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** How `createLogger` writes. */
export interface LoggerOptions {
  readonly level: LogLevel;
  /** Fields of every line. */
  readonly base: Readonly<Record<string, unknown>>;
  /** What is written in place of a line of JSON, for people. Default: the line itself. */
  readonly form?: (line: string) => string;
  /** Default: standard output. */
  readonly output?: LineOutput;
}

/**
 * A logger that writes to standard output, and never blocks or throws: see `LineOutput`. A line that can be written is there
 * before the call returns.
 *
 * An error under `error` or `err` is logged with its type, message and stack. A field named `secret` or `secrets` is
 * blacked out, at any place where one could be by mistake.
 */
export function createLogger({
  level,
  base,
  form = (line) => line,
  output = standardOutput(),
}: LoggerOptions): Log {
  const logger = pino(
    {
      level,
      base,
      redact: { paths: ["secret", "secrets", "*.secret", "*.secrets"], censor: "[secret]" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    },
    { write: (line) => output.write(form(line), tellDropped) },
  );
  const tellDropped = (count: number) => tellDroppedLines(logger, count);
  return logger;
}
