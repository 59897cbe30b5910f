/**
 * Messages to the others of a room, that wait while it is not joined, for as long as a message may take at all.
 *
 * phoenix.js has such a queue too, but keeps in it, without a bound, also what nobody waits for any more.
 */
import type { Clock } from "./clock.ts";
import { ClientError, limitReached } from "./errors.ts";
import type { Answer } from "./own-meta.ts";

export interface OutboxOptions {
  readonly topic: string;
  readonly pendingMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Whether a message can be sent at this moment. */
  readonly canSend: () => boolean;
  readonly send: (message: Message, answered: (answer: Answer) => void) => void;
}

export interface Message {
  readonly event: string;
  readonly payload: unknown;
}

interface Waiting {
  readonly message: Message;
  readonly settle: (answer: Answer) => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting = new Set<Waiting>();
  #pending = 0;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Settles when the server has accepted it. @throws {ClientError} `LIMIT_REACHED`, `MESSAGE_REFUSED`, `TIMED_OUT`, `CLOSED` */
  async post(message: Message): Promise<void> {
    const { pendingMax, timeoutMs, topic } = this.#options;
    if (this.#closed) throw left(topic);
    if (this.#pending >= pendingMax)
      throw limitReached("pendingMax", pendingMax, `messages without an answer in ${topic}`, topic);
    this.#pending++;
    try {
      const { status, reason } = await (this.#options.canSend()
        ? this.#sent(message)
        : this.#queued(message));
      if (status === "ok") return;
      if (this.#closed) throw left(topic);
      if (status === "timeout")
        throw new ClientError("TIMED_OUT", `a message in ${topic} was not answered in ${timeoutMs} ms`, {
          temporary: true,
          topic,
        });
      throw new ClientError("MESSAGE_REFUSED", `the server refused a message in ${topic}: ${reason}`, {
        topic,
        ...(reason !== undefined && { reason }),
      });
    } finally {
      this.#pending--;
    }
  }

  /** Joined: what waits goes out, in the order in which it came. */
  flush(): void {
    for (const { message, settle } of this.#waiting) void this.#sent(message).then(settle);
    this.#waiting.clear();
  }

  close(): void {
    this.#closed = true;
    for (const { settle } of this.#waiting) settle({ status: "timeout" });
    this.#waiting.clear();
  }

  #sent(message: Message): Promise<Answer> {
    return new Promise((resolve) => this.#options.send(message, resolve));
  }

  #queued(message: Message): Promise<Answer> {
    const { clock, timeoutMs } = this.#options;
    return new Promise((resolve) => {
      const waiting = {
        message,
        settle: (answer: Answer) => {
          stopTimer();
          resolve(answer);
        },
      };
      const stopTimer = clock.after(timeoutMs, () => {
        this.#waiting.delete(waiting);
        resolve({ status: "timeout" });
      });
      this.#waiting.add(waiting);
    });
  }
}

function left(topic: string): ClientError {
  return new ClientError("CLOSED", `the room ${topic} was left: join it again`, { topic });
}
