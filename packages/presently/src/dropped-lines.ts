/** Lines of a log that could not be written: they are counted, and said once writing works again. */
export class DroppedLines {
  /** All since the start. */
  total = 0;
  #untold = 0;

  add(count: number): void {
    this.total += count;
    this.#untold += count;
  }

  /** Says how many were dropped since the last time, if any were. Call it after a line was written. */
  tell(write: (count: number) => void): void {
    const count = this.#untold;
    if (count === 0) return;
    this.#untold = 0;
    write(count);
    // This line was dropped in its turn: the next one names those too.
    if (this.#untold > 0) this.#untold += count;
  }
}

/** Writes the line about dropped lines. */
export function tellDroppedLines(
  log: { error(facts: object, message: string): unknown },
  count: number,
): void {
  log.error({ type: "log-lines-dropped", dropped: count }, `${count} lines of the log were dropped`);
}
