/** `presently watch <topic>`: who comes and goes, as it happens. */
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { DiffJson, EntryJson, TopicJson } from "../http/presence-json.ts";
import { addClientOptions, type ClientOptions, clientOf } from "./client-options.ts";
import { CommandError } from "./failure.ts";
import type { NodeClient } from "./node-client.ts";
import type { ServerEvent } from "./server-events.ts";
import { coloured, printable, printableJson } from "./terminal.ts";

/** Between two attempts to reach a node that went away. */
const RECONNECT_MS = 1_000;
/** A stream that brings not even a heartbeat comment (one each 15 s) for so long is dead. */
const SILENT_MS = 60_000;

/** Adds the command. */
export function addWatchCommand(program: Command): void {
  const command = program
    .command("watch")
    .description("print who joins, leaves and changes on a topic, until interrupted")
    .argument("<topic>");
  addClientOptions(command).action((topic: string, options: ClientOptions) => watch(topic, options));
}

async function watch(topic: string, { json, ...node }: ClientOptions): Promise<void> {
  const client = clientOf(node);
  const show = json ? showJson : new Display(topic).show;
  let connected = false;
  let saidAway = false;
  for (;;) {
    let reason = "it ended the stream";
    try {
      for await (const event of untilSilent(client, topic)) {
        if (saidAway) note(`${client.url} is back`);
        connected = true;
        saidAway = false;
        show(event);
      }
    } catch (error) {
      // The first attempt tells whether the command makes sense at all; after it, the node comes back or is awaited.
      if (!connected || !(error instanceof CommandError)) throw error;
      reason = error.message;
    }
    if (!saidAway) note(`lost ${client.url}, asking again until it is back: ${reason}`);
    saidAway = true;
    await delay(RECONNECT_MS);
  }
}

async function* untilSilent(client: NodeClient, topic: string): AsyncGenerator<ServerEvent> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), SILENT_MS);
  try {
    for await (const event of client.events(topic, abort.signal)) {
      timer.refresh();
      yield event;
    }
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

function showJson({ event, data }: ServerEvent): void {
  if (event === "state" || event === "diff") console.log(`{"type":"${event}",${data.slice(1)}`);
}

/** Prints changes. After a reconnect it prints what changed in between, so that the lines always add up to the state. */
class Display {
  readonly #topic: string;
  #present: Map<string, EntryJson> | undefined;

  constructor(topic: string) {
    this.#topic = topic;
  }

  readonly show = ({ event, data }: ServerEvent): void => {
    if (event === "state") this.#showState(JSON.parse(data) as TopicJson);
    if (event === "diff") this.#showDiff(JSON.parse(data) as DiffJson);
    if (event === "error") note(`the node closed the stream: ${printable(data)}`);
  };

  #showState({ presences }: TopicJson): void {
    const previous = this.#present;
    const present = new Map<string, EntryJson>();
    for (const [key, { metas }] of Object.entries(presences)) {
      for (const meta of metas) present.set(meta.ref, { key, ...meta });
    }
    this.#present = present;
    if (previous === undefined) {
      console.log(`${present.size} present on ${printable(this.#topic)}`);
      for (const entry of present.values()) console.log(`  ${describe(entry)}`);
      return;
    }
    for (const entry of present.values()) {
      if (previous.has(entry.ref)) continue;
      const updated = entry.previousRef !== undefined && previous.delete(entry.previousRef);
      print(updated ? updatedLine(entry) : joinedLine(entry));
    }
    for (const entry of previous.values()) if (!present.has(entry.ref)) print(leftLine(entry, "left"));
  }

  #showDiff({ joins, leaves, updates }: DiffJson): void {
    const present = this.#present!;
    for (const entry of leaves) {
      present.delete(entry.ref);
      print(leftLine(entry, entry.reason));
    }
    for (const { before, after } of updates) {
      present.delete(before.ref);
      present.set(after.ref, after);
      print(updatedLine(after));
    }
    for (const entry of joins) {
      present.set(entry.ref, entry);
      print(joinedLine(entry));
    }
  }
}

function joinedLine(entry: EntryJson): string {
  return coloured("green", `+ ${describe(entry)}`);
}

function leftLine(entry: EntryJson, reason: string): string {
  return coloured("red", `- ${describe(entry)} (${printable(reason)})`);
}

function updatedLine(entry: EntryJson): string {
  return coloured("yellow", `~ ${describe(entry)}`);
}

function describe({ key, node, meta }: EntryJson): string {
  return `${printable(key)} on ${printable(node)} ${printableJson(meta)}`;
}

function print(line: string): void {
  const time = new Date().toTimeString().slice(0, 8);
  console.log(`${coloured("dim", time)} ${line}`);
}

/** Standard error, so that what a script reads is events alone. */
function note(message: string): void {
  console.error(`presently: ${message}`);
}
