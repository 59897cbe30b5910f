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
  if (spec.kind === "switch") return new Option(flag, `Do not ${lowerFirst(spec.help)}`);
  const byDefault = spec.path === "logLevel" ? "info" : (spec.defaultText ?? spec.default);
  const option = new Option(
    `${flag} <${argumentOf(spec)}>`,
    `${spec.help} ${byDefault === "required" ? "(required)" : `(default: ${byDefault})`}`,
  );
  if (spec.kind !== "texts") return option;
  return option.argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value]);
}

function argumentOf({ path, kind, unit }: OptionSpec): string {
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
  options.logLevel ??= "info";
  const secret = readSecret(flags.secretFile ?? secretFileField, environment.PRESENTLY_SECRET);
  if (secret !== undefined) options.secret = secret;
  const demoControl = environment.PRESENTLY_DEMO_CONTROL;
  if (demoControl && isRecord(options.http)) options.http.demoControl = demoControl;
  return { options: options as unknown as NodeOptions, naming: namingFor(fromFile, flags) };
}

function applyFlag(
  options: Record<string, unknown>,
  spec: OptionSpec,
  flags: Readonly<Record<string, unknown>>,
): void {
  if (spec.flag === undefined || isAddress(spec)) return;
  const value = flags[attributeOf(spec.flag)];
  // A switch that was not touched is true for the parser; the file may still say otherwise.
  if (value === undefined || (spec.kind === "switch" && value === true)) return;
  setAt(options, spec, spec.kind === "integer" ? numberIn(value) : value);
}

/** What is no number stays as it is: the check of the configuration says what is wrong with it. */
function numberIn(value: unknown): unknown {
  return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
}

function setAt(options: Record<string, unknown>, { path, flag }: OptionSpec, value: unknown): void {
  const [section, field] = path.split(".") as [string, string | undefined];
  if (field === undefined) {
    options[section] = value;
    return;
  }
  const fields = options[section];
  if (!isRecord(fields)) {
    throw new UsageError(
      `${flag} needs --${section}: say where this node listens, for example --${section} 127.0.0.1:7001`,
    );
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
    const [section, field] = path.split(".") as [string, string | undefined];
    const inFile = field === undefined ? fromFile[section] : asRecord(fromFile[section])[field];
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
