/** `presently evict <replica>`: makes a node forget one that will not come back. */
import { nameOf, type ReplicaId } from "@presently/replica";
import type { Command } from "commander";
import type { Eviction } from "../eviction.ts";
import type { ClusterJson, ReplicaJson } from "../http/cluster-api.ts";
import { addClientOptions, type ClientOptions, clientOf } from "./client-options.ts";
import { CommandError, EXIT } from "./failure.ts";
import { count, printable } from "./terminal.ts";

/** Adds the command. */
export function addEvictCommand(program: Command): void {
  const command = program
    .command("evict")
    .description("make a node forget one that will not come back, with its presences")
    .argument("<replica>", 'a replica of "presently cluster", or the name of its node')
    .addHelpText(
      "after",
      "\nEach node forgets for itself: without --everywhere, only the one that is asked does.",
    )
    .option("--everywhere", "make all nodes forget it, and say which have", false);
  addClientOptions(command).action((replica: string, options: EvictOptions) => evict(replica, options));
}

interface EvictOptions extends ClientOptions {
  readonly everywhere: boolean;
}

async function evict(named: string, { json, everywhere, ...node }: EvictOptions): Promise<void> {
  const client = clientOf(node);
  const state = await client.get<ClusterJson>("/api/cluster");
  const replica = replicaNamed(named, state);
  const path = `/api/cluster/replicas/${encodeURIComponent(replica.replica)}`;
  const eviction = everywhere ? await client.delete<Eviction>(`${path}?everywhere=true`) : undefined;
  if (!everywhere) await client.delete(path);
  const { forgottenBy, unanswered }: Eviction = eviction ?? {
    forgottenBy: [state.replica as ReplicaId],
    unanswered: [],
  };
  if (unanswered.length > 0) process.exitCode = EXIT.failed;
  if (json) {
    const facts = { evicted: replica.replica, by: state.replica, entries: replica.entries };
    console.log(JSON.stringify(everywhere ? { ...facts, forgottenBy, unanswered } : facts));
    return;
  }
  const gone = count(replica.entries, "entry", "entries");
  const who = forgottenBy.map((each) => printable(nameOf(each))).join(", ");
  const verb = forgottenBy.length === 1 ? "has" : "have";
  console.log(`${who} ${verb} forgotten ${printable(replica.replica)}, with ${gone}`);
  for (const each of unanswered)
    console.log(`${printable(each)} did not answer: ask it again, by its own --url`);
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
