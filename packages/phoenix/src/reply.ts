/** What a callback answers a client with. */
import { InvalidArgumentError } from "presently";
import type { Payload, Ref } from "./message.ts";

/** `{ ok }` and `{ error }` carry the response; any other status word is spelled out. */
export type Reply =
  | { readonly ok: Payload }
  | { readonly error: Payload }
  | { readonly status: string; readonly response?: Payload };

/** A message that is to be answered later, with `channel.reply`. Opaque. */
export interface ReplyRef {
  readonly joinRef: Ref;
  readonly ref: Ref;
  readonly topic: string;
}

/** A reply, whatever its form was. */
export interface Answer {
  readonly status: string;
  readonly payload: Payload;
}

/** @throws {InvalidArgumentError} for what is none of the forms of a reply */
export function answerOf(reply: unknown): Answer {
  if (typeof reply === "object" && reply !== null) {
    if ("ok" in reply) return { status: "ok", payload: reply.ok };
    if ("error" in reply) return { status: "error", payload: reply.error };
    if ("status" in reply && typeof reply.status === "string")
      return { status: reply.status, payload: "response" in reply ? reply.response : undefined };
  }
  throw new InvalidArgumentError("reply", "must be { ok: … }, { error: … } or { status, response }");
}
