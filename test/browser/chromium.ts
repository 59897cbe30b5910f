/** Finds and starts the browser that the tests of the page run in. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
];

/** The browser's path: `CHROMIUM_PATH`, else the first known name on the `PATH`. */
const executable = process.env.CHROMIUM_PATH || findOnPath();

/** What to say, once, where the suites do not run. */
export const BROWSER_MISSING =
  "found no browser: install Chromium (for example: apt-get install chromium), or set CHROMIUM_PATH";

/**
 * Whether the suites that need a browser run: if there is one, or if there must be one, which is so under CI: there
 * `launchChromium` then fails.
 */
export const browserSuitesRun = executable !== undefined || Boolean(process.env.CI);

/** Starts the browser; close it at the end. @throws when there is none */
export async function launchChromium(): Promise<Browser> {
  if (executable === undefined) throw new Error(BROWSER_MISSING);
  return chromium.launch({ executablePath: executable, args: FLAGS });
}

function findOnPath(): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin"];
  return NAMES.flatMap((name) => directories.map((directory) => join(directory, name))).find(isExecutable);
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
