#!/usr/bin/env node
// The command as it is installed. In a checkout it has to be built first.
import { existsSync } from "node:fs";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) {
  process.exitCode = await (await import(main.href)).main(process.argv.slice(2));
} else {
  process.stderr.write("presently-fuzz: not built yet: run `npm run setup` in the checkout first\n");
  process.exitCode = 1;
}
