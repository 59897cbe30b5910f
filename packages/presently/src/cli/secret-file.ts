/** A secret in a file of its own: not on the command line, where everybody on the machine can read it. */
import { readFileSync } from "node:fs";
import { UsageError } from "./failure.ts";

/** @throws {UsageError} for a file that cannot be read, or is empty */
export function readSecretFile(path: string, flag: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError(`${flag} ${path} cannot be read (${code})`, { cause });
  }
  const secret = text.trim();
  if (secret === "") throw new UsageError(`${flag} ${path} is empty`);
  return secret;
}
