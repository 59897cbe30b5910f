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

const EXPLANATION =
  "no browser was found for the tests of the page: install Chromium (for example: apt-get install chromium), or set CHROMIUM_PATH";

/**
 * Whether the suites that need a browser run: if there is one, or if there must be one, which is so under CI (there
 * `launchChromium` then fails). Where they do not run, this has said what to install.
 */
export const browserSuitesRun = executable !== undefined || Boolean(process.env.CI);

if (!browserSuitesRun) console.warn(`not run: ${EXPLANATION}`);

/** Starts the browser; close it at the end. @throws when there is none */
export async function launchChromium(): Promise<Browser> {
  if (executable === undefined) throw new Error(EXPLANATION);
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
