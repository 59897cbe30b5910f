/** The options of `presently start`: from flags, from a configuration file, and from the environment. */
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { parseHostAndPort } from "../address.ts";
import type { OptionNaming } from "../config.ts";
import type { NodeOptions } from "../node-options.ts";
import { type OptionSpec, optionTable } from "../option-table.ts";
import { UsageError } from "./failure.ts";

/** Where the HTTP API listens when nobody says where. The clients ask there by default. */
const DEFAULT_HTTP = "127.0.0.1:4001";

/** What `createNode` gets, and how errors call its options. */
export interface StartConfiguration {
  readonly options: NodeOptions;
  readonly naming: OptionNaming;
  /** The files that certificates, keys and authorities were read from. */
  readonly tlsFiles: readonly string[];
}

/** Adds every option to the command, with its unit and default. */
export function addStartOptions(command: Command): Command {
  for (const spec of optionTable) {
    if (spec.flag === undefined || spec.path.endsWith(".port")) continue;
    command.addOption(optionOf(spec, spec.flag));
    if (spec.path === "http.host") command.option("--no-http", "No HTTP API and no page.");
  }
  return command
    .option(
      "--secret-file <path>",
      "File with the secret that all nodes share, instead of the environment's PRESENTLY_SECRET. One a line: the " +
        "first proves this node, any of them proves a peer. (default: none)",
    )
    .option(
      "--config <path>",
      "JSON file with the options of createNode; flags win over it. (default: none)",
    );
}

/** `--mesh` and `--http` each set a host and a port. */
const addressHelp: Readonly<Record<string, string>> = {
  "mesh.host": "Where other nodes reach this one; without it the node stands alone. (default: none)",
  "http.host": `Where the HTTP API and the page are; they ask for no password. (default: ${DEFAULT_HTTP})`,
};

function isAddress({ path }: OptionSpec): boolean {
  return path.endsWith(".host") || path.endsWith(".port");
}

/** Defaults are told, not set: the parser must not hide what the configuration file says. */
function optionOf(spec: OptionSpec, flag: string): Option {
  if (isAddress(spec)) return new Option(`${flag} <host:port>`, addressHelp[spec.path]);
  if (spec.kind === "switch") {
    return new Option(flag, spec.default === true ? `Do not ${lowerFirst(spec.help)}` : spec.help);
  }
  const option = new Option(`${flag} <${argumentOf(spec)}>`, `${spec.help} (${defaultHelp(spec)})`);
  if (spec.kind !== "texts") return option;
  return option.argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value]);
}

function defaultHelp({ path, defaultText, default: byDefault }: OptionSpec): string {
  if (path === "logLevel") return "default: info";
  return defaultText?.startsWith("required") ? defaultText : `default: ${defaultText ?? byDefault}`;
}

function argumentOf({ path, kind, unit, file }: OptionSpec): string {
  if (file === true) return "file";
  if (kind === "integer") return unit ?? "number";
  if (path === "logLevel") return "level";
  return kind === "texts" || path === "mesh.advertise" ? "url" : "name";
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
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
  const fields = typeof flags.config === "string" ? readConfigFile(flags.config) : {};
  const { secretFile: secretFileField, ...fromFile } = fields;
  const options = structuredClone(fromFile) as Record<string, unknown>;
  applyAddress(options, "mesh", flags.mesh, undefined);
  applyAddress(options, "http", flags.http, DEFAULT_HTTP);
  for (const spec of optionTable) applyFlag(options, spec, flags);
  for (const spec of optionTable) applyFileField(options, spec);
  options.logLevel ??= "info";
  const secret = readSecret(flags.secretFile ?? secretFileField, environment.PRESENTLY_SECRET);
  if (secret !== undefined) options.secret = secret;
  const demoControl = environment.PRESENTLY_DEMO_CONTROL;
  if (demoControl && isRecord(options.http)) options.http.demoControl = demoControl;
  const tlsFiles = tlsFilesOf(flags, fields);
  return { options: options as unknown as NodeOptions, naming: namingFor(fromFile, flags), tlsFiles };
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

/** What stands at a path; undefined where there is nothing. */
function valueAt(fields: Record<string, unknown>, path: string): unknown {
  return path.split(".").reduce<unknown>((value, field) => asRecord(value)[field], fields);
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `--down-after-ms` is `downAfterMs` for the parser. */
function attributeOf(flag: string): string {
  return flag.replace(/^--(no-)?/, "").replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** An option that stands in the file only is called by its path there; every other one by its flag. */
function namingFor(
  fromFile: Record<string, unknown>,
  flags: Readonly<Record<string, unknown>>,
): OptionNaming {
  return (path) => {
    if (path === "secret") return "secret (PRESENTLY_SECRET or --secret-file)";
    const flag = optionTable.find((spec) => spec.path === path)?.flag;
    if (flag === undefined) return path;
    const inFile = valueAt(fromFile, path) ?? valueAt(fromFile, `${path}File`);
    const onCommandLine = flags[attributeOf(flag)];
    return inFile !== undefined && (onCommandLine === undefined || onCommandLine === true) ? path : flag;
  };
}

function readConfigFile(path: string): Record<string, unknown> {
  let fields: unknown;
  try {
    fields = JSON.parse(readTextFile(path, "--config"));
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`--config ${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (!isRecord(fields)) throw new UsageError(`--config ${path} must hold a JSON object`);
  if (fields.secret !== undefined) {
    throw new UsageError(
      `--config ${path} holds a secret: put it into a file of its own, and name that as "secretFile"`,
    );
  }
  return fields;
}

function readSecret(file: unknown, fromEnvironment: string | undefined): string | string[] | undefined {
  if (file === undefined) return fromEnvironment || undefined;
  if (typeof file !== "string") throw new UsageError("secretFile must be the path of a file");
  if (fromEnvironment)
    throw new UsageError("--secret-file and PRESENTLY_SECRET are both given: keep one of them");
  const secrets = readTextFile(file, "--secret-file")
    .split(/\r?\n/)
    .filter((line) => line !== "");
  if (secrets.length === 0) throw new UsageError(`--secret-file ${file} is empty`);
  return secrets;
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
