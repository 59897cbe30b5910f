/**
 * How a question gives its answer: as a table on standard output and, when `npm run bench -- --record` asks for it, also
 * for `RESULTS.md`. What it says on the way goes to standard error, so that the output stays a result.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** One table of results. Every row has as many cells as there are columns. */
export interface Table {
  /** What was measured, on what workload, in a sentence or two. */
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What a reader must know to judge the figures, a sentence each. */
  readonly notes?: readonly string[];
}

/** A picture that was written for this question. */
export interface Picture {
  readonly caption: string;
  /** Its file in `bench/results`. */
  readonly file: string;
}

/** Names the file to which a question appends what it wants recorded, one JSON text a line. */
export const RECORDING_VARIABLE = "BENCH_RECORDING";

const results = fileURLToPath(new URL("./results/", import.meta.url));

/** Prints a table, and has it recorded if that was asked for. */
export function report(table: Table): void {
  console.log(textOf(table));
  record({ table });
}

/** Writes a picture into `bench/results`, if recording was asked for; a run that is only a look changes no file. */
export function picture(name: string, caption: string, svg: string): void {
  if (process.env[RECORDING_VARIABLE] === undefined) return;
  mkdirSync(results, { recursive: true });
  writeFileSync(`${results}${name}.svg`, svg);
  const shown: Picture = { caption, file: `${name}.svg` };
  record({ picture: shown });
}

/** A log is not a terminal: a line this often says enough. */
const LOGGED_EVERY_MS = 10_000;
let loggedAt = Number.NEGATIVE_INFINITY;

/** Says how far a long run has come. On a terminal each call takes the place of the one before. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K  ${text}`);
  else if (performance.now() - loggedAt >= LOGGED_EVERY_MS) {
    loggedAt = performance.now();
    process.stderr.write(`  … ${text}\n`);
  }
}

/** Takes the last progress line off the terminal. */
export function progressDone(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
}

/** A table for a terminal: the first column to the left, the others to the right. */
export function textOf({ caption, columns, rows, notes = [] }: Table): string {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => row[index]!.length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!)))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [caption, "", line(columns), rule, ...rows.map(line), ...notes.map((note) => `· ${note}`)].join(
    "\n",
  );
}

/** The same table in Markdown. */
export function markdownOf({ caption, columns, rows, notes = [] }: Table): string {
  const escaped = (cell: string) => cell.replaceAll("|", "\\|");
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(" | ")} |`;
  const rule = `|${columns.map((_, index) => (index === 0 ? "---" : "---:")).join("|")}|`;
  const table = [line(columns), rule, ...rows.map(line)].join("\n");
  return [caption, table, ...(notes.length > 0 ? [notes.map((note) => `- ${note}`).join("\n")] : [])].join(
    "\n\n",
  );
}

function record(line: { readonly table: Table } | { readonly picture: Picture }): void {
  const file = process.env[RECORDING_VARIABLE];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}
