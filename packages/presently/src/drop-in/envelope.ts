/**
 * What does a presence say of itself, whichever protocol it came by?
 *
 * A meta is plain, and all of it is said: that of Phoenix, of the HTTP API, of a session of the application. Or it is an
 * envelope, which has a field `$at`: then its field `info`, any JSON, is said, nothing if that is left out, and all other
 * fields are notes of the drop-in that wrote it, for itself.
 */
import { checkObject, type Meta } from "@presently/replica";

const AT = "$at";

/** What one entry says. */
export interface Said {
  /** Any JSON; undefined: nothing. */
  readonly info: unknown;
  /** Of several entries of one id the one with the largest says what counts; 0 of a plain meta. */
  readonly at: number;
}

/** A meta that says `info`. */
export function envelope(said: Said, notes: Meta = {}): Meta {
  checkObject("said", said);
  const { info, at } = said;
  const stamp = Math.min(at, Number.MAX_SAFE_INTEGER);
  return info === undefined ? { ...notes, [AT]: stamp } : { info, ...notes, [AT]: stamp };
}

/** What an entry says. */
export function saidIn(meta: Meta): Said {
  return isEnvelope(meta) ? { info: meta.info, at: meta[AT] } : { info: meta, at: 0 };
}

/** What an entry says, as a map: what is none is its field `info`. For protocols whose metas are maps. */
export function saidAsMap(meta: Meta): Meta {
  if (!isEnvelope(meta)) return meta;
  const { info } = meta;
  if (info === undefined) return {};
  return typeof info === "object" && info !== null && !Array.isArray(info) ? (info as Meta) : { info };
}

/** A meta that says all of `meta`, also if that looks like an envelope. */
export function plain(meta: Meta): Meta {
  return isEnvelope(meta) ? envelope({ info: meta, at: 0 }) : meta;
}

/** Whether a meta came from a protocol that says its own in an envelope; any other is the meta itself. */
export function isEnvelope(meta: Meta): meta is Meta & { readonly [AT]: number } {
  return (
    typeof meta === "object" && meta !== null && Object.hasOwn(meta, AT) && Number.isSafeInteger(meta[AT])
  );
}
