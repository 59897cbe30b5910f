/** Messages of streams between nodes: short names, and nothing that is not checked when it comes. */
import type { Position } from "./command.ts";
import { isMap } from "./json.ts";
import type { StreamMessage } from "./stream-log.ts";

/** A message that may have no number yet, or never gets one. */
export type UnnumberedMessage = Omit<StreamMessage, "at" | "position" | "after"> &
  Partial<Pick<StreamMessage, "at" | "position" | "after">>;

type Wire = Readonly<Record<string, unknown>>;

export function encodeStreamMessage(message: UnnumberedMessage): Wire {
  const { stream, data, id, except, at, position, after } = message;
  return {
    s: stream,
    d: data,
    i: id,
    ...(except === undefined ? {} : { x: except }),
    ...(position === undefined ? {} : { t: at, p: [position.epoch, position.offset] }),
    ...(after === undefined ? {} : { a: [after.epoch, after.offset] }),
  };
}

/** Undefined for what is none. */
export function decodeStreamMessage(payload: unknown): UnnumberedMessage | undefined {
  if (!isMap(payload)) return undefined;
  const { s: stream, d: data, i: id, x: except, t: at, p, a } = payload;
  if (typeof stream !== "string" || typeof data !== "string" || typeof id !== "string") return undefined;
  if (except !== undefined && typeof except !== "string") return undefined;
  const draft = { stream, data, id, except };
  if (p === undefined) return draft;
  const position = positionIn(p);
  if (position === undefined || typeof at !== "number") return undefined;
  return { ...draft, at, position, after: positionIn(a) };
}

interface Excerpt {
  readonly base: Position | undefined;
  readonly messages: readonly StreamMessage[];
}

export function encodeExcerpt({ base, messages }: Excerpt): Wire {
  return {
    ...(base === undefined ? {} : { b: [base.epoch, base.offset] }),
    m: messages.map(encodeStreamMessage),
  };
}

/** Undefined if there is nothing in it. */
export function decodeExcerpt(payload: unknown): Excerpt | undefined {
  if (!isMap(payload) || !Array.isArray(payload.m)) return undefined;
  const messages: StreamMessage[] = [];
  for (const item of payload.m) {
    const message = decodeStreamMessage(item);
    if (message?.position === undefined || message.at === undefined) return undefined;
    const { at, position, after } = message;
    messages.push({ ...message, at, position, after });
  }
  return { base: positionIn(payload.b), messages };
}

function positionIn(value: unknown): Position | undefined {
  if (!Array.isArray(value)) return undefined;
  const [epoch, offset] = value;
  return typeof epoch === "string" && Number.isSafeInteger(offset) ? { epoch, offset } : undefined;
}
