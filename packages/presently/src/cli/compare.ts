/** `presently compare <url> <url>`: whether two nodes agree, and where not. */
import { setTimeout as delay } from "node:timers/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ClusterJson } from "../http/cluster-api.ts";
import type { TopicJson } from "../http/presence-json.ts";
import { addTokenFileOption, clientOf } from "./client-options.ts";
import { type Difference, differencesOf, type NodeView, type ViewPair } from "./comparison.ts";
import { CommandError, EXIT, UsageError } from "./failure.ts";
import type { NodeClient } from "./node-client.ts";
import { count, printable } from "./terminal.ts";
import { topicsOf } from "./topics.ts";

const DEFAULT_SETTLE_MS = 3_000;
const SETTLE_MS_MAX = 600_000;
/** Between two looks at what differed. */
const PAUSE_MS = 200;
/** Topics that are read from a node at a time. */
const READS_AT_A_TIME = 8;
/** Differences that are shown to people; JSON has all. */
const LINES_MAX = 50;

interface CompareOptions {
  readonly tokenFile?: string;
  readonly json: boolean;
  readonly settleMs: number;
}

/** Adds the command. */
export function addCompareCommand(program: Command): void {
  addTokenFileOption(program.command("compare"))
    .description("say whether two nodes agree on replicas and presences, and where not")
    .argument("<url>", "HTTP address of a node, http://127.0.0.1:4001 for example")
    .argument("<other>", "HTTP address of another node of the same cluster")
    .addOption(
      new Option("--settle-ms <ms>", "how long a difference may take to go away by itself")
        .default(DEFAULT_SETTLE_MS)
        .argParser(parseSettleMs),
    )
    .addOption(new Option("--json", "print JSON, for scripts").default(false, "off"))
    .addHelpText(
      "after",
      "\nExit code 0: they agree. 1: they differ, or could not be asked. 2: not understood.",
    )
    .action((url: string, other: string, options: CompareOptions) => compare([url, other], options));
}

function parseSettleMs(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= SETTLE_MS_MAX) return value;
  throw new InvalidArgumentError(`it must be a whole number of ms from 0 to ${SETTLE_MS_MAX}.`);
}

async function compare(
  urls: readonly [string, string],
  { json, settleMs, ...node }: CompareOptions,
): Promise<void> {
  const clients = [clientOf({ ...node, url: urls[0] }), clientOf({ ...node, url: urls[1] })] as const;
  const first = await readBoth(clients);
  checkComparable(first);
  const differences = await stillThereAfter(settleMs, differencesOf(first), clients);
  if (differences.length > 0) process.exitCode = EXIT.failed;
  const nodes = first.map(({ cluster }) => cluster.node);
  if (json) {
    const lines = differences.map(({ line }) => line);
    console.log(JSON.stringify({ agree: lines.length === 0, nodes, differences: lines }));
    return;
  }
  for (const { line } of differences.slice(0, LINES_MAX)) console.log(line);
  if (differences.length > LINES_MAX)
    console.log(`… and ${differences.length - LINES_MAX} more (--json has all)`);
  const [one, other] = nodes.map(printable);
  const seen = count(first[0].topics.size, "topic", "topics");
  if (differences.length === 0) console.log(`${one} and ${other} agree, on ${seen}`);
  else console.log(`${one} and ${other} differ in ${count(differences.length, "thing", "things")}`);
}

/** Looks again at what differs until nothing does, or the time is over; gives what differed every time. */
async function stillThereAfter(
  settleMs: number,
  found: readonly Difference[],
  clients: readonly [NodeClient, NodeClient],
): Promise<readonly Difference[]> {
  const giveUpAt = performance.now() + settleMs;
  let differences = found;
  while (differences.length > 0 && performance.now() < giveUpAt) {
    await delay(PAUSE_MS);
    const topics = new Set(differences.flatMap(({ topic }) => topic ?? []));
    const later = await readBoth(clients, [...topics]);
    differences = differences.filter((difference) => difference.remains(later));
  }
  return differences;
}

async function readBoth(
  [one, other]: readonly [NodeClient, NodeClient],
  topics?: readonly string[],
): Promise<ViewPair> {
  return await Promise.all([readView(one, topics), readView(other, topics)]);
}

/** What a node says of these topics; of all that it knows, if none are given. */
async function readView(client: NodeClient, wanted?: readonly string[]): Promise<NodeView> {
  const cluster = await client.get<ClusterJson>("/api/cluster");
  const names = wanted ?? (await topicsOf(client)).map(({ topic }) => topic).filter(canBeAsked);
  const topics = new Map<string, TopicJson>();
  for (let start = 0; start < names.length; start += READS_AT_A_TIME) {
    const group = names.slice(start, start + READS_AT_A_TIME);
    const states = await Promise.all(
      group.map((name) => client.get<TopicJson>(`/api/topics/${encodeURIComponent(name)}`)),
    );
    for (const state of states) topics.set(state.topic, state);
  }
  return { cluster, topics };
}

/** In a path these two mean "here" and "one up", however they are encoded. */
function canBeAsked(topic: string): boolean {
  return topic !== "." && topic !== "..";
}

function checkComparable([{ cluster: one }, { cluster: other }]: ViewPair): void {
  if (one.replica === other.replica)
    throw new UsageError(`both URLs lead to ${printable(one.replica)}: give those of two nodes`);
  if (one.cluster !== other.cluster) {
    throw new CommandError(
      `${printable(one.node)} belongs to cluster ${printable(one.cluster)}, ${printable(other.node)} to ${printable(other.cluster)}`,
    );
  }
}
