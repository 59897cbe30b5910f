/** Loads packages that the command does not depend on: those that a flag asks for. */
import { CommandError } from "./failure.ts";

/** @throws {CommandError} for a package that is not installed */
export async function load(name: string, flag: string): Promise<unknown> {
  try {
    return await import(name);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new CommandError(`${flag} needs the package ${name}: npm install ${name}`, { cause });
  }
}
