/** A line of the log for a person at a terminal: the time (UTC), the level, the message, and the stack of an error. */
import { type Colour, coloured, printable } from "./terminal.ts";

const COLOURS: Readonly<Record<string, Colour>> = {
  debug: "dim",
  info: "green",
  warn: "yellow",
  error: "red",
};

/** What `createLogger` writes in place of a line of JSON. Control characters are shown, not obeyed. */
export function readableLine(json: string): string {
  const { time, level, msg, error, err } = JSON.parse(json);
  const stack: unknown = (error ?? err)?.stack;
  const lines = [msg, ...(typeof stack === "string" ? stack.split("\n") : [])].map((line) =>
    printable(String(line)),
  );
  const heading = `[${time.slice(11, 23)}] ${coloured(COLOURS[level] ?? "dim", level.toUpperCase())}`;
  return `${heading}: ${lines.join("\n")}\n`;
}
