/** Starts the browser that the tests of the page run in. */
import { type Browser, chromium } from "playwright-core";
import { pathOf } from "../helpers/programs.ts";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
];

/** Starts the browser; close it at the end. @throws when there is none */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: pathOf("chromium"), args: FLAGS });
}
