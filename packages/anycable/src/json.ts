/** Reading and writing the JSON of the protocol. */
import { deeperThan } from "presently/drop-in";
import { CommandError } from "./errors.ts";

/** Levels of maps and arrays; deeper text would overflow the stack of whoever walks the value. */
const DEPTH_MAX = 32;

/** A value that is JSON text already. It goes into a frame as it stands. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** @throws {CommandError} for what is not JSON, or is nested deeper than 32 levels */
export function parseJson(text: string): unknown {
  if (deeperThan(text, DEPTH_MAX)) throw new CommandError(`nested deeper than ${DEPTH_MAX} levels`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandError("not JSON", { cause });
  }
}

/** Whether it is a map; null, arrays and texts are none. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text itself if it is JSON of no more than 32 levels, and otherwise its JSON as a text. */
export function jsonOrText(data: string): JsonText {
  try {
    parseJson(data);
    return new JsonText(data);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return new JsonText(JSON.stringify(data));
  }
}

/** A map as JSON, fields in this order; those that are undefined are left out. */
export function mapOf(fields: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    parts.push(`${JSON.stringify(name)}:${value instanceof JsonText ? value.text : JSON.stringify(value)}`);
  }
  return `{${parts.join(",")}}`;
}
