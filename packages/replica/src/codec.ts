/**
 * Messages as bytes: one byte protocol version, one byte message type, then the fields as a msgpack array. A reader
 * skips types that it does not know and fields beyond those that it knows, so that a newer peer can say more.
 *
 * Entries travel in columns (topics once, keys, event numbers as gaps, metas), and so do metas (field names once for
 * each shape, values).
 */
import type { ReplicaId } from "@presently/crdt";
import { Packr, RESERVE_START_SPACE } from "msgpackr";
import { Allowance } from "./allowance.ts";
import { decodeEntries, decodeNumbers, encodeEntries, encodeNumbers } from "./columns.ts";
import { ProtocolError } from "./errors.ts";
import type { ApplicationMessage, LivePart, Message, OriginSummary, SyncMessage } from "./messages.ts";
import { decodeTopicHashes, encodeTopicHashes } from "./messaging/topic-hash.ts";
import { Packet } from "./packet.ts";
import { joinRaw, type RawParts, splitRaw } from "./raw-frame.ts";
import { array, boolean, bytes, checkJson, count, type Fields, fields, replica, text } from "./wire.ts";

type Delta = Extract<Message, { type: "delta" }>["delta"];
type Removals = SyncMessage["pending"];

/** The first byte of every message; one that begins with another is refused. */
export const PROTOCOL_VERSION = 1;

/** Types below 16 belong to the transport. */
const TYPES = {
  delta: 16,
  heartbeat: 17,
  pull: 18,
  sync: 19,
  probe: 20,
  "probe-ack": 21,
  leave: 22,
  incarnation: 23,
  broadcast: 24,
  message: 25,
  request: 26,
  reply: 27,
  linger: 28,
  interest: 29,
  "interest-ack": 30,
  namesake: 31,
  reach: 32,
  reaches: 33,
  relay: 34,
  relayed: 35,
  part: 36,
  "part-ack": 37,
} as const satisfies Record<Message["type"], number>;

/** A message of the application with raw bytes beside it (`raw-frame.ts`). */
const RAW_TYPE = 38;
/** Longer bytes are not encoded with the rest of their message. */
const RAW_BYTES_MIN = 16_384;

/** Flags of an interest. */
const [WHOLE, LAST, EVERYTHING, RELAYS] = [1, 2, 4, 8];

/** By their place on the wire. */
const OUTCOMES = ["ok", "failed", "unhandled", "busy", "lost", "refused"] as const;

const PROGRESS = ["more", "done", "lost", "refused"] as const;

const STOPS = ["nobody", "sender", "receiver"] as const;

const NAMES = new Map<number, Message["type"]>(
  Object.entries(TYPES).map(([name, type]) => [type, name as Message["type"]]),
);

/** No state from one message to the next; nothing but JSON and bytes; no reference to another part of a message. */
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  useToJSON: false,
  structuredClone: false,
  int64AsType: "number",
  moreTypes: false,
});

/** Version and type come before what is packed. */
const HEADER_BYTES = 2;

/** The frame of a message. It is a part of a larger buffer, of which nothing else is ever written again. Cost: O(message). */
export function encodeMessage(message: Message): Uint8Array {
  const raw = "payload" in message ? takeRaw(message) : undefined;
  return raw === undefined ? encodePlain(message) : joinRaw(PROTOCOL_VERSION, RAW_TYPE, raw);
}

function takeRaw(message: ApplicationMessage): RawParts | undefined {
  const { payload } = message;
  if (payload instanceof Packet) {
    const inner = encodePlain({ ...message, payload: payload.header });
    return { isBare: false, inner, buffers: payload.buffers };
  }
  if (!(payload instanceof Uint8Array) || payload.length < RAW_BYTES_MIN) return undefined;
  return { isBare: true, inner: encodePlain({ ...message, payload: null }), buffers: [payload] };
}

function encodePlain(message: Message): Uint8Array {
  const frame: Uint8Array = packr.pack(encodeFields(message), RESERVE_START_SPACE + HEADER_BYTES);
  frame[0] = PROTOCOL_VERSION;
  frame[1] = TYPES[message.type];
  return frame;
}

/**
 * The message in a frame; undefined if it is of a type that this version does not know.
 *
 * @throws {ProtocolError} `BAD_VERSION`, `BAD_FRAME`: the sender does not speak this protocol
 */
export function decodeMessage(frame: Uint8Array): Message | undefined {
  if (frame.length < HEADER_BYTES)
    throw new ProtocolError("BAD_FRAME", "a frame must have a version and a type");
  if (frame[0] !== PROTOCOL_VERSION) {
    throw new ProtocolError("BAD_VERSION", `protocol version ${frame[0]} is not ${PROTOCOL_VERSION}`);
  }
  if (frame[1] === RAW_TYPE) return decodeRaw(frame);
  const name = NAMES.get(frame[1]!);
  if (name === undefined) return undefined;
  try {
    return decodeFields(name, fields(packr.unpack(frame.subarray(HEADER_BYTES)), name));
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError("BAD_FRAME", `a ${name} message is not well-formed`, { cause: error });
  }
}

