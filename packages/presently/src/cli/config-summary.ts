/** What a configuration amounts to, for people: what was given, and nothing that is secret. */
import type { NodeConfig } from "../node-options.ts";
import { optionTable } from "../option-table.ts";
import { commandTable } from "./command-table.ts";
import { valueAt } from "./fields.ts";
import { attributeOf } from "./option-flags.ts";

export interface SummaryOptions {
  readonly config: NodeConfig;
  readonly flags: Readonly<Record<string, unknown>>;
  /** What the file says. */
  readonly fields: Record<string, unknown>;
  /** Options at their defaults, too. */
  readonly all: boolean;
  /** Where the secret comes from that is not in a file. */
  readonly secretInEnvironment: boolean;
}

/** Lines of `option: value`, as they could stand in a file. */
export function summaryOf({ config, flags, fields, all, secretInEnvironment }: SummaryOptions): string[] {
  const lines: string[] = fields.name === undefined ? ["name: what --name says"] : [];
  let hidden = 0;
  for (const spec of optionTable) {
    const value = valueAt(config as unknown as Record<string, unknown>, spec.path);
    const isSection = spec.path.includes(".");
    if (value === undefined && (isSection || !all)) continue;
    if (spec.path === "name" && fields.name === undefined) continue;
    if (!all && !isWorthALine(fields, spec.path)) hidden++;
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

/** Where it listens is worth a line in any case. */
function isWorthALine(fields: Record<string, unknown>, path: string): boolean {
  const isGiven = valueAt(fields, path) !== undefined || valueAt(fields, `${path}File`) !== undefined;
  return isGiven || /\.(host|port)$/.test(path);
}
