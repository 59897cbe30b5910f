/** Starts a crowd in a process of its own, asks it, and ends it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CrowdedNodeOrders } from "./crowded-node-orders.ts";

const script = fileURLToPath(new URL("./crowded-node.ts", import.meta.url));

export class CrowdedNodeProcess {
  readonly #child: ChildProcess = fork(script);
  readonly #exited = once(this.#child, "exit");

  /** Gives the answer to an order; one at a time. */
  async ask<Name extends keyof CrowdedNodeOrders>(
    order: Name,
    given: Parameters<CrowdedNodeOrders[Name]>[0],
  ): Promise<ReturnType<CrowdedNodeOrders[Name]>> {
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
