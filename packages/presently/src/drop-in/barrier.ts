/**
 * Has everything arrived here that the other nodes did before now?
 *
 * A node answers a request behind all changes that it made before, on the same link and in order. So once every linked node has
 * answered, what it had done when it was asked is known here. Needed where something else than the mesh carries events to clients:
 * a list that is made behind the barrier lacks nobody whose event went out before it.
 */
import { checkObject } from "@presently/replica";
import { BARRIER_CHANNEL } from "../barrier-channel.ts";
import type { AnyNode } from "../node.ts";

/** A node that does not answer within this time is not waited for: nobody can join through it meanwhile. */
const TIMEOUT_MS = 1_000;

export class Barrier {
  readonly #node: Pick<AnyNode, "cluster" | "request">;
  /** One that has not been asked for yet, and so counts for everybody who comes until then. */
  #next: Promise<void> | undefined;
  #current: Promise<void> = Promise.resolve();

  /** @throws {InvalidArgumentError} unless it is a node */
  constructor(node: Pick<AnyNode, "cluster" | "request">) {
    checkObject("node", node, ["cluster", "request"]);
    this.#node = node;
  }

  /** Settles when what linked nodes had done before this call is known here. Never rejects. All who wait at a time share one. */
  passed(): Promise<void> {
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      this.#current = this.#ask();
      return this.#current;
    });
    return this.#next;
  }

  async #ask(): Promise<void> {
    const peers = this.#node.cluster().filter(({ linked, status }) => linked && status === "up");
    await Promise.all(
      peers.map(({ replica }) =>
        this.#node
          .request(replica, BARRIER_CHANNEL, null, { timeoutMs: TIMEOUT_MS })
          // It is gone, or stands still: nobody joins through it now.
          .catch(() => undefined),
      ),
    );
  }
}
