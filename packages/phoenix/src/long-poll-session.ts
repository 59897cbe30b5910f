/** One client that polls: what it has not fetched yet waits here. */
import { randomBytes } from "node:crypto";
import { Backlog } from "presently/drop-in";
import { CLOSE } from "./close-code.ts";
import type { Connection, Outlet } from "./connection.ts";
import type { Frame } from "./frame.ts";
import type { Limits } from "./limits.ts";

/** The answer to a poll. `status` is in the body, where the client looks for it: the status of HTTP is always 200. */
export interface PollAnswer {
  readonly status: 200 | 204 | 410;
  readonly token: string;
  readonly messages: readonly string[];
}

/** A poll that waits to be answered. Answering `undelivered` frames returns them. */
export interface Poll {
  answer(answer: PollAnswer, undelivered: () => void): void;
}

/** A session without a poll is dropped after so many times the window. */
const IDLE_WINDOWS = 1.5;

export class LongPollSession implements Outlet {
  /** Cannot be guessed: who has it is the client. */
  readonly token = randomBytes(24).toString("base64url");
  readonly #limits: Limits;
  readonly #ended: (session: LongPollSession) => void;
  readonly #idleTimer: NodeJS.Timeout;
  /** The client takes all that it polls for text. */
  readonly takesBinary = false;
  connection: Connection | undefined;
  #waiting: string[] = [];
  #waitingBytes = 0;
  readonly #backlog = new Backlog();
  #poll: { readonly poll: Poll; readonly timer: NodeJS.Timeout } | undefined;
  #scheduled = false;
  #open = true;

  constructor(limits: Limits, ended: (session: LongPollSession) => void) {
    this.#limits = limits;
    this.#ended = ended;
    this.#idleTimer = setTimeout(() => {
      // While a poll waits the client is there, whatever the timer says.
      if (this.#poll === undefined) this.#lose();
    }, IDLE_WINDOWS * limits.longPollWindowMs);
  }

  /** The client polls: answered as soon as there is something, or when the window is over. */
  listen(poll: Poll): void {
    this.heard();
    // Two polls at a time: the client has given up the first one.
    this.#answer(204);
    const timer = setTimeout(() => this.#answer(204), this.#limits.longPollWindowMs);
    this.#poll = { poll, timer };
    if (this.#waiting.length > 0) this.#answer(200);
  }

  /** The client is gone before its poll was answered. */
  abandon(poll: Poll): void {
    if (this.#poll?.poll !== poll) return;
    clearTimeout(this.#poll.timer);
    this.#poll = undefined;
    this.heard();
  }

  /** The client gave a sign of life. */
  heard(): void {
    if (this.#open) this.#idleTimer.refresh();
  }

  send(frame: Frame): void {
    if (!this.#open || frame.text === undefined) return;
    const { bufferedBytesMax } = this.#limits;
    if (this.#backlog.exceeds(bufferedBytesMax, this.#waitingBytes, frame.bytes.length)) {
      this.connection?.close(CLOSE.slow, `more than ${bufferedBytesMax} bytes wait to be polled`);
      return;
    }
    this.#waiting.push(frame.text);
    this.#waitingBytes += frame.bytes.length;
    // What is sent in one go is answered in one go.
    if (this.#poll === undefined || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#waiting.length > 0) this.#answer(200);
    });
  }

  /** The poll that waits learns what there is to learn; the next one finds the session gone, and the client connects again. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#idleTimer);
    this.#answer(this.#waiting.length > 0 ? 200 : 410);
    this.#ended(this);
  }

  #lose(): void {
    this.connection?.lost();
    this.close();
  }

  #answer(status: 200 | 204 | 410): void {
    if (this.#poll === undefined) return;
    const { poll, timer } = this.#poll;
    this.#poll = undefined;
    clearTimeout(timer);
    if (this.#open) this.#idleTimer.refresh();
    const messages = status === 200 ? this.#waiting : [];
    if (status === 200) {
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    poll.answer({ status, token: this.token, messages }, () => this.#takeBack(messages));
  }

  /** An answer that broke off is given again to the next poll. */
  #takeBack(messages: readonly string[]): void {
    if (!this.#open || messages.length === 0) return;
    this.#waiting.unshift(...messages);
    for (const message of messages) this.#waitingBytes += Buffer.byteLength(message);
  }
}
