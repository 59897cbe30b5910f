/** Stands between a node and the log that an application handed in: nothing behind it can stop or break the node. */
import { reportRejection } from "@presently/replica";
import { DroppedLines, tellDroppedLines } from "./dropped-lines.ts";
import type { Log } from "./logger.ts";

/** A log whose methods never throw. A line that the log behind it refuses, at once or later, is counted. */
export class GuardedLog implements Log {
  readonly #log: Log;
  readonly #dropped = new DroppedLines();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Lines that the log behind this one refused. */
  get dropped(): number {
    return this.#dropped.total;
  }

  debug(facts: object, message: string): void {
    this.#write("debug", facts, message);
  }

  info(facts: object, message: string): void {
    this.#write("info", facts, message);
  }

  warn(facts: object, message: string): void {
    this.#write("warn", facts, message);
  }

  error(facts: object, message: string): void {
    this.#write("error", facts, message);
  }

  #write(level: keyof Log, facts: object, message: string): void {
    const refused = () => this.#dropped.add(1);
    try {
      // Some logs return a promise, though none is asked for.
      reportRejection(this.#log[level](facts, message), refused);
    } catch {
      refused();
      return;
    }
    this.#dropped.tell((count) => tellDroppedLines(this, count));
  }
}
