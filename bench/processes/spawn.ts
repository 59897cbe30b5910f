/** Starts nodes in processes of their own, and ends them. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Order } from "./node.ts";

const script = fileURLToPath(new URL("./node.ts", import.meta.url));

export class NodeProcess {
  readonly #child: ChildProcess = fork(script);

  /** Gives the answer to an order. */
  async ask<T>(order: Order): Promise<T> {
    this.#child.send(order);
    return await this.answer<T>();
  }

  /** The next thing it says. */
  async answer<T>(): Promise<T> {
    const [message] = await once(this.#child, "message");
    return message as T;
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}
