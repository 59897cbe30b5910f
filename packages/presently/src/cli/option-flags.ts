/** A row of a table of options, as a flag of the command. */
import { type Command, Option } from "commander";
import type { OptionSpec } from "../option-table.ts";

/** A row that has a flag. */
export type FlagSpec = OptionSpec & { readonly flag: string; readonly argument?: string };

/** Adds the flags of a table. */
export function addFlags(command: Command, table: readonly FlagSpec[]): void {
  for (const spec of table) command.addOption(flagOf(spec));
}

/** Defaults are told, not set: the parser must not hide what the configuration file says. */
export function flagOf(spec: FlagSpec): Option {
  const { flag, kind, help } = spec;
  if (kind === "switch") return new Option(flag, spec.default === true ? `Do not ${lowerFirst(help)}` : help);
  const option = new Option(`${flag} <${argumentOf(spec)}>`, `${help} (${defaultHelp(spec)})`);
  if (kind !== "texts") return option;
  return option.argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value]);
}

/** `--down-after-ms` is `downAfterMs` for the parser. */
export function attributeOf(flag: string): string {
  return flag.replace(/^--(no-)?/, "").replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function defaultHelp({ path, defaultText, default: byDefault }: FlagSpec): string {
  if (path === "logLevel") return "default: info";
  return defaultText?.startsWith("required") ? defaultText : `default: ${defaultText ?? byDefault}`;
}

function argumentOf({ path, kind, unit, file, argument }: FlagSpec): string {
  if (argument !== undefined) return argument;
  if (file === true) return "file";
  if (kind === "integer") return unit ?? "number";
  if (path === "logLevel") return "level";
  return kind === "texts" || path === "mesh.advertise" ? "url" : "name";
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
