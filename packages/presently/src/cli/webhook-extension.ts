/** `presently start --webhook`: tells an HTTP endpoint who comes and goes. */
import type { Command } from "commander";
import { resolveWebhookOptions, type WebhookOptions } from "../webhooks/options.ts";
import { startWebhooks } from "../webhooks/webhooks.ts";
import type { Extension } from "./extensions.ts";
import { UsageError } from "./failure.ts";
import { readSecretFile } from "./secret-file.ts";

export function addWebhookOptions(command: Command): void {
  command
    .option(
      "--webhook <url>",
      "Post who comes and goes to this URL; start all nodes with it alike, and one of them posts each event. (default: none)",
    )
    .option("--webhook-secret-file <path>", "File with the secret that signs what is posted. (default: none)")
    .option(
      "--webhook-topic <name>",
      "Topic that is reported, or the beginning of some with a * behind it; may be given several times. (default: *)",
      (value: string, previous: string[] | undefined) => [...(previous ?? []), value],
    );
}

/**
 * @throws {UsageError} for flags that cannot be used together
 * @throws {InvalidArgumentError} for a URL or topic that cannot be used
 */
export function loadWebhooks(flags: Readonly<Record<string, unknown>>): readonly Extension[] {
  const { webhook: url, webhookSecretFile: file, webhookTopic: topics = ["*"] } = flags;
  if (url === undefined) {
    for (const [flag, value] of [
      ["--webhook-secret-file", file],
      ["--webhook-topic", flags.webhookTopic],
    ])
      if (value !== undefined) throw new UsageError(`${flag} needs --webhook`);
    return [];
  }
  if (file === undefined)
    throw new UsageError(
      "--webhook needs --webhook-secret-file: without, receivers could not know who posts",
    );
  const secret = readSecretFile(String(file), "--webhook-secret-file");
  const options: WebhookOptions = { url: String(url), secret, topics: topics as string[] };
  // Found wrong now rather than when the node is up.
  resolveWebhookOptions(options);
  return [
    (node, log) => {
      startWebhooks(node, {
        ...options,
        onNotice: ({ level, message, type }) => log[level]({ type }, message),
      });
    },
  ];
}
