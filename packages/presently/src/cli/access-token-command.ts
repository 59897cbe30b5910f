/** `presently token`: makes API tokens, and what nodes keep of them. */
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { stringify } from "yaml";
import { type ApiToken, ApiTokens, createApiToken, hashApiToken } from "../access/api-token.ts";
import { UsageError } from "./failure.ts";

interface TokenOptions {
  readonly id: string;
  readonly scope: readonly string[];
  readonly expires?: string;
  readonly json: boolean;
}

/** Adds the command. */
export function addTokenCommand(program: Command): void {
  const token = program
    .command("token")
    .description("make API tokens for presently start --access-tokens-file");
  addTokenOptions(token.command("create").description("make a token, and the entry that lets it in")).action(
    (options: TokenOptions) => print(createApiToken(), options, true),
  );
  addTokenOptions(
    token
      .command("hash")
      .description("make the entry for a token that is there already, from standard input"),
  ).action(async (options: TokenOptions) => print((await text(process.stdin)).trim(), options, false));
}

function addTokenOptions(command: Command): Command {
  return command
    .requiredOption("--id <name>", "who holds the token; the key under which its scopes track: are present")
    .requiredOption(
      "--scope <scope>",
      "what it may be used for, watch:room:* or inspect:metrics for example; repeat it for more",
      (scope: string, previous: readonly string[] | undefined) => [...(previous ?? []), scope],
    )
    .option("--expires <date>", "when it ceases to count, 2030-01-01T00:00:00Z for example (default: never)")
    .option("--json", "print JSON, for scripts", false);
}

function print(token: string, { id, scope, expires, json }: TokenOptions, isNew: boolean): void {
  if (token === "") throw new UsageError("no token came on standard input");
  const entry: ApiToken = {
    id,
    hash: hashApiToken(token),
    scopes: scope,
    ...(expires === undefined ? {} : { expires }),
  };
  // Found wrong now rather than when a node starts with it.
  new ApiTokens([entry]);
  if (json) {
    console.log(JSON.stringify(isNew ? { token, entry } : { entry }));
    return;
  }
  if (isNew)
    console.log(`${token}\n\nThat is the token; it is shown this once. The entry for the file of tokens:\n`);
  console.log(stringify([entry]).trimEnd());
}
