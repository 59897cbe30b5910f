#!/usr/bin/env node
/**
 * Runs the benchmarks, one file a question: all of them, or those whose names are given.
 *
 *     npm run bench
 *     npm run bench -- apply-delta latency
 *     npm run bench -- --record            also writes RESULTS.md and the pictures
 *     npm run bench -- --list
 */
import { register } from "tsx/esm/api";

register();
const { main } = await import("./runner.ts");
process.exitCode = await main(process.argv.slice(2));
