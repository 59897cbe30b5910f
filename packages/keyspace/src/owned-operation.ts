/** Operations that one replica at a time carries out for a key, because of what they return. */
import { InvalidArgumentError, PresentlyError } from "presently";
import { incrementField } from "./hashes.ts";
import { type ListEnd, popElement, pushElements } from "./lists.ts";
import type { KeyStore } from "./store.ts";
import { increment } from "./strings.ts";
import { list, MalformedMessageError } from "./wire.ts";

/** `increment`: a ticket. `gate`: who is first. `push` and `pop`: one queue. */
export type OwnedOperation =
  | { readonly type: "increment"; readonly key: string; readonly by: number }
  | {
      readonly type: "gate";
      readonly key: string;
      readonly field: string;
      readonly by: number;
      readonly ttlMs: number;
    }
  | { readonly type: "push"; readonly key: string; readonly end: ListEnd; readonly values: readonly string[] }
  | { readonly type: "pop"; readonly key: string; readonly end: ListEnd };

/** What an operation gives: a number, or the text that was popped; null if there was none. */
export type OwnedResult = number | string | null;

/** Carries an operation out on the store of its owner. */
export function execute(store: KeyStore, operation: OwnedOperation): OwnedResult {
  const { key } = operation;
  if (operation.type === "increment") return increment(store, key, operation.by);
  if (operation.type === "push") return pushElements(store, key, operation.end, operation.values);
  if (operation.type === "pop") return popElement(store, key, operation.end) ?? null;
  const { field, by, ttlMs } = operation;
  if (!Number.isFinite(ttlMs)) throw new InvalidArgumentError("the time to live", "must be a finite number");
  return passGate(store, key, field, by, ttlMs);
}

/** Counts in a field of a key that expires. */
export function passGate(store: KeyStore, key: string, field: string, by: number, ttlMs: number): number {
  const sum = incrementField(store, key, field, by);
  store.expire(key, ttlMs);
  return sum;
}

/**
 * Whether another replica must hold the outcome before the caller is told of it. A pop is answered at once: if its owner
 * is lost with it, the element is there again, and not gone. So is a gate, which is short-lived and must be quick.
 */
export function isConfirmed({ type }: OwnedOperation): boolean {
  return type === "increment" || type === "push";
}

export function encodeOperation(operation: OwnedOperation): unknown[] {
  const { type, key } = operation;
  if (type === "increment") return [type, key, operation.by];
  if (type === "gate") return [type, key, operation.field, operation.by, operation.ttlMs];
  return type === "push" ? [type, key, operation.end, operation.values] : [type, key, operation.end];
}

/** @throws {MalformedMessageError} */
export function decodeOperation(value: unknown): OwnedOperation {
  const [type, key, ...parts] = list(value, "operation");
  if (typeof key !== "string") throw new MalformedMessageError("operation");
  if (type === "increment" && typeof parts[0] === "number") return { type, key, by: parts[0] };
  const [first, second, third] = parts;
  if (type === "gate" && typeof first === "string" && typeof second === "number" && typeof third === "number")
    return { type, key, field: first, by: second, ttlMs: third };
  if (first === "head" || first === "tail") {
    if (type === "pop") return { type, key, end: first };
    if (type === "push") return { type, key, end: first, values: list(second, "operation") as string[] };
  }
  throw new MalformedMessageError("operation");
}

/** What an owner answers. `refused`: it is not the owner as it sees it. */
export type OwnerReply =
  | { readonly type: "done"; readonly result: OwnedResult; readonly origin: string; readonly number: number }
  | { readonly type: "refused" }
  | { readonly type: "failed"; readonly error: PresentlyError };

export function encodeReply(reply: OwnerReply): unknown[] {
  if (reply.type === "done") return ["done", reply.result, reply.origin, reply.number];
  return reply.type === "failed" ? ["failed", reply.error.code, reply.error.message] : ["refused"];
}

/** @throws {MalformedMessageError} */
export function decodeReply(value: unknown): OwnerReply {
  const [type, ...parts] = list(value, "reply");
  if (type === "refused") return { type };
  if (type === "failed") return { type, error: new PresentlyError(String(parts[0]), String(parts[1])) };
  const [result, origin, number] = parts;
  const fits = result === null || typeof result === "number" || typeof result === "string";
  if (type !== "done" || !fits || typeof origin !== "string") throw new MalformedMessageError("reply");
  return { type, result: result as OwnedResult, origin, number: number as number };
}
