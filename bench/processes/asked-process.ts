/** A process of its own that is asked by messages, one at a time, and answers each. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** @typeParam Orders what it may be asked for, and what it answers */
export class AskedProcess<Orders extends { [Name in keyof Orders]: (given: never) => unknown }> {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor(script: URL) {
    this.#child = fork(fileURLToPath(script));
    this.#exited = once(this.#child, "exit");
  }

  /** Gives the answer to an order; one at a time. */
  async ask<Name extends keyof Orders>(
    order: Name,
    given: Parameters<Orders[Name]>[0],
  ): Promise<ReturnType<Orders[Name]>> {
    this.#child.send({ order, given });
    const [answer] = await Promise.race([
      once(this.#child, "message"),
      this.#exited.then(([code]) => {
        throw new Error(`a process ended (${code}) while it was asked to ${String(order)}`);
      }),
    ]);
    return answer;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
