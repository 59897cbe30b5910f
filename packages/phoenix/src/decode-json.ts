/** Reading what clients sent as JSON. */
import { deeperThan } from "presently/drop-in";
import { FrameError } from "./errors.ts";
import type { Message, Ref } from "./message.ts";

/** Levels of maps and arrays; deeper text would overflow the stack of whoever walks the value. */
const DEPTH_MAX = 64;

/** Of a ref. Every diff that a client is sent repeats the ref of its join; binary frames have no room for more. */
const REF_BYTES_MAX = 255;

/** @throws {FrameError} for what is not JSON, or is nested deeper than 64 levels */
export function parseJson(text: string): unknown {
  if (deeperThan(text, DEPTH_MAX))
    throw new FrameError(`a message is nested deeper than ${DEPTH_MAX} levels`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FrameError("a text frame is not JSON", { cause: error });
  }
}

/** @throws {FrameError} unless every part has its type */
export function checkMessage(parts: Readonly<Record<keyof Message, unknown>>): Message {
  const { joinRef, ref, topic, event, payload } = parts;
  if (typeof topic !== "string") throw new FrameError("the topic of a message is not a text");
  if (typeof event !== "string") throw new FrameError("the event of a message is not a text");
  return { joinRef: checkRef(joinRef), ref: checkRef(ref), topic, event, payload };
}

function checkRef(ref: unknown): Ref {
  if (ref === undefined || ref === null) return null;
  if (typeof ref === "string" && Buffer.byteLength(ref) > REF_BYTES_MAX)
    throw new FrameError(`the ref of a message is longer than ${REF_BYTES_MAX} bytes`);
  if (typeof ref === "string" || typeof ref === "number") return ref;
  throw new FrameError("the ref of a message is neither a text nor null");
}
