/**
 * What travels on the subjects: a byte that says what it is, then fixed fields, then the rest. Names of ends and sessions are
 * random and as good as unique; an end is one side of one link, a session one connection of one node with NATS.
 */

/** Bytes of the name of a session or an end. */
export const NAME_BYTES = 8;
const COUNT_BYTES = 4;
/** What a frame grows by, at most. */
export const HEADER_BYTES = 1 + 2 * NAME_BYTES + COUNT_BYTES;

/** "Here I am": to everybody, or to one node that may have gone. */
export interface Hello {
  readonly type: "hello";
  readonly session: string;
  /** Whether an answer is wanted even by who has a link with us: ours with it is lost. */
  readonly asks: boolean;
  readonly replica: string;
}

/** "This is my end of our link": repeated until both know both ends. */
export interface Open {
  readonly type: "open";
  readonly session: string;
  readonly end: string;
  /** The end of the receiver that the sender knows of; empty: it wants to be told. */
  readonly knows: string;
  /** How many frames the sender has published for everybody so far. */
  readonly published: number;
  readonly replica: string;
}

/** A frame for one peer. */
export interface Direct {
  readonly type: "direct";
  /** The receiver's. */
  readonly end: string;
  /** The sender's, to be told if the receiver's is no more. */
  readonly from: string;
  /** Which frame of the link this is; the first is 1. */
  readonly number: number;
  readonly frame: Uint8Array;
}

/** A frame for everybody. */
export interface Published {
  readonly type: "published";
  readonly session: string;
  readonly number: number;
  readonly frame: Uint8Array;
}

/** The link is over. */
export interface Close {
  readonly type: "close";
  /** The receiver's. */
  readonly end: string;
  /** The sender's, which is no more. */
  readonly of: string;
  readonly reason: string;
}

export type Envelope = Hello | Open | Direct | Published | Close;

const TYPES = { hello: 1, open: 2, direct: 3, published: 4, close: 5 } as const;
const REASON_LENGTH_MAX = 200;
const NO_NAME = "0".repeat(2 * NAME_BYTES);

/** Cost: one copy of the frame. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  switch (envelope.type) {
    case "hello":
      return join(TYPES.hello, [envelope.session], [envelope.asks ? 1 : 0], Buffer.from(envelope.replica));
    case "open": {
      const names = [envelope.session, envelope.end, envelope.knows || NO_NAME];
      return join(TYPES.open, names, [envelope.published], Buffer.from(envelope.replica));
    }
    case "direct":
      return join(TYPES.direct, [envelope.end, envelope.from], [envelope.number], envelope.frame);
    case "published":
      return join(TYPES.published, [envelope.session], [envelope.number], envelope.frame);
    case "close":
      return join(
        TYPES.close,
        [envelope.end, envelope.of],
        [],
        Buffer.from(envelope.reason.slice(0, REASON_LENGTH_MAX)),
      );
  }
}

/** Undefined for what is none, or of a type that a later version has added. */
export function decodeEnvelope(data: Uint8Array): Envelope | undefined {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  const type = bytes[0];
  const name = (index: number) => bytes.toString("hex", 1 + index * NAME_BYTES, 1 + (index + 1) * NAME_BYTES);
  const countAt = (names: number) => bytes.readUInt32BE(1 + names * NAME_BYTES);
  const rest = (names: number, counts: number) =>
    bytes.subarray(1 + names * NAME_BYTES + counts * COUNT_BYTES);
  const holds = (names: number, counts: number) =>
    bytes.length >= 1 + names * NAME_BYTES + counts * COUNT_BYTES;
  if (type === TYPES.hello && holds(1, 1))
    return { type: "hello", session: name(0), asks: countAt(1) === 1, replica: rest(1, 1).toString() };
  if (type === TYPES.open && holds(3, 1)) {
    const knows = name(2) === NO_NAME ? "" : name(2);
    const replica = rest(3, 1).toString();
    return { type: "open", session: name(0), end: name(1), knows, published: countAt(3), replica };
  }
  if (type === TYPES.direct && holds(2, 1))
    return { type: "direct", end: name(0), from: name(1), number: countAt(2), frame: rest(2, 1) };
  if (type === TYPES.published && holds(1, 1))
    return { type: "published", session: name(0), number: countAt(1), frame: rest(1, 1) };
  if (type === TYPES.close && holds(2, 0))
    return { type: "close", end: name(0), of: name(1), reason: rest(2, 0).toString() };
  return undefined;
}

function join(
  type: number,
  names: readonly string[],
  counts: readonly number[],
  rest: Uint8Array,
): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + names.length * NAME_BYTES + counts.length * COUNT_BYTES + rest.length);
  let at = bytes.writeUInt8(type);
  for (const name of names) at += bytes.write(name, at, "hex");
  for (const count of counts) at = bytes.writeUInt32BE(count, at);
  bytes.set(rest, at);
  return bytes;
}