/** Its buffers are views of the frame. */
function decodeRaw(frame: Uint8Array): ApplicationMessage {
  const { isBare, inner, buffers } = splitRaw(frame);
  const message = inner[1] === RAW_TYPE ? undefined : decodeMessage(inner);
  if (message === undefined || !("payload" in message) || message.payload instanceof Uint8Array)
    throw new ProtocolError("BAD_FRAME", "raw bytes stand beside no message");
  return { ...message, payload: isBare ? buffers[0] : new Packet(message.payload, buffers) };
}

function encodeFields(message: Message): unknown[] {
  switch (message.type) {
    case "delta":
      return encodeDelta(message.delta);
    case "heartbeat": {
      const heard = message.heard.map(({ replica, counter, agoMs }) => [replica, counter, agoMs]);
      return [message.counter, heard, message.digestHash, message.digest?.map(encodeSummary) ?? null];
    }
    case "pull":
      return [message.id, message.vector, message.staged, message.full];
    case "sync":
      return [
        message.pull,
        message.last,
        message.full,
        message.deltas.map(encodeDelta),
        message.entries.map(({ origin, numbers, values }) => [origin, encodeEntries(numbers, values, 0)]),
        message.live.map(({ replica, vector, hash, ranges }) => [
          replica,
          vector,
          hash,
          encodeNumbers(ranges, 0),
        ]),
        encodeRemovals(message.pending, undefined),
        message.expected,
      ];
    case "probe":
      return [message.replica];
    case "probe-ack":
      return [message.replica, message.counter, message.agoMs, message.vouches];
    case "leave":
      return [message.replica, message.handoffMs];
    case "linger":
      return encodeNumbers(message.numbers, 0);
    case "incarnation":
      return [message.newest];
    case "namesake":
      return [message.token, message.repeats, message.upMs, STOPS.indexOf(message.stops)];
    case "interest": {
      const { telling, whole, last, everything, relays, added, removed } = message;
      const flags =
        (whole ? WHOLE : 0) | (last ? LAST : 0) | (everything ? EVERYTHING : 0) | (relays ? RELAYS : 0);
      return [telling, flags, encodeTopicHashes(added), encodeTopicHashes(removed)];
    }
    case "interest-ack":
      return [message.telling];
    case "broadcast":
    case "message":
      return [message.channel, message.payload, message.number];
    case "request":
      return [
        message.id,
        message.channel,
        message.payload,
        message.number,
        ...(message.isMessage ? [true] : []),
      ];
    case "reply":
      return [message.id, OUTCOMES.indexOf(message.outcome), message.payload, message.number];
    case "reach":
      return [message.replicas];
    case "reaches":
      return [message.open, message.closed];
    case "relay":
      return [message.to, message.frame];
    case "relayed":
      return [message.from, message.frame];
    case "part":
      return [message.transfer, message.total, message.offset, message.bytes];
    case "part-ack":
      return [message.transfer, message.received, PROGRESS.indexOf(message.outcome)];
  }
}

