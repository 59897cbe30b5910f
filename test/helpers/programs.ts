/**
 * The programs that some suites need beside Node.js. Where one is missing, its suites are skipped with a line that says
 * what to install. Under CI nothing is skipped: they run, and fail with that line.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

interface Installable {
  /** What it may be called, best first. */
  readonly names: readonly string[];
  /** The package of Debian that brings it. */
  readonly debian: string;
  /** The variable that names its path, if there is one. */
  readonly variable?: string;
}

const PROGRAMS = {
  "redis-server": { names: ["redis-server"], debian: "redis-server" },
  "nats-server": { names: ["nats-server"], debian: "nats-server" },
  mariadbd: { names: ["mariadbd"], debian: "mariadb-server" },
  "mariadb-install-db": { names: ["mariadb-install-db"], debian: "mariadb-server" },
  chromium: {
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    debian: "chromium",
    variable: "CHROMIUM_PATH",
  },
} satisfies Record<string, Installable>;

export type Program = keyof typeof PROGRAMS;

/**
 * For `describe.runIf`: returns true if the program is there, or must be there, which is so under CI. Otherwise writes
 * one line that says what to install, and returns false.
 */
export function has(program: Program, environment = process.env): boolean {
  if (environment.CI || find(program, environment) !== undefined) return true;
  console.warn(`skipped: ${missing(program)}`);
  return false;
}

/** @throws when it is not installed */
export function pathOf(program: Program, environment = process.env): string {
  const path = find(program, environment);
  if (path === undefined) throw new Error(missing(program));
  return path;
}

function missing(program: Program): string {
  const { debian, variable }: Installable = PROGRAMS[program];
  const otherwise = variable === undefined ? "" : `, or set ${variable}`;
  return `found no ${program}: install it (Debian: apt-get install ${debian})${otherwise}`;
}

function find(program: Program, environment: NodeJS.ProcessEnv): string | undefined {
  const { names, variable }: Installable = PROGRAMS[program];
  const named = variable === undefined ? undefined : environment[variable];
  if (named) return named;
  const folders = (environment.PATH ?? "").split(delimiter);
  // Debian keeps servers where the path of an ordinary user does not lead.
  if (folders.includes("/usr/bin")) folders.push("/usr/sbin");
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not ours to run: the next place may have one.
    return false;
  }
}
