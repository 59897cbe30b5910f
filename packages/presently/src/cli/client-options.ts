/** The options that every command has that asks a running node. */
import { type Command, Option } from "commander";
import { UsageError } from "./failure.ts";
import { DEFAULT_URL, NodeClient } from "./node-client.ts";
import { readSecretFile } from "./secret-file.ts";

/** What those options hold after parsing. */
export interface ClientOptions {
  readonly url: string;
  readonly tokenFile?: string;
  readonly json: boolean;
}

/** Adds `--url`, `--token-file` and `--json` to a command. */
export function addClientOptions(command: Command): Command {
  return addTokenFileOption(command)
    .addOption(new Option("--url <url>", "HTTP address of the node to ask").default(DEFAULT_URL, DEFAULT_URL))
    .addOption(new Option("--json", "print JSON, for scripts").default(false, "off"));
}

/** Adds `--token-file` to a command that asks nodes. */
export function addTokenFileOption(command: Command): Command {
  return command.option(
    "--token-file <path>",
    "file with the token to show, instead of the environment's PRESENTLY_TOKEN (default: none)",
  );
}

/**
 * Asks the node at a URL, with the token that was given.
 *
 * @throws {UsageError} for a file that cannot be read, or a token beside it in the environment
 */
export function clientOf({ url, tokenFile }: Pick<ClientOptions, "url" | "tokenFile">): NodeClient {
  const fromEnvironment = process.env.PRESENTLY_TOKEN || undefined;
  if (tokenFile === undefined) return new NodeClient(url, fromEnvironment);
  if (fromEnvironment !== undefined)
    throw new UsageError("--token-file and PRESENTLY_TOKEN are both given: keep one of them");
  return new NodeClient(url, readSecretFile(tokenFile, "--token-file"));
}
