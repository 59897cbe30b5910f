/** A secret in a file of its own: not on the command line, where everybody on the machine can read it. */
import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { PresentlyError } from "@presently/replica";
import { requireSharedSecret } from "../access/shared-secret.ts";
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

/**
 * As `readSecretFile`, for what several share.
 *
 * @throws {UsageError} also for a public key in any form, and for fewer bytes than `bytesMin`
 */
export function readSharedSecret(path: string, flag: string, bytesMin = 1): string {
  const secret = readSecretFile(path, flag);
  return inUse(flag, path, () => requireSharedSecret("the secret", secret, bytesMin));
}

/** The secrets of a file that holds one a line. Throws as `readSharedSecret` does: the lines of a key are no secrets. */
export function readSecretLines(path: string, flag: string): string[] {
  return readSharedSecret(path, flag)
    .split(/\r?\n/)
    .filter((line) => line !== "");
}

/** Returns what `make` returns. @throws {UsageError} naming the flag, for what cannot be used */
export function inUse<T>(flag: string, value: unknown, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof PresentlyError)) throw cause;
    throw new UsageError(`${flag} ${String(value)}: ${cause.message}`, { cause });
  }
}
