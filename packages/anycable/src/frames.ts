/** What the server says: every frame of the two protocols, as JSON text. */
import type { Position } from "./command.ts";
import { JsonText, mapOf } from "./json.ts";

/** Why a client is disconnected, as the protocol has it. */
export type DisconnectReason =
  | "server_restart"
  | "remote"
  | "idle_timeout"
  | "no_pong"
  | "too_slow"
  | "unauthorized"
  | "token_expired";

/** In which unit a ping says the time. */
export type PingPrecision = "s" | "ms" | "ns";

export function welcome(sid: string): string {
  return mapOf({ type: "welcome", sid });
}

/** The first frame of a session that goes on where another one broke off. */
export function welcomeBack(sid: string, restoredIds: readonly string[]): string {
  return mapOf({ type: "welcome", sid, restored: true, restored_ids: restoredIds });
}

export function disconnect(reason: DisconnectReason, reconnect: boolean): string {
  return mapOf({ type: "disconnect", reason, reconnect });
}

/** @param nowMs wall-clock time */
export function ping(nowMs: number, precision: PingPrecision): string {
  const whole = Math.floor(nowMs);
  // Nanoseconds pass what a number can say exactly.
  const time = { s: String(Math.floor(whole / 1_000)), ms: String(whole), ns: `${whole}000000` }[precision];
  return mapOf({ type: "ping", message: new JsonText(time) });
}

export const PONG = mapOf({ type: "pong" });

export function confirmSubscription(identifier: string): string {
  return mapOf({ type: "confirm_subscription", identifier });
}

export function rejectSubscription(identifier: string): string {
  return mapOf({ type: "reject_subscription", identifier });
}

export function confirmHistory(identifier: string): string {
  return mapOf({ type: "confirm_history", identifier });
}

export function rejectHistory(identifier: string): string {
  return mapOf({ type: "reject_history", identifier });
}

/** @param message JSON @param place of a message that is kept: where a client may resume */
export function message(
  identifier: string,
  message: JsonText,
  place?: { readonly stream: string; readonly position: Position },
): string {
  return mapOf({
    identifier,
    message,
    stream_id: place?.stream,
    epoch: place?.position.epoch,
    offset: place?.position.offset,
  });
}

/** Somebody who is present on a stream, as clients of AnyCable are told: the id, and what was said of it at the join. */
export interface PresenceRecord<Info = unknown> {
  readonly id: string;
  readonly info?: Info;
}

export function presence(identifier: string, event: JsonText): string {
  return mapOf({ type: "presence", identifier, message: event });
}

export function joinEvent({ id, info }: PresenceRecord): JsonText {
  return new JsonText(mapOf({ type: "join", id, info }));
}

export function leaveEvent(id: string): JsonText {
  return new JsonText(mapOf({ type: "leave", id }));
}

/** Who is present. `records` is left out when there is nobody, or nobody wants them. */
export function presenceInfo(total: number, records: readonly PresenceRecord[]): JsonText {
  return new JsonText(
    mapOf({ type: "info", total, records: records.length === 0 ? undefined : records.map(recordOf) }),
  );
}

export const PRESENCE_ERROR = new JsonText(mapOf({ type: "error", total: 0 }));

function recordOf({ id, info }: PresenceRecord): PresenceRecord {
  return info === undefined ? { id } : { id, info };
}
