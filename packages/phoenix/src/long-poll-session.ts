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

/** A poll that waits to be answered. */
export interface Poll {
  /** Answers it; `done` is told once, whether the client has the answer. */
  answer(answer: PollAnswer, done: (arrived: boolean) => void): void;
  /** Cuts off a client that does not read its answer. */
  abort(): void;
}

/** A session without a poll is dropped after so many times the window. */
const IDLE_WINDOWS = 1.5;
/** How long the last answer of a session may take to be read. */
const LAST_ANSWER_MS = 2_000;

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
  /** Answered, and not read yet: one at a time, or a client that never reads would hold as much with each poll. */
  #unread: Poll | undefined;
  #incomingBytes = 0;
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
    this.#unread?.abort();
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

  /** Counts bytes of a request under way; false if there are more of them, in all requests together, than there may be. */
  takeIn(bytes: number): boolean {
    this.#incomingBytes += bytes;
    return this.#incomingBytes <= this.#limits.longPollBodyBytesMax;
  }

  /** The request that they came with is over. */
  takenIn(bytes: number): void {
    this.#incomingBytes -= bytes;
  }

  send(frame: Frame): void {
    if (!this.#open || frame.text === undefined) return;
    const { bufferedBytesMax } = this.#limits;
    if (this.#backlog.exceeds(bufferedBytesMax, this.#waitingBytes, frame.size)) {
      this.connection?.close(CLOSE.slow, `more than ${bufferedBytesMax} bytes wait to be polled`);
      return;
    }
    this.#waiting.push(frame.text);
    this.#waitingBytes += frame.size;
    this.#schedule();
  }

  /** What is sent in one go is answered in one go. */
  #schedule(): void {
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
    setTimeout(() => this.#unread?.abort(), LAST_ANSWER_MS).unref();
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
    this.#unread = poll;
    poll.answer({ status, token: this.token, messages }, (arrived) => {
      if (this.#unread === poll) this.#unread = undefined;
      if (!arrived) this.#takeBack(messages);
    });
  }

  /** An answer that broke off is given again to the next poll. */
  #takeBack(messages: readonly string[]): void {
    if (!this.#open || messages.length === 0) return;
    this.#waiting.unshift(...messages);
    for (const message of messages) this.#waitingBytes += Buffer.byteLength(message);
    this.#schedule();
  }
}
