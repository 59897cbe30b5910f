/** Where log lines go: one JSON object a line for machines, one readable line for a person at a terminal. */
import { pino } from "pino";
import pinoPretty from "pino-pretty";

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
  /** One readable line, in colour, instead of JSON. */
  readonly pretty: boolean;
}

/**
 * A logger that writes to standard output before each call returns, so that the last line before an exit is there.
 *
 * A field named `secret` or `secrets` is blacked out, at any place where one could be by mistake.
 */
export function createLogger({ level, base, pretty }: LoggerOptions): Log {
  const options = {
    level,
    base,
    redact: { paths: ["secret", "secrets", "*.secret", "*.secrets"], censor: "[secret]" },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pretty
    ? pino(
        options,
        pinoPretty({
          sync: true,
          colorize: true,
          translateTime: "HH:MM:ss.l",
          ignore: "node",
          hideObject: true,
        }),
      )
    : pino(options, pino.destination({ dest: 1, sync: true }));
}
