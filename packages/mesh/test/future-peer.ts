/**
 * A peer of a later minor version, made up: it speaks the protocol as today's nodes know it and says more at every turn.
 * Handshake frames carry fields, and capabilities, that nobody knows; other frames are followed by types that nobody
 * knows; the replica's messages, and the tuples inside them, have fields at their end that nobody knows.
 *
 * It is a transport for a replica of today. It keeps one link a peer as long as only one of the two dials.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { ReplicaId, Transport, TransportListener } from "@presently/replica";
import { Packr } from "msgpackr";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { FRAME } from "../src/frames.ts";
import { extendTranscript, Keyring } from "../src/secrets.ts";

const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  int64AsType: "number",
});

/** What a later version may add to a map. */
const EXTRA_FIELDS = { shoeSize: 43, nested: { of: ["the", "future", null, 1.5] }, minor2: -1 };

/** What a later version may add to a tuple. */
const EXTRA_ITEMS = [{ since: "minor 7" }, null, 99];

/** Types that no version has yet, below and above the first of the replica's. */
const UNKNOWN_TYPES = [6, 9, 15, 99, 200, 255];

/** The type of a part of the answer to a pull; its third field says whether it is of a full state. */
const SYNC = 19;

/** Where, in the fields of a message of the replica, lists of tuples stand: by type. */
const TUPLE_LISTS: Readonly<Record<number, readonly number[]>> = {
  16: [4],
  17: [1, 3],
  18: [1, 2],
  [SYNC]: [3, 4, 5, 6],
};

interface FutureLink {
  readonly socket: WebSocket;
  /** Where it was dialled; undefined if the peer dialled. */
  readonly url: string | undefined;
}

export class FuturePeer implements Transport {
  readonly #cluster: string;
  readonly #replica: ReplicaId;
  readonly #keyring: Keyring;
  readonly #listener: TransportListener;
  readonly #server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  readonly #links = new Map<ReplicaId, FutureLink>();
  readonly #instance = randomBytes(16).toString("hex");
  /** Where to dial each peer again. */
  readonly #urls = new Map<ReplicaId, string>();
  #isCut = false;
  /** Frames sent that no node of today knows the type of. */
  unknownFramesSent = 0;
  /** The types of the messages that were sent with more in them than is known; a full state is `full`. */
  readonly typesSent = new Set<number | "full">();
  /** Why a peer refused us, or we refused it: there should be none. */
  readonly refusals: string[] = [];

  constructor(options: {
    cluster: string;
    replica: ReplicaId;
    secret: string;
    listener: TransportListener;
  }) {
    this.#cluster = options.cluster;
    this.#replica = options.replica;
    this.#keyring = new Keyring([options.secret]);
    this.#listener = options.listener;
    this.#server.on("connection", (socket) => void this.#accept(socket));
  }

