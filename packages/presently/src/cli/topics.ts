/** `presently topics [prefix]`: the topics on which somebody is present. */
import type { Command } from "commander";
import type { TopicPage } from "../http/topic-page.ts";
import { addClientOptions, type ClientOptions, clientOf } from "./client-options.ts";
import type { NodeClient } from "./node-client.ts";
import { count, table } from "./terminal.ts";

/** Adds the command. */
export function addTopicsCommand(program: Command): void {
  const command = program
    .command("topics")
    .description("show the topics on which somebody is present")
    .argument("[prefix]", "only those that start with it", "");
  addClientOptions(command).action((prefix: string, options: ClientOptions) => topics(prefix, options));
}

async function topics(prefix: string, { json, ...node }: ClientOptions): Promise<void> {
  const found = await topicsOf(clientOf(node), prefix);
  if (json) {
    console.log(JSON.stringify({ topics: found }));
    return;
  }
  const rows = found.map(({ topic, keys, entries }) => [topic, String(keys), String(entries)]);
  if (rows.length > 0) console.log(table(["TOPIC", "KEYS", "ENTRIES"], rows));
  console.log(count(rows.length, "topic", "topics"));
}

/**
 * All topics of a node that start so, read page by page.
 *
 * @throws {CommandError} when no node answers, or when it refuses
 */
export async function topicsOf(client: NodeClient, prefix = ""): Promise<TopicPage["topics"]> {
  const found: TopicPage["topics"][number][] = [];
  let cursor: string | null = "";
  do {
    const query: string = new URLSearchParams({ prefix, cursor, limit: "1000" }).toString();
    const page: TopicPage = await client.get<TopicPage>(`/api/topics?${query}`);
    found.push(...page.topics);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}
