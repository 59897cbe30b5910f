/** `presently evict <replica>`: makes a node forget one that will not come back. */
import type { Command } from "commander";
import type { ClusterJson, ReplicaJson } from "../http/cluster-api.ts";
import { addClientOptions, type ClientOptions } from "./client-options.ts";
import { CommandError } from "./failure.ts";
import { NodeClient } from "./node-client.ts";
import { count, printable } from "./terminal.ts";

/** Adds the command. */
export function addEvictCommand(program: Command): void {
  const command = program
    .command("evict")
    .description("make a node forget one that will not come back, with its presences")
    .argument("<replica>", 'a replica of "presently cluster", or the name of its node')
    .addHelpText(
      "after",
      "\nEach node forgets for itself: run it once for every node that still knows the replica.",
    );
  addClientOptions(command).action((replica: string, options: ClientOptions) => evict(replica, options));
}

async function evict(named: string, { url, json }: ClientOptions): Promise<void> {
  const client = new NodeClient(url);
  const state = await client.get<ClusterJson>("/api/cluster");
  const replica = replicaNamed(named, state);
  await client.delete(`/api/cluster/replicas/${encodeURIComponent(replica.replica)}`);
  if (json) {
    console.log(JSON.stringify({ evicted: replica.replica, by: state.replica, entries: replica.entries }));
    return;
  }
  const gone = count(replica.entries, "entry", "entries");
  console.log(`${printable(state.node)} has forgotten ${printable(replica.replica)}, with ${gone}`);
  if (replica.status === "up" || replica.status === "suspect")
    console.log("it was not down: if it still runs, it comes back with its next heartbeat");
}

/**
 * The replica with this id; or, if it is the name of a node, the one life of that node that is known.
 *
 * @throws {CommandError} when there is none, or when a name leaves it open which is meant
 */
export function replicaNamed(
  named: string,
  { node, replicas }: Pick<ClusterJson, "node" | "replicas">,
): ReplicaJson {
  const exact = replicas.find(({ replica }) => replica === named);
  if (exact !== undefined) return exact;
  const lives = replicas.filter((candidate) => candidate.node === named);
  if (lives.length === 1) return lives[0]!;
  const known = (lives.length === 0 ? replicas : lives).map(({ replica }) => printable(replica)).join(", ");
  throw new CommandError(
    lives.length === 0
      ? `${printable(node)} knows no replica ${JSON.stringify(named)}; it knows ${known}`
      : `${JSON.stringify(named)} may be any of ${known}: name one`,
  );
}