  async listening(): Promise<string> {
    if (this.#server.address() === null) await once(this.#server, "listening");
    return this.#url();
  }

  get linked(): ReplicaId[] {
    return [...this.#links.keys()].sort();
  }

  /** Shakes hands with the node at this address. */
  async dial(url: string): Promise<void> {
    const socket = new WebSocket(url);
    const frames = framesOf(socket);
    await once(socket, "open");
    const talk = new Talk(socket, this.#keyring, "dialler");
    talk.say(FRAME.hello, this.#introduction(this.#keyring.ids));
    const challenge = talk.hear(await frames.next());
    talk.agree(challenge.keys as string[]);
    talk.say(FRAME.proof, {});
    talk.hear(await frames.next());
    frames.stop();
    this.#install(challenge.replica as ReplicaId, { socket, url });
  }

  send(peer: ReplicaId, frame: Uint8Array): void {
    const socket = this.#links.get(peer)?.socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const type = UNKNOWN_TYPES[this.unknownFramesSent % UNKNOWN_TYPES.length]!;
    socket.send(Buffer.concat([Uint8Array.of(1, type), randomBytes(40)]));
    this.unknownFramesSent += 1;
    const fields: unknown[] = packr.unpack(frame.subarray(2));
    this.typesSent.add(frame[1]!);
    if (frame[1] === SYNC && fields[2] === true) this.typesSent.add("full");
    socket.send(Buffer.concat([frame.subarray(0, 2), packr.pack(extended(frame[1]!, fields))]));
  }

  /** Tells all peers where a node is, with more to it than an address. */
  tellAddress(node: string, url: string): void {
    const packed = packr.pack({ addresses: [[node, url, ...EXTRA_ITEMS]], ...EXTRA_FIELDS });
    for (const { socket } of this.#links.values())
      socket.send(Buffer.concat([Uint8Array.of(1, FRAME.addresses), packed]));
  }

  congested(): boolean {
    return false;
  }

  redial(peer: ReplicaId): void {
    const url = this.#urls.get(peer);
    if (this.#links.has(peer) || url === undefined) return;
    if (this.#isCut) setImmediate(() => this.#listener.unreachable(peer, "the network is cut"));
    else this.dial(url).catch((error: Error) => this.#listener.unreachable(peer, error.message));
  }

  refuse(peer: ReplicaId, code: string, reason: string): void {
    this.refusals.push(`we refused ${peer}: ${code}: ${reason}`);
    this.#links.get(peer)?.socket.close(1008, `${code}: ${reason}`);
  }

  /** Breaks every link, as a network does, and lets none come up until mended. */
  cut(): void {
    this.#isCut = true;
    for (const { socket } of this.#links.values()) socket.terminate();
  }

  /** Lets links come up again, and dials those who were dialled before. */
  mend(): void {
    this.#isCut = false;
    for (const peer of this.#urls.keys()) this.redial(peer);
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #accept(socket: WebSocket): Promise<void> {
    if (this.#isCut) {
      socket.terminate();
      return;
    }
    const frames = framesOf(socket);
    const talk = new Talk(socket, this.#keyring, "acceptor");
    const hello = talk.hear(await frames.next());
    talk.agree(hello.keys as string[]);
    talk.say(FRAME.challenge, this.#introduction([talk.key]));
    talk.hear(await frames.next());
    talk.say(FRAME.accept, {});
    frames.stop();
    this.#install(hello.replica as ReplicaId, { socket, url: undefined });
  }

  #install(peer: ReplicaId, link: FutureLink): void {
    if (link.url !== undefined) this.#urls.set(peer, link.url);
    this.#links.set(peer, link);
    link.socket.on("message", (data: RawData) => {
      const frame = data as Buffer;
      if (frame[1]! >= 16) this.#listener.frame(peer, frame);
    });
    link.socket.on("close", (code, reason) => {
      if (code === 1008) this.refusals.push(`${peer} refused us: ${reason}`);
      this.#links.delete(peer);
      this.#listener.peerDown(peer, String(reason));
    });
    this.#listener.peerUp(peer);
  }

  #introduction(keys: readonly string[]): object {
    return {
      minor: 7,
      cluster: this.#cluster,
      replica: this.#replica,
      instance: this.#instance,
      nonce: randomBytes(16),
      keys,
      capabilities: ["time-travel", "zip-2", "x".repeat(32)],
      address: this.#url(),
    };
  }

  #url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
}

/** One side of a handshake, every map of which holds more than it has to. */
class Talk {
  readonly #socket: WebSocket;
  readonly #keyring: Keyring;
  readonly #role: "dialler" | "acceptor";
  #transcript: Uint8Array = new Uint8Array(32);
  /** The key id that both sides hold; empty before it is agreed. */
  key = "";

  constructor(socket: WebSocket, keyring: Keyring, role: "dialler" | "acceptor") {
    this.#socket = socket;
    this.#keyring = keyring;
    this.#role = role;
  }

  agree(keys: readonly string[]): void {
    this.key = this.#keyring.common(keys) ?? "";
  }

  say(type: number, fields: object): void {
    const body: Uint8Array = packr.pack({ ...fields, ...EXTRA_FIELDS });
    const content = { role: this.#role, type, transcript: this.#transcript, body };
    const seal = this.key === "" ? {} : { seal: this.#keyring.seal(this.key, content) };
    const frame = Buffer.concat([Uint8Array.of(1, type), packr.pack({ body, ...seal, ...EXTRA_FIELDS })]);
    this.#transcript = extendTranscript(this.#transcript, frame);
    this.#socket.send(frame);
  }

  /** The fields that the peer sent. That it holds the secret is for the tests of the handshake to check. */
  hear(frame: Buffer): Record<string, unknown> {
    const fields = packr.unpack(packr.unpack(frame.subarray(2)).body);
    if (frame[1] === FRAME.reject) throw new Error(`refused: ${JSON.stringify(fields)}`);
    this.#transcript = extendTranscript(this.#transcript, frame);
    return fields;
  }
}

/** The frames of a socket, one by one. */
function framesOf(socket: WebSocket): { next(): Promise<Buffer>; stop(): void } {
  const come: Buffer[] = [];
  let wake: (() => void) | undefined;
  const onMessage = (data: RawData) => {
    come.push(data as Buffer);
    wake?.();
  };
  socket.on("message", onMessage);
  return {
    async next() {
      while (come.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return come.shift()!;
    },
    stop: () => void socket.off("message", onMessage),
  };
}

/** A message of the replica with more fields than today's nodes read, also in the tuples inside it. */
function extended(type: number, fields: readonly unknown[]): unknown[] {
  for (const index of TUPLE_LISTS[type] ?? []) {
    const list = fields[index];
    if (Array.isArray(list)) for (const tuple of list) (tuple as unknown[]).push(...EXTRA_ITEMS);
  }
  return [...fields, ...EXTRA_ITEMS];
}
