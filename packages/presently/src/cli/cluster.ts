/** `presently cluster`: the nodes as one of them sees them. */
import type { Command } from "commander";
import type { ClusterJson, ReplicaJson } from "../http/cluster-api.ts";
import type { LinkReport } from "../http/served-node.ts";
import { addClientOptions, type ClientOptions, clientOf } from "./client-options.ts";
import { coloured, duration, printable, table } from "./terminal.ts";

/** Adds the command. */
export function addClusterCommand(program: Command): void {
  const command = program.command("cluster").description("show the nodes as one of them sees them");
  addClientOptions(command).action((options: ClientOptions) => cluster(options));
}

async function cluster({ json, ...node }: ClientOptions): Promise<void> {
  const state = await clientOf(node).get<ClusterJson>("/api/cluster");
  console.log(json ? JSON.stringify(state) : clusterText(state));
}

/** The cluster for people: a row a replica, and below it whether the node is ready and what it had to repair or refuse. */
export function clusterText(state: ClusterJson): string {
  const links = new Map(state.links.map((link) => [link.replica, link]));
  const rows = state.replicas.map((replica) => [
    replica.node,
    replica.replica,
    replica.status,
    String(replica.entries),
    String(replica.events),
    replica.status === "self" ? "-" : `${duration(replica.heardAgoMs)} ago`,
    pathTo(replica, links.get(replica.replica)),
    agreement(replica),
    replica.address ?? "-",
  ]);
  const heading = ["NODE", "REPLICA", "STATUS", "ENTRIES", "EVENTS", "HEARD", "LINK", "AGREED", "ADDRESS"];
  const ready = state.ready
    ? "ready"
    : coloured("yellow", `not ready: ${printable(state.notReadyReason ?? "")}`);
  const [cluster, node] = [printable(state.cluster), printable(state.node)];
  return [
    table(heading, rows),
    `cluster ${cluster}, as ${node} sees it; ${node} is ${ready}`,
    ...troubles(state).map((line) => coloured("yellow", line)),
  ].join("\n");
}

function pathTo({ status, linked }: ReplicaJson, link: LinkReport | undefined): string {
  if (!linked) return status === "up" || status === "suspect" ? "through others" : "-";
  const unsent = link?.bufferedBytes ?? 0;
  return unsent === 0 ? "direct" : `direct, ${Math.ceil(unsent / 1024)} KiB unsent`;
}

/** When its digest last agreed with the node's own; "not since" says that the newest one did not. */
function agreement({ status, agrees, agreedAgoMs }: ReplicaJson): string {
  if (status === "self") return "-";
  if (agrees === null) return "unknown";
  if (agreedAgoMs === null) return "not yet";
  return agrees ? `${duration(agreedAgoMs)} ago` : `not since ${duration(agreedAgoMs)}`;
}

/** What an operator should know of, where there is any. */
function troubles({ counters, refused, sync }: ClusterJson): string[] {
  const lines: string[] = [];
  if (sync) {
    const { from, entriesReceived, entriesExpected } = sync;
    lines.push(
      `brought up to date by ${printable(from)}: ${entriesReceived} of ${entriesExpected} entries have come`,
    );
  }
  const { divergences, nameConflicts } = counters;
  if (divergences > 0) lines.push(`divergences found and repaired: ${divergences}`);
  if (nameConflicts > 0) lines.push(`name conflicts: ${nameConflicts}`);
  const reasons = Object.entries(refused).map(([code, times]) => `${printable(code)} ${times}`);
  if (reasons.length > 0) lines.push(`refused connections by reason: ${reasons.join(", ")}`);
  return lines;
}
