/** Text for a terminal. What it shows was written by strangers, so nothing reaches the terminal as a control sequence. */

/** How a line looks where colours are shown. */
export type Colour = "green" | "red" | "yellow" | "dim" | "bold";

const codes: Readonly<Record<Colour, number>> = { green: 32, red: 31, yellow: 33, dim: 2, bold: 1 };

/** Whether standard output shows colours; `NO_COLOR` says no. */
export function showsColours(): boolean {
  return process.stdout.isTTY === true && !process.env.NO_COLOR;
}

/** The text in a colour, where colours are shown. */
export function coloured(colour: Colour, text: string): string {
  return showsColours() ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
}

/**
 * The text without control characters and without those that turn the direction of writing: each becomes `\u{…}`.
 * A key named after a terminal's escape sequence is then shown, not obeyed.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** A meta on one line. */
export function printableJson(value: unknown): string {
  return printable(JSON.stringify(value));
}

/** Rows in aligned columns under a heading; the last column is not padded. Cells are made printable. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = heading.map((title, column) =>
    cells.reduce((widest, row) => Math.max(widest, [...(row[column] ?? "")].length), title.length),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + " ".repeat(widths[column]! - [...cell].length),
      )
      .join("  ")
      .trimEnd();
  return [coloured("bold", line(heading)), ...cells.map(line)].join("\n");
}

/** `1 topic`, `2 topics`. */
export function count(number: number, singular: string, plural: string): string {
  return `${number} ${number === 1 ? singular : plural}`;
}

/** A duration for people: `850 ms`, `12 s`, `3 min`, `5 h`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 120_000) return `${Math.round(milliseconds / 1_000)} s`;
  if (milliseconds < 7_200_000) return `${Math.round(milliseconds / 60_000)} min`;
  return `${Math.round(milliseconds / 3_600_000)} h`;
}
