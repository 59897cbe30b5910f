/** `presently list <topic>`: who is present on a topic now. */
import type { Command } from "commander";
import type { TopicJson } from "../http/presence-json.ts";
import { addClientOptions, type ClientOptions, clientOf } from "./client-options.ts";
import { count, printable, printableJson, table } from "./terminal.ts";

/** Adds the command. */
export function addListCommand(program: Command): void {
  const command = program.command("list").description("show who is present on a topic").argument("<topic>");
  addClientOptions(command).action((topic: string, options: ClientOptions) => list(topic, options));
}

async function list(topic: string, { json, ...node }: ClientOptions): Promise<void> {
  const state = await clientOf(node).get<TopicJson>(`/api/topics/${encodeURIComponent(topic)}`);
  if (json) {
    console.log(JSON.stringify(state));
    return;
  }
  const rows = Object.entries(state.presences).flatMap(([key, { metas }]) =>
    metas.map(({ node, meta }) => [key, node, printableJson(meta)]),
  );
  if (rows.length > 0) console.log(table(["KEY", "NODE", "META"], rows));
  console.log(`${state.keys} present on ${printable(topic)}, ${count(state.entries, "entry", "entries")}`);
}
