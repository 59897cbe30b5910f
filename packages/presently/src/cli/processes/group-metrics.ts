/** One answer to `GET /metrics` for all processes of a group, whichever was asked. */
import { shareMetrics } from "../../http/metrics.ts";
import type { PresentlyNode } from "../../node.ts";
import type { Slot } from "./affinity.ts";
import type { Relay } from "./relay.ts";

export interface GroupMetricsOptions {
  readonly node: PresentlyNode;
  readonly slot: Slot;
  /** Names of the group's nodes, in the order of their slots. */
  readonly names: readonly string[];
  readonly relay: Relay;
}

/** Adds the metrics of the others to those of the node, and which of the processes answer. */
export function shareGroupMetrics({ node, slot, names, relay }: GroupMetricsOptions): void {
  shareMetrics(node, async () => {
    const others = names
      .map((name, index) => ({ name, slot: index + 1 }))
      .filter((other) => other.slot !== slot);
    const answers = await Promise.all(
      others.map(async (other) => ({ ...other, metrics: await relay.ask(other.slot) })),
    );
    const up = [
      { name: node.name, isUp: true },
      ...answers.map(({ name, metrics }) => ({ name, isUp: Array.isArray(metrics) })),
    ];
    return [
      [
        {
          name: "presently_process_up",
          help: "1 for each process of `presently start --processes` that answers.",
          type: "gauge",
          aggregator: "sum",
          values: up.map(({ name, isUp }) => ({
            value: isUp ? 1 : 0,
            labels: { cluster: node.clusterName, node: name },
          })),
        },
      ],
      ...answers.flatMap(({ metrics }) => (Array.isArray(metrics) ? [metrics as object[]] : [])),
    ];
  });
}
