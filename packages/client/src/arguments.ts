/** Checks of what callers hand in. */
import { ClientError } from "./errors.ts";

/** @throws {ClientError} `INVALID_ARGUMENT` unless `holds`; says what `what` must be */
export function require(holds: boolean, what: string, wanted: string): void {
  if (!holds) throw new ClientError("INVALID_ARGUMENT", `${what} must be ${wanted}`);
}

/** @throws {ClientError} `INVALID_ARGUMENT` for what names no room */
export function checkTopic(topic: unknown): void {
  require(typeof topic === "string" && topic !== "", "topic", "a non-empty string");
}

/** @throws {ClientError} `INVALID_ARGUMENT` for what is no room */
export function checkRoom(room: unknown): void {
  require(typeof (room as { on?: unknown } | null)?.on === "function", "room", "what client.join gave");
}

export function isMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws {ClientError} `INVALID_ARGUMENT` unless it is a number from `least` on */
export function positive(option: string, value: number, least = 1): number {
  if (typeof value === "number" && value >= least) return value;
  throw new ClientError(
    "INVALID_ARGUMENT",
    `${option} must be a number from ${least} on, and is ${String(value)}`,
  );
}
