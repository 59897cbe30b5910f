/**
 * Everything that is wrong with a configuration file, at once: the checks of a start stop at the first mistake, so they are
 * asked again without it until they find none.
 */
import { ConfigurationError, InvalidArgumentError, PresentlyError } from "@presently/replica";
import type { Access } from "../access/access.ts";
import { resolveConfig } from "../config.ts";
import type { NodeConfig } from "../node-options.ts";
import { optionTable } from "../option-table.ts";
import { checkAnyCable } from "./anycable-extension.ts";
import { type CommandOptionSpec, commandTable } from "./command-table.ts";
import type { ConfigFile, Problem } from "./config-file.ts";
import { UsageError } from "./failure.ts";
import { checkFaye } from "./faye-extension.ts";
import { deleteAt, setAt, valueAt } from "./fields.ts";
import { checkNats } from "./nats-flags.ts";
import { checkOrigins } from "./origin-flag.ts";
import { checkPhoenix } from "./phoenix-extension.ts";
import { checkPusher } from "./pusher-extension.ts";
import { combine, type StartConfiguration } from "./start-options.ts";
import { checkSupabase } from "./supabase-extension.ts";
import { loadWebhooks } from "./webhook-extension.ts";

/** What a file amounts to. `config` is what a node would be started with; undefined if it could not be. */
export interface ConfigReport {
  readonly problems: readonly Problem[];
  readonly config: NodeConfig | undefined;
  readonly flags: Readonly<Record<string, unknown>>;
}

/** Stands in for a name that is given on the command line. */
const ANY_NAME = "any";

/** Stands in for a secret whose file is wrong. */
const ANY_SECRET = "any secret of sufficient length";

/** More mistakes than a file has fields are none of the file's. */
const ATTEMPTS_MAX = 1_000;

/**
 * Looks through a file, and reads the files that it names.
 *
 * @param environment as for a start
 */
export function checkConfig(
  file: ConfigFile,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigReport {
  const problems: Problem[] = [...file.problems];
  const fields = structuredClone(file.fields);
  for (const { path } of file.problems) deleteAt(fields, path);
  fields.name ??= ANY_NAME;
  const note = (path: string, message: string) => {
    if (!problems.some((known) => known.path === path && known.message === message))
      problems.push({ path, message, place: placeNear(file, path) });
  };
  const { config, flags } = withoutMistakes(fields, environment, note);
  for (const check of [
    checkNats,
    checkOrigins,
    checkFaye,
    checkAnyCable,
    checkPhoenix,
    checkSupabase,
    checkPusher,
    loadWebhooks,
  ]) {
    try {
      check(flags, config?.http?.host);
    } catch (error) {
      if (!(error instanceof PresentlyError)) throw error;
      const { path, message } = inWordsOfTheFile(error.message);
      note(path, message);
    }
  }
  const line = ({ place }: Problem) => place?.line ?? 0;
  return { problems: problems.sort((one, other) => line(one) - line(other)), config, flags };
}

/** Takes mistakes out of `fields` until what is left can be used; gives that. */
function withoutMistakes(
  fields: Record<string, unknown>,
  environment: Readonly<Record<string, string | undefined>>,
  note: (path: string, message: string) => void,
): { readonly config: NodeConfig | undefined; readonly flags: Readonly<Record<string, unknown>> } {
  const given = structuredClone(fields);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const named: string[] = [];
    let combined: StartConfiguration | undefined;
    try {
      // A secret file that is wrong is one mistake, and not also a missing secret.
      const secret =
        has(given, "secretFile") && !has(fields, "secretFile") ? { PRESENTLY_SECRET: ANY_SECRET } : {};
      combined = combine(fields, {}, { ...environment, ...secret });
      const { options, flags } = combined;
      // A transport is made of flags, and is checked with those.
      const transport = flags.nats === undefined ? {} : { transport: () => neverUsed() };
      const naming = (path: string) => {
        named.push(path);
        return path;
      };
      // Nor is access that is wrong also missing access.
      const access = has(given, "access") && options.access === undefined ? { access: nobody } : {};
      return { config: resolveConfig({ ...options, ...transport, ...access }, naming), flags };
    } catch (error) {
      if (!isMistake(error)) throw error;
      const inFile = inWordsOfTheFile(error.message);
      const paths = named.length > 0 ? named : [inFile.path];
      const present = paths.flatMap((path) => [path, `${path}File`]).filter((path) => has(fields, path));
      const at = present[0] ?? paths[0] ?? "";
      note(at, inFile.message.startsWith(`${at} `) ? inFile.message.slice(at.length + 1) : inFile.message);
      if (!present.some((path) => takeOut(fields, path)) && !takeOut(fields, at)) {
        return { config: undefined, flags: combined?.flags ?? {} };
      }
    }
  }
  return { config: undefined, flags: {} };
}

/** Puts what cannot be left out in the place of a mistake; answers whether anything has changed by it. */
function takeOut(fields: Record<string, unknown>, path: string): boolean {
  const standIn = standIns[path];
  if (standIn !== undefined && valueAt(fields, path) !== standIn) return setAt(fields, path, standIn);
  // Without one of its parts the rest of this section cannot be looked at.
  return deleteAt(fields, path.startsWith("mesh.tls.") ? "mesh.tls" : path);
}

/** What a configuration cannot do without. The secret is missed only where other machines reach the node. */
const standIns: Readonly<Record<string, unknown>> = { name: ANY_NAME, "mesh.port": 0, "http.port": 0 };

function isMistake(error: unknown): error is PresentlyError {
  return (
    error instanceof UsageError ||
    error instanceof InvalidArgumentError ||
    error instanceof ConfigurationError
  );
}

function has(fields: Record<string, unknown>, path: string): boolean {
  return valueAt(fields, path) !== undefined;
}

const fileOptions = optionTable.filter(({ file }) => file === true).map(({ path }) => `${path}File`);

/** Longest first: `--phoenix` is the beginning of others. */
const byLength: readonly CommandOptionSpec[] = [...commandTable].sort(
  (one, other) => other.flag.length - one.flag.length,
);

/** An error about flags, about the fields of the file that stand for them; at the first of them. */
function inWordsOfTheFile(message: string): { readonly path: string; readonly message: string } {
  let text = message.replaceAll("leave --no-http out", "leave http: false out");
  for (const { flag, path } of byLength) text = text.replaceAll(flag, path);
  const [first] = [...fileOptions, ...commandTable.map(({ path }) => path)]
    .map((path) => ({ path, index: text.indexOf(path) }))
    .filter(({ index }) => index >= 0)
    .sort((one, other) => one.index - other.index || other.path.length - one.path.length);
  const path = first?.path ?? "";
  return { path, message: path !== "" && text.startsWith(`${path} `) ? text.slice(path.length + 1) : text };
}

/** What is missing has no place; the section that it is missing from has. */
function placeNear(file: ConfigFile, path: string): Problem["place"] {
  const found = file.placeOf(path);
  if (found !== undefined) return found;
  const dot = path.lastIndexOf(".");
  return dot < 0 ? undefined : placeNear(file, path.slice(0, dot));
}

/** Stands in for access that cannot be made. */
const nobody: Access = { authenticate: () => undefined, authorize: () => false };

function neverUsed(): never {
  throw new Error("nothing is started to check a configuration");
}
