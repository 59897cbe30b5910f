/** What `presently start` serves besides the API: the drop-ins, which are packages of their own and are loaded when asked for. */
import type { Command } from "commander";
import { loadAnyCable } from "./anycable-extension.ts";
import { extensionTable } from "./command-table.ts";
import type { Extension } from "./extension.ts";
import { loadFaye } from "./faye-extension.ts";
import { addFlags } from "./option-flags.ts";
import { checkOrigins } from "./origin-flag.ts";
import { loadPhoenix } from "./phoenix-extension.ts";
import { loadPusher } from "./pusher-extension.ts";
import { loadSupabase } from "./supabase-extension.ts";
import { loadWebhooks } from "./webhook-extension.ts";

/** Adds the options of all of them. */
export function addExtensionOptions(command: Command): void {
  addFlags(command, extensionTable);
}

/**
 * Loads what the flags ask for.
 *
 * @throws {UsageError} for flags that cannot be used, alone or together
 * @throws {CommandError} for a package that is not installed
 */
export async function loadExtensions(
  flags: Readonly<Record<string, unknown>>,
  httpHost?: string,
): Promise<readonly Extension[]> {
  const origins = checkOrigins(flags);
  return [
    ...loadWebhooks(flags),
    ...(await loadFaye(flags, origins)),
    ...(await loadAnyCable(flags, origins, httpHost)),
    ...(await loadPhoenix(flags, origins)),
    ...(await loadSupabase(flags, origins)),
    ...(await loadPusher(flags, origins, httpHost)),
  ];
}
