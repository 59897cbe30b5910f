/**
 * Lines on standard output that cost the process nothing but themselves.
 *
 * A write never waits, never throws and never ends the process: what a slow reader has not taken waits in a bounded buffer,
 * and what cannot be written is dropped and counted. A line that can be written is there before the call returns, so that
 * the last line before an exit is there too.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { DroppedLines } from "./dropped-lines.ts";

const STDOUT = 1;
/** Bytes that wait for a reader; a line that does not fit in is dropped. */
export const WAITING_BYTES_MAX = 1_048_576;
/** Pause before waiting lines are tried again. */
const RETRY_MS = 50;
/** How long a reader may take for what still waits when the process ends. */
const EXIT_MS = 200;

/** Writes as `fs.writeSync` does: returns the number of bytes written, and throws `EAGAIN` where it would have to wait. */
export type WriteBytes = (bytes: Uint8Array) => number;

/** Lines to one file descriptor that must not block. */
export class LineOutput {
  readonly #write: WriteBytes;
  readonly #dropped = new DroppedLines();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** The last line was written in part, and its rest was dropped. */
  #isBroken = false;
  #retry: NodeJS.Timeout | undefined;
  #tellDropped: (count: number) => void = () => undefined;

  constructor(write: WriteBytes) {
    this.#write = write;
  }

  /** Lines that were dropped since the start. */
  get dropped(): number {
    return this.#dropped.total;
  }

  /**
   * Writes a line, which ends in a line feed; now, later, or not at all.
   *
   * @param tellDropped writes "`count` lines were dropped" once writing works again
   */
  write(line: string, tellDropped: (count: number) => void = () => undefined): void {
    const bytes = Buffer.from(line);
    this.#tellDropped = tellDropped;
    if (this.#waitingBytes + bytes.length > WAITING_BYTES_MAX && !this.#flush()) {
      this.#dropped.add(1);
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#flush();
  }

  /** Writes what waits, as far as that is possible without waiting. Returns true if nothing waits any more. */
  #flush(): boolean {
    const state = this.#drain();
    if (state === "full") {
      this.#retryLater();
      return false;
    }
    this.#settle();
    if (state === "written") this.#dropped.tell(this.#tellDropped);
    return true;
  }

  #drain(): "written" | "full" | "failed" {
    let done = 0;
    let isPart = false;
    let state: "written" | "full" | "failed" = "written";
    try {
      if (this.#isBroken) {
        this.#write(Buffer.from("\n"));
        this.#isBroken = false;
      }
      for (; done < this.#waiting.length; done++) {
        let rest = this.#waiting[done]!;
        while (rest.length > 0) {
          const written = this.#write(rest);
          this.#waitingBytes -= written;
          rest = rest.subarray(written);
          this.#waiting[done] = rest;
          isPart = rest.length > 0;
        }
      }
    } catch (error) {
      state = isBusy(error) ? "full" : "failed";
    }
    if (done > 0) this.#waiting.splice(0, done);
    if (state !== "failed") return state;
    // The disk is full, or the reader is gone: what waits would wait in vain.
    this.#isBroken ||= isPart;
    this.#dropped.add(this.#waiting.length);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return state;
  }

  #retryLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = setInterval(() => this.#flush(), RETRY_MS).unref();
    process.once("exit", this.#flushAtExit);
  }

  #settle(): void {
    if (this.#retry === undefined) return;
    clearInterval(this.#retry);
    this.#retry = undefined;
    process.off("exit", this.#flushAtExit);
  }

  /** Waits for a slow reader, but not for one that does not read. */
  readonly #flushAtExit = (): void => {
    const clock = new Int32Array(new SharedArrayBuffer(4));
    const giveUpAt = performance.now() + EXIT_MS;
    while (!this.#flush() && performance.now() < giveUpAt) Atomics.wait(clock, 0, 0, 5);
  };
}

function isBusy(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EAGAIN" || code === "EWOULDBLOCK";
}

let output: LineOutput | undefined;

/** The standard output of this process, of which there is one. */
export function standardOutput(): LineOutput {
  if (output === undefined) {
    const file = openWithoutWaiting(STDOUT);
    output = new LineOutput((bytes) => writeSync(file, bytes));
  }
  return output;
}

/** A file takes what it is given, or fails; a pipe and a terminal make a writer wait, unless they are asked not to. */
function openWithoutWaiting(file: number): number {
  try {
    // Without `bigint`, Node.js 20 takes the next symbolic link that it resolves for this file: a `require` then fails.
    if (fstatSync(file, { bigint: true }).isFile()) return file;
    return openSync(`/dev/fd/${file}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // A socket cannot be opened by name: Node.js, when it makes a stream of it, sets it so that nobody waits.
    void process.stdout;
    return file;
  }
}
