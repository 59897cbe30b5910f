/** What a client says of itself when it subscribes to a presence channel: `ext.presence`. */
import { fits } from "./json-size.ts";
import type { Limits } from "./limits.ts";

/** The texts of the original, which front-ends look for. */
export const ERROR = {
  idMissing: "No presence id specified in presence subscription",
  notStored: "An error occurred subscribing to presence channel",
} as const;

export interface PresenceRequest {
  readonly id: string;
  /** All of `ext.presence`, as it was sent: `id`, `data`, and whatever else is there. */
  readonly presence: Readonly<Record<string, unknown>>;
}

/** Half of a character that takes two code units: two such ids would be one on the wire. */
const HALF_CHARACTER = /\p{Surrogate}/u;

/**
 * Reads `ext` of a subscribe message. Numbers are ids, too, and stand for their text; what has no text of its own, a map
 * for example, is none.
 *
 * @returns the request, or the text of the error to answer
 */
export function readRequest(
  ext: unknown,
  limits: Pick<Limits, "idBytesMax" | "presenceBytesMax">,
): PresenceRequest | (typeof ERROR)[keyof typeof ERROR] {
  const presence = isMap(ext) ? ext.presence : undefined;
  const given = isMap(presence) ? presence.id : undefined;
  const isId = (typeof given === "string" && given !== "") || (typeof given === "number" && given !== 0);
  if (!isId || !isMap(presence)) return ERROR.idMissing;
  const id = String(given);
  const isGood = Buffer.byteLength(id) <= limits.idBytesMax && !HALF_CHARACTER.test(id);
  return isGood && fits(presence, limits.presenceBytesMax) ? { id, presence } : ERROR.notStored;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
