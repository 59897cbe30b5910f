/**
 * Which node reports what happens on a topic: all nodes that see the same nodes say the same, without asking.
 *
 * A node that is ready to report says so by being present on a topic of its own. So one that is lost is out of it with
 * everything else of it, and one that is still catching up is not in it yet.
 */
import { createHash } from "node:crypto";
import type { ReplicaId } from "@presently/replica";
import { WEBHOOKS_TOPIC } from "../drop-in/reserved-topics.ts";
import type { PresentlyNode } from "../node.ts";

export class Electorate {
  readonly #node: PresentlyNode;
  readonly #endings: (() => void)[];
  #members: readonly string[] | undefined;

  constructor(node: PresentlyNode) {
    this.#node = node;
    const changed = () => {
      this.#members = undefined;
    };
    this.#endings = [node.watch(WEBHOOKS_TOPIC, changed), node.onReplica(changed)];
  }

  /** Takes part from now on. */
  join(): void {
    const session = this.#node.session();
    session.track(WEBHOOKS_TOPIC, this.#node.name);
    this.#endings.push(() => session.close());
  }

  /** Whether this node is the one. Cost: O(nodes). */
  isInCharge(topic: string): boolean {
    this.#members ??= this.#list();
    let best: { readonly replica: string; readonly weight: string } | undefined;
    for (const replica of this.#members) {
      const weight = createHash("sha1").update(replica).update("\0").update(topic).digest("hex");
      if (best === undefined || weight > best.weight) best = { replica, weight };
    }
    return best?.replica === this.#node.replica;
  }

  close(): void {
    for (const end of this.#endings) end();
  }

  /** A node that is leaving is shown until its hand-off ends, but reports nothing any more. */
  #list(): readonly string[] {
    const statuses = new Map(this.#node.cluster().map(({ replica, status }) => [replica, status]));
    return this.#node
      .list(WEBHOOKS_TOPIC)
      .filter(({ replica }) => isActive(statuses.get(replica)))
      .map(({ replica }: { readonly replica: ReplicaId }) => replica);
  }
}

function isActive(status: string | undefined): boolean {
  return status === "self" || status === "up" || status === "suspect";
}
