/** Starts a linked node in a process of its own, asks it, and ends it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LinkedNodeOrders } from "./linked-node-orders.ts";

const script = fileURLToPath(new URL("./linked-node.ts", import.meta.url));

export class LinkedNodeProcess {
  readonly #child: ChildProcess = fork(script);
  readonly #exited = once(this.#child, "exit");

  /** Gives the answer to an order; one at a time. */
  async ask<Name extends keyof LinkedNodeOrders>(
    order: Name,
    given: Parameters<LinkedNodeOrders[Name]>[0],
  ): Promise<ReturnType<LinkedNodeOrders[Name]>> {
    this.#child.send({ order, given });
    const [answer] = await Promise.race([
      once(this.#child, "message"),
      this.#exited.then(([code]) => {
        throw new Error(`a process ended (${code}) while it was asked to ${order}`);
      }),
    ]);
    return answer;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
