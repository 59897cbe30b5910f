/**
 * The configuration file: YAML, of which JSON is a part. It holds the options of `createNode` and of the command, and no
 * secret: those stand in files of their own, which it names, or in the environment.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isNode, isPair, isScalar, LineCounter, type Node, type Pair, parseDocument, visit } from "yaml";
import { optionTable } from "../option-table.ts";
import { type CommandOptionSpec, commandTable } from "./command-table.ts";
import { UsageError } from "./failure.ts";
import { deleteAt, isRecord, setAt, valueAt } from "./fields.ts";

/** Where something stands in the file; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something that is wrong, and with which option. `path` is empty where it is the whole file. */
export interface Problem {
  readonly path: string;
  readonly message: string;
  readonly place: Place | undefined;
}

/** A file that could be read. Paths of files in it are absolute: they go from where the file is. */
export interface ConfigFile {
  readonly fields: Record<string, unknown>;
  /** What can be said of it alone, without the flags: in the order of the file. */
  readonly problems: readonly Problem[];
  placeOf(path: string): Place | undefined;
}

/** Of a file that is not there to be read. */
export const noConfigFile: ConfigFile = { fields: {}, problems: [], placeOf: () => undefined };

/**
 * Reads the file; `problems` has what is wrong in it.
 *
 * @param what  how to call the file in an error
 * @throws {UsageError} when it cannot be read
 */
export function readConfigFile(path: string, what = path): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError(`${what} cannot be read (${code})`, { cause });
  }
  return parseConfigFile(text, dirname(resolve(path)));
}

/** A line that editors can jump to. */
export function describeProblem(file: string, { path, message, place }: Problem): string {
  const at = place === undefined ? file : `${file}:${place.line}:${place.column}`;
  return path === "" ? `${at}: ${message}` : `${at}: ${path} ${message}`;
}

/** @param directory that paths of files in it go from */
export function parseConfigFile(text: string, directory: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const syntax = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    path: "",
    message: `is not YAML: ${message}`,
    place: placeAt(pos[0]),
  }));
  if (syntax.length > 0) return { ...noConfigFile, problems: syntax };
  const fields: unknown = document.toJS() ?? {};
  if (!isRecord(fields)) {
    const problem = { path: "", message: "must hold options, each with its name", place: placeAt(0) };
    return { ...noConfigFile, problems: [problem] };
  }
  const places = new Map<string, Place>();
  visit(document, {
    Pair(_, pair, ancestors) {
      const key = pair.key;
      if (isNode(key) && key.range) places.set(pathOf(pair, ancestors), placeAt(key.range[0]));
    },
  });
  for (const file of fileFields) {
    const named = valueAt(fields, file);
    if (typeof named === "string" && named !== "") setAt(fields, file, resolve(directory, named));
  }
  const placeOf = (path: string) => places.get(path);
  const problems = problemsIn(fields).map((problem) => ({ ...problem, place: placeOf(problem.path) }));
  return { fields, problems, placeOf };
}

/**
 * Splits what the file says into the options of `createNode` and those of the command, the latter by their flags'
 * names. Values of the file that are wrong are in neither.
 */
export function splitFields(fields: Record<string, unknown>): {
  readonly options: Record<string, unknown>;
  readonly flags: ReadonlyMap<CommandOptionSpec, unknown>;
} {
  const options = structuredClone(fields);
  const flags = new Map<CommandOptionSpec, unknown>();
  for (const spec of commandTable) {
    const value = valueAt(fields, spec.path);
    if (value !== undefined && kindProblem(spec, value) === undefined) flags.set(spec, value);
  }
  for (const section of commandSections) deleteAt(options, section);
  return { options, flags };
}

/** Top fields that hold options of the command. */
const commandSections = new Set(commandTable.map(({ path }) => path.split(".", 1)[0]!));

/** Fields that name files. */
const fileFields: readonly string[] = [
  ...optionTable.filter(({ file }) => file === true).map(({ path }) => `${path}File`),
  ...commandTable.map(({ path }) => path).filter((path) => path.endsWith("File")),
];

/** Fields that would be secrets, and what to write instead. */
const secrets: Readonly<Record<string, string>> = {
  secret: "secretFile",
  "mesh.tls.key": "mesh.tls.keyFile",
};

function problemsIn(fields: Record<string, unknown>): { path: string; message: string }[] {
  const problems: { path: string; message: string }[] = [];
  for (const [path, instead] of Object.entries(secrets))
    if (valueAt(fields, path) !== undefined)
      problems.push({
        path,
        message: `is a secret: put it into a file of its own, and name that as ${instead}`,
      });
  for (const section of commandSections) {
    const value = fields[section];
    const isPlain = commandTable.some(({ path }) => path === section);
    if (value === undefined || isPlain) continue;
    if (!isRecord(value)) problems.push({ path: section, message: "must be an object" });
    else
      for (const field of Object.keys(value))
        if (!commandTable.some(({ path }) => path === `${section}.${field}`))
          problems.push({ path: `${section}.${field}`, message: "is not an option" });
  }
  for (const spec of commandTable) {
    const value = valueAt(fields, spec.path);
    const message = value === undefined ? undefined : kindProblem(spec, value);
    if (message !== undefined) problems.push({ path: spec.path, message });
  }
  return problems;
}

function kindProblem({ kind, min = 0, max = 0 }: CommandOptionSpec, value: unknown): string | undefined {
  switch (kind) {
    case "switch":
      return typeof value === "boolean" ? undefined : "must be true or false";
    case "text":
      return typeof value === "string" && value !== "" ? undefined : "must be a text that is not empty";
    case "texts":
      return Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === "string")
        ? undefined
        : "must be a list of texts";
    case "integer":
      return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
        ? undefined
        : `must be a whole number from ${min} to ${max}`;
  }
}

/** The names of a pair's key and of those around it; what is in a list stands at the list. */
function pathOf(pair: Pair, ancestors: readonly unknown[]): string {
  return [...ancestors.filter(isPair), pair]
    .map(({ key }) => (isScalar(key) ? String(key.value) : String(key as Node)))
    .join(".");
}
