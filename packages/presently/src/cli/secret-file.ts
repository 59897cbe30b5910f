/** A secret in a file of its own: not on the command line, where everybody on the machine can read it. */
import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { UsageError } from "./failure.ts";

/**
 * Returns the text of the file, without blanks around it.
 *
 * @throws {UsageError} for a file that cannot be read, is empty, or is no text: of other bytes, many would be read alike
 */
export function readSecretFile(path: string, flag: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError(`${flag} ${path} cannot be read (${code})`, { cause });
  }
  if (!isUtf8(bytes) || bytes.includes(0))
    throw new UsageError(`${flag} ${path} is not text in UTF-8: keys are given in PEM, secrets as text`);
  const secret = bytes.toString("utf8").trim();
  if (secret === "") throw new UsageError(`${flag} ${path} is empty`);
  return secret;
}

/** The secrets of a file that holds one a line. Throws as `readSecretFile` does. */
export function readSecretLines(path: string, flag: string): string[] {
  return readSecretFile(path, flag)
    .split(/\r?\n/)
    .filter((line) => line !== "");
}