function decodeFields(name: Message["type"], at: Fields): Message {
  const allowance = new Allowance();
  switch (name) {
    case "delta":
      return { type: "delta", delta: decodeDelta(at, allowance) };
    case "heartbeat":
      return {
        type: "heartbeat",
        counter: count(at[0]),
        heard: array(at[1]).map((item) => {
          const heard = fields(item, "heard");
          return { replica: replica(heard[0]), counter: count(heard[1]), agoMs: count(heard[2]) };
        }),
        digestHash: count(at[2]),
        digest: at[3] === null || at[3] === undefined ? undefined : array(at[3]).map(decodeSummary),
      };
    case "pull":
      return {
        type: "pull",
        id: count(at[0]),
        vector: decodeVector(at[1]),
        staged: decodeVector(at[2]),
        full: boolean(at[3]),
      };
    case "sync":
      return {
        type: "sync",
        pull: count(at[0]),
        last: boolean(at[1]),
        full: boolean(at[2]),
        deltas: array(at[3]).map((item) => decodeDelta(fields(item, "delta"), allowance)),
        entries: array(at[4]).map((item) => {
          const entries = fields(item, "entries");
          const origin = replica(entries[0]);
          return { origin, ...decodeEntries(entries[1], origin, 0, allowance) };
        }),
        live: array(at[5]).map((item) => decodeLive(item, allowance)),
        pending: decodeRemovals(at[6], undefined, allowance),
        expected: at[7] === undefined ? 0 : count(at[7]),
      };
    case "probe":
      return { type: "probe", replica: replica(at[0]) };
    case "probe-ack":
      return {
        type: "probe-ack",
        replica: replica(at[0]),
        counter: count(at[1]),
        agoMs: count(at[2]),
        vouches: boolean(at[3]),
      };
    case "leave":
      return { type: "leave", replica: replica(at[0]), handoffMs: count(at[1]) };
    case "linger":
      return { type: "linger", numbers: decodeNumbers(at, 0, allowance) };
    case "incarnation":
      return { type: "incarnation", newest: count(at[0]) };
    case "namesake": {
      const stops = STOPS[count(at[3])] ?? "nobody";
      return { type: "namesake", token: count(at[0]), repeats: count(at[1]), upMs: count(at[2]), stops };
    }
    case "interest": {
      const flags = count(at[1]);
      return {
        type: "interest",
        telling: count(at[0]),
        whole: (flags & WHOLE) !== 0,
        last: (flags & LAST) !== 0,
        everything: (flags & EVERYTHING) !== 0,
        relays: (flags & RELAYS) !== 0,
        added: decodeTopicHashes(at[2]),
        removed: decodeTopicHashes(at[3]),
      };
    }
    case "interest-ack":
      return { type: "interest-ack", telling: count(at[0]) };
    case "broadcast":
    case "message":
      return { type: name, channel: text(at[0]), payload: payload(at[1]), number: number(at[2]) };
    case "request":
      return {
        type: "request",
        id: count(at[0]),
        channel: text(at[1]),
        payload: payload(at[2]),
        number: number(at[3]),
        isMessage: at[4] === true,
      };
    case "reply":
      return {
        type: "reply",
        id: count(at[0]),
        // An outcome that a later version adds is no answer that this one could use.
        outcome: OUTCOMES[count(at[1])] ?? "failed",
        payload: payload(at[2]),
        number: number(at[3]),
      };
    case "reach":
      return { type: "reach", replicas: array(at[0]).map(replica) };
    case "reaches":
      return { type: "reaches", open: array(at[0]).map(replica), closed: array(at[1]).map(replica) };
    case "relay":
      return { type: "relay", to: array(at[0]).map(replica), frame: bytes(at[1]) };
    case "relayed":
      return { type: "relayed", from: replica(at[0]), frame: bytes(at[1]) };
    case "part":
      return {
        type: "part",
        transfer: count(at[0]),
        total: count(at[1]),
        offset: count(at[2]),
        bytes: bytes(at[3]),
      };
    case "part-ack": {
      const outcome = PROGRESS[count(at[2])] ?? "lost";
      return { type: "part-ack", transfer: count(at[0]), received: count(at[1]), outcome };
    }
  }
}

function encodeDelta({ origin, from, to, numbers, values, removals }: Delta): unknown[] {
  return [origin, from, to - from, encodeEntries(numbers, values, from), encodeRemovals(removals, origin)];
}

function decodeDelta(at: Fields, allowance: Allowance): Delta {
  const origin = replica(at[0]);
  const from = count(at[1]);
  const to = count(from + count(at[2]));
  const { numbers, values } = decodeEntries(at[3], origin, from, allowance);
  if (to <= from || (numbers.at(-1) ?? to) > to)
    throw new ProtocolError("BAD_FRAME", "a delta has events outside its interval");
  return { origin, from, to, numbers, values, removals: decodeRemovals(at[4], origin, allowance) };
}

/** The origin of the delta itself, which most removals are of, is left out. */
function encodeRemovals(removals: Removals, own: ReplicaId | undefined): unknown[] {
  return removals.map(({ origin, numbers, deliberate }) => {
    const ascending = [...numbers].sort((one, other) => one - other);
    const fields: unknown[] = [origin === own ? null : origin, encodeNumbers(ascending, 0)];
    if (deliberate) fields.push(true);
    return fields;
  });
}

function decodeRemovals(value: unknown, own: ReplicaId | undefined, allowance: Allowance): Removals {
  return array(value).map((item) => {
    const at = fields(item, "removal");
    const origin = at[0] === null && own !== undefined ? own : replica(at[0]);
    const numbers = decodeNumbers(at[1], 0, allowance);
    return at[2] === true ? { origin, numbers, deliberate: true } : { origin, numbers };
  });
}

function encodeSummary({ replica, vector, hash }: OriginSummary): unknown[] {
  return [replica, vector, hash];
}

function decodeSummary(value: unknown): OriginSummary {
  const at = fields(value, "digest");
  return { replica: replica(at[0]), vector: count(at[1]), hash: count(at[2]) };
}

function decodeLive(value: unknown, allowance: Allowance): LivePart {
  const at = fields(value, "live");
  const ranges = decodeNumbers(at[3], 0, allowance, 0);
  if (ranges.length % 2 !== 0) throw new ProtocolError("BAD_FRAME", "ranges must come in pairs");
  return { replica: replica(at[0]), vector: count(at[1]), hash: count(at[2]), ranges };
}

function decodeVector(value: unknown): (readonly [ReplicaId, number])[] {
  return array(value).map((item) => {
    const at = fields(item, "vector");
    return [replica(at[0]), count(at[1])] as const;
  });
}

/** Of a message of the application; versions without numbers say none. */
function number(value: unknown): number {
  return value === undefined ? 0 : count(value);
}

function payload(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) checkJson(value);
  return value;
}
