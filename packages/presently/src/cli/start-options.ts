/** The options of `presently start`: from flags, from a configuration file, and from the environment. */
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { parseHostAndPort } from "../address.ts";
import type { OptionNaming } from "../config.ts";
import type { NodeOptions } from "../node-options.ts";
import { type OptionSpec, optionTable } from "../option-table.ts";
import { readAccess } from "./access-flags.ts";
import { accessTable, hostTable } from "./command-table.ts";
import {
  type ConfigFile,
  describeProblem,
  noConfigFile,
  readConfigFile,
  splitFields,
} from "./config-file.ts";
import { UsageError } from "./failure.ts";
import { isRecord, valueAt } from "./fields.ts";
import { addFlags, attributeOf, flagOf } from "./option-flags.ts";
import { readSecretLines } from "./secret-file.ts";

/** Where the HTTP API listens when nobody says where. The clients ask there by default. */
const DEFAULT_HTTP = "127.0.0.1:4001";

/** What `createNode` gets, and how errors call its options. */
export interface StartConfiguration {
  readonly options: NodeOptions;
  readonly naming: OptionNaming;
  /** The files that certificates, keys and authorities were read from. */
  readonly tlsFiles: readonly string[];
  /** The flags, and what the file says of the options that are no options of `createNode`. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** Adds the options of the node to the command, with their units and defaults. */
export function addStartOptions(command: Command): void {
  for (const spec of optionTable) {
    const { flag } = spec;
    if (flag === undefined || spec.path.endsWith(".port")) continue;
    command.addOption(
      isAddress(spec) ? new Option(`${flag} <host:port>`, addressHelp[spec.path]) : flagOf({ ...spec, flag }),
    );
    if (spec.path === "http.host") command.option("--no-http", "No HTTP API and no page.");
  }
  addFlags(command, hostTable);
  addFlags(command, accessTable);
  command.option(
    "--config <path>",
    "YAML or JSON file with these options; flags win over it. `presently config check` looks through it. (default: none)",
  );
}

/** `--mesh` and `--http` each set a host and a port. */
const addressHelp: Readonly<Record<string, string>> = {
  "mesh.host": "Where other nodes reach this one; without it the node stands alone. (default: none)",
  "http.host": `Where the HTTP API and the page are; where other machines reach it, give --access-… or --open. (default: ${DEFAULT_HTTP})`,
};

function isAddress({ path }: OptionSpec): boolean {
  return path.endsWith(".host") || path.endsWith(".port");
}

/**
 * Puts the options together: flags over the file, and the secret.
 *
 * @param flags        what the command line parser found
 * @param environment  `PRESENTLY_SECRET`, and `PRESENTLY_DEMO_CONTROL` in a demo
 * @throws {UsageError} when a file cannot be read or used
 * @throws {InvalidArgumentError} for a malformed address
 */
export function readStartOptions(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): StartConfiguration {
  const file = typeof flags.config === "string" ? soundFile(flags.config) : noConfigFile;
  return combine(file.fields, flags, environment);
}

/** @throws {UsageError} for a file that says what no flag can put right */
function soundFile(path: string): ConfigFile {
  const file = readConfigFile(path, `--config ${path}`);
  const [first, ...others] = file.problems;
  if (first === undefined) return file;
  const more = others.length === 0 ? "" : ` (and ${others.length} more: presently config check ${path})`;
  throw new UsageError(`--config ${describeProblem(path, first)}${more}`);
}

/**
 * As `readStartOptions`, of what a file says.
 *
 * @param fields not changed
 */
export function combine(
  fields: Record<string, unknown>,
  given: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): StartConfiguration {
  const { options, flags: ofCommand } = splitFields(fields);
  const flags = { ...given };
  for (const [spec, value] of ofCommand) flags[attributeOf(spec.flag)] ??= value;
  // What `--no-http` says on the command line.
  if (options.http === false && typeof flags.http !== "string") flags.http = false;
  const fromFile = structuredClone(options);
  applyAddress(options, "mesh", flags.mesh, undefined);
  applyAddress(options, "http", flags.http, DEFAULT_HTTP);
  for (const spec of optionTable) applyFlag(options, spec, flags);
  for (const spec of optionTable) applyFileField(options, spec);
  options.logLevel ??= "info";
  const secret = readSecret(flags.secretFile, environment.PRESENTLY_SECRET);
  if (secret !== undefined) options.secret = secret;
  const access = readAccess(flags);
  if (access !== undefined) options.access = access;
  const demoControl = environment.PRESENTLY_DEMO_CONTROL;
  if (demoControl && isRecord(options.http)) options.http.demoControl = demoControl;
  const tlsFiles = tlsFilesOf(flags, fields);
  const naming = namingFor(fromFile, given);
  return { options: options as unknown as NodeOptions, naming, tlsFiles, flags };
}

/** Where certificates and keys come from, by flag or by the configuration file. */
function tlsFilesOf(flags: Readonly<Record<string, unknown>>, fields: Record<string, unknown>): string[] {
  const files: string[] = [];
  for (const spec of optionTable) {
    if (spec.file !== true) continue;
    const named = spec.flag === undefined ? undefined : flags[attributeOf(spec.flag)];
    const inFile = valueAt(fields, `${spec.path}File`);
    if (typeof (named ?? inFile) === "string") files.push(String(named ?? inFile));
  }
  return files;
}

function applyFlag(
  options: Record<string, unknown>,
  spec: OptionSpec,
  flags: Readonly<Record<string, unknown>>,
): void {
  if (spec.flag === undefined || isAddress(spec)) return;
  const value = flags[attributeOf(spec.flag)];
  // A switch `--no-…` that was not touched is true for the parser; the file may still say otherwise.
  if (value === undefined || (spec.kind === "switch" && value === spec.default)) return;
  if (spec.file === true) setAt(options, spec, readTextFile(String(value), spec.flag));
  else setAt(options, spec, spec.kind === "integer" ? numberIn(value) : value);
}

/** Puts the content of the file that `certFile` names into `cert`, unless a flag, which wins, did so. */
function applyFileField(options: Record<string, unknown>, spec: OptionSpec): void {
  if (spec.file !== true) return;
  const fields = valueAt(options, spec.path.slice(0, spec.path.lastIndexOf(".")));
  const field = spec.path.slice(spec.path.lastIndexOf(".") + 1);
  if (!isRecord(fields) || fields[`${field}File`] === undefined) return;
  const { [`${field}File`]: path, ...others } = fields;
  delete fields[`${field}File`];
  if (others[field] === undefined) fields[field] = readTextFile(String(path), `${spec.path}File`);
}

/** What is no number stays as it is: the check of the configuration says what is wrong with it. */
function numberIn(value: unknown): unknown {
  return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
}

function setAt(options: Record<string, unknown>, { path, flag }: OptionSpec, value: unknown): void {
  const [section, ...inner] = path.split(".") as [string, ...string[]];
  const field = inner.pop();
  if (field === undefined) {
    options[section] = value;
    return;
  }
  const outermost = options[section];
  if (!isRecord(outermost)) {
    throw new UsageError(
      `${flag} needs --${section}: say where this node listens, for example --${section} 127.0.0.1:7001`,
    );
  }
  let fields = outermost;
  for (const name of inner) {
    fields[name] ??= {};
    const within: unknown = fields[name];
    // What is no object is for the check of the configuration to refuse.
    if (!isRecord(within)) return;
    fields = within;
  }
  fields[field] = value;
}

/** A flag wins over the file, and the file over the default; without any of them the section stays out. */
function applyAddress(
  options: Record<string, unknown>,
  section: "mesh" | "http",
  flag: unknown,
  byDefault: string | undefined,
): void {
  const fields = options[section];
  if (flag === false) delete options[section];
  else if (typeof flag === "string") {
    options[section] = { ...asRecord(fields), ...parseHostAndPort(flag, `--${section}`) };
  } else if (byDefault !== undefined && (fields === undefined || isRecord(fields))) {
    options[section] = { ...parseHostAndPort(byDefault, `--${section}`), ...fields };
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

/** An option that stands in the file only is called by its path there; every other one by its flag. */
function namingFor(
  fromFile: Record<string, unknown>,
  flags: Readonly<Record<string, unknown>>,
): OptionNaming {
  return (path) => {
    if (path === "secret") return "secret (PRESENTLY_SECRET or --secret-file)";
    if (path === "access") return "access (--access-tokens-file or --access-jwt-secret-file)";
    const flag = optionTable.find((spec) => spec.path === path)?.flag;
    if (flag === undefined) return path;
    const inFile = valueAt(fromFile, path) ?? valueAt(fromFile, `${path}File`);
    const onCommandLine = flags[attributeOf(flag)];
    return inFile !== undefined && (onCommandLine === undefined || onCommandLine === true) ? path : flag;
  };
}

function readSecret(file: unknown, fromEnvironment: string | undefined): string | string[] | undefined {
  if (file === undefined) return fromEnvironment || undefined;
  if (typeof file !== "string") throw new UsageError("secretFile must be the path of a file");
  if (fromEnvironment)
    throw new UsageError("--secret-file and PRESENTLY_SECRET are both given: keep one of them");
  return readSecretLines(file, "--secret-file");
}

function readTextFile(path: string, flag: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(`${flag} ${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    });
  }
}
