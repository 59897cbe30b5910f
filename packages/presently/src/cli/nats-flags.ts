/** `presently start --nats`: NATS instead of the mesh. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { TransportFactory } from "../transport.ts";
import { natsTable } from "./command-table.ts";
import { UsageError } from "./failure.ts";
import { load } from "./load-package.ts";
import { addFlags } from "./option-flags.ts";

/** What is used of `@presently/nats`. It depends on this package, so that its types are not to be had here. */
interface NatsPackage {
  nats(options: { readonly servers: readonly string[]; readonly authenticator?: unknown }): TransportFactory;
  credsAuthenticator(credentials: Uint8Array): unknown;
}

export function addNatsOptions(command: Command): void {
  addFlags(command, natsTable);
}

/** What the flags ask for. */
interface NatsSettings {
  readonly servers: readonly string[];
  readonly credentials: Uint8Array | undefined;
}

/**
 * Gives what the flags ask for; undefined if they do not ask for it.
 *
 * @throws {UsageError} for flags that cannot be used, alone or together
 */
export function checkNats(flags: Readonly<Record<string, unknown>>): NatsSettings | undefined {
  const { nats: servers, natsCredentialsFile: file } = flags as {
    nats?: string[];
    natsCredentialsFile?: string;
  };
  if (servers === undefined) {
    if (file !== undefined)
      throw new UsageError("--nats-credentials-file needs --nats, for example --nats nats://127.0.0.1:4222");
    return undefined;
  }
  for (const server of servers)
    if (!/^(nats|tls):\/\/[^\s/]+$/.test(server))
      throw new UsageError(`--nats ${JSON.stringify(server)} must be a URL: write nats://host:port`);
  return { servers, credentials: file === undefined ? undefined : credentialsIn(file) };
}

/**
 * The transport that the flags ask for; undefined if they ask for none.
 *
 * @throws {UsageError} for flags that cannot be used, alone or together
 * @throws {CommandError} for a package that is not installed
 */
export async function loadNats(
  flags: Readonly<Record<string, unknown>>,
): Promise<TransportFactory | undefined> {
  const settings = checkNats(flags);
  if (settings === undefined) return undefined;
  const { servers, credentials } = settings;
  const { nats, credsAuthenticator } = (await load("@presently/nats", "--nats")) as NatsPackage;
  return nats({
    servers,
    ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(credentials) }),
  });
}

function credentialsIn(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    throw new UsageError(`--nats-credentials-file ${file} cannot be read (${String(code)})`, { cause });
  }
}
