/** The options that every command has that asks a running node. */
import { type Command, Option } from "commander";
import { DEFAULT_URL } from "./node-client.ts";

/** What those options hold after parsing. */
export interface ClientOptions {
  readonly url: string;
  readonly json: boolean;
}

/** Adds `--url` and `--json` to a command. */
export function addClientOptions(command: Command): Command {
  return command
    .addOption(new Option("--url <url>", "HTTP address of the node to ask").default(DEFAULT_URL, DEFAULT_URL))
    .addOption(new Option("--json", "print JSON, for scripts").default(false, "off"));
}
