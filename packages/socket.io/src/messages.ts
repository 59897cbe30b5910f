/** What the servers of one namespace say to each other. What comes is checked: other nodes may run another version. */
import type { BroadcastFlags, BroadcastOptions, Room } from "socket.io-adapter";
import { roomText } from "./names.ts";

/** Which sockets something is for. Empty rooms: all. */
export interface Target {
  readonly rooms: readonly Room[];
  readonly except: readonly Room[];
  readonly flags: Pick<BroadcastFlags, "volatile" | "compress" | "timeout">;
}

/** Goes to many servers, in order with all that this server says. */
export type Said =
  /** The frames are a packet. With `ack` its clients answer. */
  | { readonly kind: "broadcast"; readonly target: Target; readonly ack?: number }
  | { readonly kind: "join"; readonly target: Target; readonly rooms: readonly Room[] }
  | { readonly kind: "leave"; readonly target: Target; readonly rooms: readonly Room[] }
  | { readonly kind: "disconnect"; readonly target: Target; readonly close: boolean }
  /** The frames are the arguments. */
  | { readonly kind: "emit" };

/** Goes back to the server that waits for acknowledgements; the frames of `ack` are what a client said. */
export type Acknowledged =
  | { readonly kind: "count"; readonly ack: number; readonly clients: number }
  | { readonly kind: "ack"; readonly ack: number };

/** Asks one server. */
export type Asked =
  /** The frames of the answer are what is known of these sockets, as many as fit, each after its header. */
  | { readonly kind: "sockets"; readonly target: Target }
  | { readonly kind: "details"; readonly ids: readonly string[] }
  /** The frames are the arguments, and those of the answer the first argument of the acknowledgement. */
  | { readonly kind: "emit" };

/** What of `options` travels; undefined if no socket of another server can be meant. */
export function targetOf({ rooms, except, flags = {} }: BroadcastOptions): Target | undefined {
  const shared = [...rooms].filter((room) => roomText(room) !== undefined);
  if (rooms.size > 0 && shared.length === 0) return undefined;
  const { volatile, compress, timeout } = flags;
  return {
    rooms: shared,
    except: [...(except ?? [])].filter((room) => roomText(room) !== undefined),
    flags: {
      ...(volatile !== undefined && { volatile }),
      ...(compress !== undefined && { compress }),
      ...(timeout !== undefined && { timeout }),
    },
  };
}

/** The sockets of this server that another server means. */
export function optionsOf({ rooms, except, flags }: Target): BroadcastOptions {
  return { rooms: new Set(rooms), except: new Set(except), flags };
}

/** Undefined for what cannot be read. */
export function readSaid(header: unknown): Said | undefined {
  const { kind, ...fields } = fieldsOf(header);
  if (kind === "emit") return { kind };
  const target = readTarget(fields.target);
  if (target === undefined) return undefined;
  const { ack, rooms, close } = fields;
  if (kind === "broadcast" && ack === undefined) return { kind, target };
  if (kind === "broadcast" && typeof ack === "number") return { kind, target, ack };
  if ((kind === "join" || kind === "leave") && areRooms(rooms)) return { kind, target, rooms };
  if (kind === "disconnect" && typeof close === "boolean") return { kind, target, close };
  return undefined;
}

/** Undefined for what cannot be read. */
export function readAcknowledged(header: unknown): Acknowledged | undefined {
  const { kind, ack, clients } = fieldsOf(header);
  if (typeof ack !== "number") return undefined;
  if (kind === "ack") return { kind, ack };
  if (kind === "count" && Number.isInteger(clients) && (clients as number) >= 0)
    return { kind, ack, clients: clients as number };
  return undefined;
}

/** Undefined for what cannot be read. */
export function readAsked(header: unknown): Asked | undefined {
  const { kind, target: given, ids } = fieldsOf(header);
  if (kind === "emit") return { kind };
  if (kind === "details" && Array.isArray(ids) && ids.every((id) => typeof id === "string"))
    return { kind, ids };
  const target = kind === "sockets" ? readTarget(given) : undefined;
  return target && { kind: "sockets", target };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function readTarget(value: unknown): Target | undefined {
  const { rooms, except, flags } = fieldsOf(value);
  if (!areRooms(rooms) || !areRooms(except)) return undefined;
  const { volatile, compress, timeout } = fieldsOf(flags);
  if (timeout !== undefined && typeof timeout !== "number") return undefined;
  return {
    rooms,
    except,
    flags: {
      ...(volatile === true && { volatile }),
      ...(typeof compress === "boolean" && { compress }),
      ...(timeout !== undefined && { timeout }),
    },
  };
}

function areRooms(value: unknown): value is Room[] {
  return Array.isArray(value) && value.every((room) => roomText(room) !== undefined);
}
