/** `presently start --webhook`: tells an HTTP endpoint who comes and goes. */
import { resolveWebhookOptions, type WebhookOptions } from "../webhooks/options.ts";
import { startWebhooks } from "../webhooks/webhooks.ts";
import type { Extension } from "./extension.ts";
import { UsageError } from "./failure.ts";
import { readSharedSecret } from "./secret-file.ts";

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
  const secret = readSharedSecret(String(file), "--webhook-secret-file");
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
