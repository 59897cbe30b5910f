/**
 * The mesh's own frames: byte 0 is the protocol's major version, byte 1 the type (0 to 15), then a msgpack map.
 *
 * Handshake frames hold `{ body, seal }`: the body is a msgpack map of its own, kept as the bytes that its sender
 * sealed. Unknown fields are ignored. Whatever is not such a frame throws a `ProtocolError`, and nothing else.
 */
import { isReplicaId, ProtocolError, type ReplicaId } from "@presently/replica";
import { Packr, Unpackr } from "msgpackr";
import { normalizeAddress } from "./address.ts";

/** The type bytes of the mesh's own frames. Types from 16 on belong to the replica. */
export const FRAME = { hello: 0, challenge: 1, proof: 2, accept: 3, reject: 4, addresses: 5 } as const;

/** The first type byte that is not the transport's. */
export const FIRST_REPLICA_TYPE = 16;

const NONCE_BYTES = 16;
const CLUSTER_LENGTH_MAX = 255;
const REPLICA_LENGTH_MAX = 300;
const CAPABILITIES_MAX = 32;
const CAPABILITY_LENGTH_MAX = 32;
const KEYS_MAX = 16;

/** Bounds of what a handshake can carry: what the options allow must fit `HANDSHAKE_BYTES_MAX`. */
export const HANDSHAKE_BOUNDS = {
  clusterLengthMax: CLUSTER_LENGTH_MAX,
  replicaLengthMax: REPLICA_LENGTH_MAX,
  capabilitiesMax: CAPABILITIES_MAX,
  capabilityLengthMax: CAPABILITY_LENGTH_MAX,
  secretsMax: KEYS_MAX,
  nonceBytes: NONCE_BYTES,
} as const;

/** Most addresses in one frame; longer lists take several. */
export const ADDRESSES_PER_FRAME_MAX = 256;

/** A handshake frame, its body still as it was sealed. */
export interface Envelope {
  readonly type: number;
  readonly body: Uint8Array;
  readonly seal: Uint8Array | undefined;
}

/** What either side says of itself first: the dialler in its hello, the acceptor in its challenge. */
export interface Introduction {
  /** The protocol's minor version: fields and types were added since minor 0, nothing was changed. */
  readonly minor: number;
  readonly cluster: string;
  readonly replica: ReplicaId;
  /** Random, one per process: tells two processes with one replica id apart, and a node from itself. */
  readonly instance: string;
  readonly nonce: Uint8Array;
  /** The key ids of the dialler's secrets, or of the one that the acceptor chose among them. */
  readonly keys: readonly string[];
  readonly capabilities: readonly string[];
  /** Where the node can be dialled. */
  readonly address: string | undefined;
}

/** The body of a proof; its seal is the proof. */
export interface Proof {
  /** The last link that the dialler had, and lost, with this peer. */
  readonly lostLinkId: string | undefined;
}

/** The body of a reject frame. Keeps its shape in every major version, so that the reason can always be read. */
export interface Rejection {
  readonly code: string;
  readonly reason: string;
  readonly newest: number | undefined;
  readonly holder: string | undefined;
}

/** A node's name, and where it can be dialled. */
export type NodeAddress = readonly [node: string, address: string];

const packr = new Packr({ useRecords: false, variableMapSize: true });
/** Strangers write what this reads: without the extension by which one part refers to another, its work is bounded by the frame. */
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  structuredClone: false,
  int64AsType: "number",
});

/** A frame's body as bytes. */
export function encodeBody(fields: Introduction | Proof | Rejection | Record<string, never>): Uint8Array {
  // Absent fields are left out rather than sent as nil: that is what an older version sends for them.
  return packr.pack(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)));
}

/** The whole frame for a body that is sealed, or need not be. */
export function encodeEnvelope(major: number, { type, body, seal }: Envelope): Uint8Array {
  return frameOf(major, type, seal === undefined ? { body } : { body, seal });
}

/** Reads the outer layer of a handshake frame. @throws {ProtocolError} `MALFORMED` */
export function decodeEnvelope(frame: Uint8Array): Envelope {
  const fields = mapOf(frame.subarray(2));
  return {
    type: frame[1]!,
    body: bytes(fields, "body"),
    seal: fields.seal === undefined ? undefined : bytes(fields, "seal"),
  };
}

