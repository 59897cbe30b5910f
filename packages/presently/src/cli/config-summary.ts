/** What a configuration amounts to, for people: what differs from the defaults, and nothing that is secret. */
import type { NodeConfig } from "../node-options.ts";
import { type OptionSpec, optionTable } from "../option-table.ts";
import { commandTable } from "./command-table.ts";
import { valueAt } from "./fields.ts";
import { attributeOf } from "./option-flags.ts";

export interface SummaryOptions {
  readonly config: NodeConfig;
  readonly flags: Readonly<Record<string, unknown>>;
  /** Options at their defaults, too. */
  readonly all: boolean;
  /** Where the secret comes from that is not in a file. */
  readonly secretInEnvironment: boolean;
}

/** Lines of `option: value`, as they could stand in a file. */
export function summaryOf({ config, flags, all, secretInEnvironment }: SummaryOptions): string[] {
  const lines: string[] = [];
  let hidden = 0;
  for (const spec of optionTable) {
    const value = valueAt(config as unknown as Record<string, unknown>, spec.path);
    const isSection = spec.path.includes(".");
    if (value === undefined && (isSection || !all)) continue;
    if (!all && isDefault(spec, value)) hidden++;
    else lines.push(`${spec.path}: ${spec.file === true ? "(read from its file)" : JSON.stringify(value)}`);
  }
  for (const { path, flag } of commandTable) {
    const value = flags[attributeOf(flag)];
    if (value !== undefined && value !== false) lines.push(`${path}: ${JSON.stringify(value)}`);
  }
  if (secretInEnvironment) lines.push("the secret: from PRESENTLY_SECRET");
  else if (config.secrets.length === 0) lines.push("the secret: none; loopback needs none");
  if (config.http === undefined) lines.push("http: false");
  if (hidden > 0) lines.push(`and ${hidden} options at their defaults, which --all shows`);
  return lines;
}

function isDefault({ path, kind, default: byDefault }: OptionSpec, value: unknown): boolean {
  // Where it listens is worth a line in any case.
  if (/\.(host|port)$/.test(path)) return false;
  if (kind === "texts") return Array.isArray(value) && value.length === 0;
  return value === (path === "logLevel" ? "info" : byDefault);
}
