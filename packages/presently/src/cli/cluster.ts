/** `presently cluster`: the nodes as one of them sees them. */
import type { Command } from "commander";
import type { ClusterJson, ReplicaJson } from "../http/api.ts";
import { addClientOptions, type ClientOptions } from "./client-options.ts";
import { NodeClient } from "./node-client.ts";
import { coloured, duration, table } from "./terminal.ts";

/** Adds the command. */
export function addClusterCommand(program: Command): void {
  const command = program.command("cluster").description("show the nodes as one of them sees them");
  addClientOptions(command).action((options: ClientOptions) => cluster(options));
}

async function cluster({ url, json }: ClientOptions): Promise<void> {
  const state = await new NodeClient(url).get<ClusterJson>("/api/cluster");
  if (json) {
    console.log(JSON.stringify(state));
    return;
  }
  const rows = state.replicas.map((replica) => [
    replica.node,
    replica.replica,
    replica.status,
    String(replica.entries),
    replica.status === "self" ? "-" : `${duration(replica.heardAgoMs)} ago`,
    pathTo(replica),
    agreement(replica),
    replica.address ?? "-",
  ]);
  const heading = ["NODE", "REPLICA", "STATUS", "ENTRIES", "HEARD", "LINK", "AGREES", "ADDRESS"];
  console.log(table(heading, rows));
  const ready = state.ready ? "ready" : coloured("yellow", "not ready");
  console.log(`cluster ${state.cluster}, as ${state.node} sees it; ${state.node} is ${ready}`);
}

function pathTo({ status, linked }: ReplicaJson): string {
  if (linked) return "direct";
  return status === "up" || status === "suspect" ? "through others" : "-";
}

function agreement({ status, agrees, agreedAgoMs }: ReplicaJson): string {
  if (status === "self") return "-";
  if (agrees === null) return "unknown";
  if (agrees) return "yes";
  return agreedAgoMs === null ? "not yet" : `not since ${duration(agreedAgoMs)}`;
}