/** @throws {ProtocolError} `MALFORMED` */
export function decodeIntroduction(body: Uint8Array): Introduction {
  const fields = mapOf(body);
  const replica = text(fields, "replica", REPLICA_LENGTH_MAX);
  if (!isReplicaId(replica)) throw malformed("replica", "is not a replica id");
  const nonce = bytes(fields, "nonce");
  if (nonce.length !== NONCE_BYTES) throw malformed("nonce", `is not ${NONCE_BYTES} bytes long`);
  return {
    minor: whole(fields, "minor"),
    cluster: text(fields, "cluster", CLUSTER_LENGTH_MAX),
    replica,
    instance: text(fields, "instance", 64),
    nonce,
    keys: texts(fields, "keys", KEYS_MAX, 64),
    capabilities: texts(fields, "capabilities", CAPABILITIES_MAX, CAPABILITY_LENGTH_MAX),
    address: fields.address === undefined ? undefined : address(fields.address),
  };
}

/** @throws {ProtocolError} `MALFORMED` */
export function decodeProof(body: Uint8Array): Proof {
  const fields = mapOf(body);
  return { lostLinkId: fields.lostLinkId === undefined ? undefined : text(fields, "lostLinkId", 64) };
}

/** @throws {ProtocolError} `MALFORMED` */
export function decodeRejection(body: Uint8Array): Rejection {
  const fields = mapOf(body);
  return {
    code: text(fields, "code", 64),
    reason: text(fields, "reason", 1024),
    newest: fields.newest === undefined ? undefined : whole(fields, "newest"),
    holder: fields.holder === undefined ? undefined : text(fields, "holder", 300),
  };
}

/** The frames that tell a peer of these addresses: none for none. */
export function encodeAddresses(major: number, addresses: readonly NodeAddress[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let start = 0; start < addresses.length; start += ADDRESSES_PER_FRAME_MAX) {
    const part = addresses.slice(start, start + ADDRESSES_PER_FRAME_MAX);
    frames.push(frameOf(major, FRAME.addresses, { addresses: part }));
  }
  return frames;
}

/** @throws {ProtocolError} `MALFORMED` */
export function decodeAddresses(frame: Uint8Array): NodeAddress[] {
  const { addresses } = mapOf(frame.subarray(2));
  if (!Array.isArray(addresses) || addresses.length > ADDRESSES_PER_FRAME_MAX) {
    throw malformed("addresses", `is not a list of at most ${ADDRESSES_PER_FRAME_MAX}`);
  }
  return addresses.map((pair: unknown): NodeAddress => {
    if (!Array.isArray(pair)) throw malformed("addresses", "holds something other than pairs");
    const [node, where] = pair;
    if (typeof node !== "string" || node.length === 0 || node.length > REPLICA_LENGTH_MAX) {
      throw malformed("addresses", "holds a pair without a node name");
    }
    return [node, address(where)];
  });
}

function frameOf(major: number, type: number, fields: object): Uint8Array {
  const packed = packr.pack(fields);
  const frame = new Uint8Array(2 + packed.length);
  frame[0] = major;
  frame[1] = type;
  frame.set(packed, 2);
  return frame;
}

function mapOf(packed: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = unpackr.unpack(packed);
  } catch (cause) {
    throw new ProtocolError("MALFORMED", "the frame is not msgpack", { cause });
  }
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    throw new ProtocolError("MALFORMED", "the frame holds no map");
  }
  return value as Record<string, unknown>;
}

function malformed(field: string, problem: string): ProtocolError {
  return new ProtocolError("MALFORMED", `field ${field} ${problem}`);
}

function text(fields: Record<string, unknown>, field: string, lengthMax: number): string {
  const value = fields[field];
  if (typeof value !== "string" || value.length === 0 || value.length > lengthMax) {
    throw malformed(field, `is not a text of 1 to ${lengthMax} characters`);
  }
  return value;
}

function texts(
  fields: Record<string, unknown>,
  field: string,
  countMax: number,
  lengthMax: number,
): string[] {
  const value = fields[field];
  if (!Array.isArray(value) || value.length > countMax) {
    throw malformed(field, `is not a list of at most ${countMax}`);
  }
  if (!value.every((item) => typeof item === "string" && item.length <= lengthMax)) {
    throw malformed(field, `holds something other than texts of at most ${lengthMax} characters`);
  }
  return value;
}

function bytes(fields: Record<string, unknown>, field: string): Uint8Array {
  const value = fields[field];
  if (!(value instanceof Uint8Array)) throw malformed(field, "is not bytes");
  return value;
}

function whole(fields: Record<string, unknown>, field: string): number {
  const value = fields[field];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw malformed(field, "is not a whole number");
  }
  return value;
}

function address(value: unknown): string {
  const normalized = typeof value === "string" ? normalizeAddress(value) : undefined;
  if (normalized === undefined) throw malformed("address", "is not a ws:// or wss:// URL");
  return normalized;
}
