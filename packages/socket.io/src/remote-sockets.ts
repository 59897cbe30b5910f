/**
 * Sockets of other servers. Which there are, and in which rooms, this server knows; their `data` may have changed without
 * anybody being told, so each server that has some is asked. One that does not answer in time costs this time once: it is not
 * waited for again before it has answered.
 */
import type { ReplicaId } from "presently";
import type { BroadcastOptions, Room, SocketId } from "socket.io-adapter";
import type { Codec } from "./codec.ts";
import type { Directory } from "./directory.ts";
import { type Asked, type Target, targetOf } from "./messages.ts";
import { bytesOf, type Shipment } from "./shipment.ts";

/** Bytes of an answer from which on what is left is left for the next question. */
const ANSWER_BYTES = 32_768;

/** Ids in one question. */
const IDS_MAX = 1_000;

/** How long a question stays open, so that an answer that comes late is still heard. */
export const QUESTION_MS = 5_000;

/** What is known of a socket besides its rooms. */
interface Details {
  readonly handshake: unknown;
  readonly data: unknown;
}

/** A socket of this server, of which others are told. */
export interface LocalSocket {
  readonly id: SocketId;
  readonly handshake: object;
  readonly data: unknown;
}

/** As Socket.IO makes a `RemoteSocket` of. */
export interface RemoteDetails extends Details {
  readonly id: SocketId;
  readonly rooms: readonly Room[];
}

export interface RemoteSocketsOptions {
  readonly codec: Codec;
  readonly directory: Directory;
  readonly askMs: number;
  readonly lastCopiesMax: number;
  /** Asks a server; rejects if there will be no answer. */
  readonly ask: (server: ReplicaId, question: Asked) => Promise<Shipment>;
}

export class RemoteSockets {
  readonly #options: RemoteSocketsOptions;
  /** The oldest first. */
  readonly #lastCopies = new Map<SocketId, Details>();
  /** Servers that did not answer in time, and whether they are asked something now. */
  readonly #silent = new Map<ReplicaId, boolean>();

  constructor(options: RemoteSocketsOptions) {
    this.#options = options;
  }

  /**
   * The sockets of other servers that are meant. Never rejects, and waits at most `askMs`.
   *
   * @param servers those that are asked even if they are not known to have any: of a socket that has just connected there, or has
   * just joined, nothing may be known here yet
   */
  async fetch(options: BroadcastOptions, servers: Iterable<ReplicaId>): Promise<RemoteDetails[]> {
    const { directory, askMs } = this.#options;
    const wanted = { rooms: options.rooms, except: options.except };
    const target = targetOf({ ...options, flags: {} });
    if (target === undefined) return [];
    const asked = new Set([...servers, ...directory.find(wanted).keys()]);
    const fresh = new Map<SocketId, Details>();
    const question: Asked = { kind: "sockets", target };
    const waited: Promise<void>[] = [];
    const time = deadline(askMs);
    for (const server of asked) {
      if (!this.#silent.has(server)) waited.push(this.#askAll(server, target, fresh, time));
      // Not waited for: its answer says that it is back.
      else if (!this.#silent.get(server)) void this.#ask(server, question, fresh);
    }
    await Promise.all(waited);
    time.end();
    // An answer comes after what its server has recorded by then, so that all of it is known here now.
    const ids = [...directory.find(wanted).values()].flat();
    const rooms = directory.roomsOf(ids);
    return ids.map((id) => ({
      id,
      rooms: rooms.get(id) ?? [id],
      ...(fresh.get(id) ?? this.#lastCopies.get(id) ?? this.#firstCopy(id)),
    }));
  }

  /** What another server is told of these sockets: as many as fit; of the others it asks again. */
  describe(sockets: Iterable<LocalSocket>): { header: object; frames: (string | Uint8Array)[] } {
    const described: { id: SocketId; frames: number }[] = [];
    const all: (string | Uint8Array)[] = [];
    let bytes = 0;
    for (const socket of sockets) {
      if (bytes >= ANSWER_BYTES) break;
      const frames = this.#encode(socket);
      described.push({ id: socket.id, frames: frames.length });
      all.push(...frames);
      bytes += frames.reduce((sum, frame) => sum + frame.length, 0);
    }
    return { header: { described }, frames: all };
  }

  /** Its `data` as it is now, if it can be told as one text. */
  copyOf(data: unknown): string | undefined {
    try {
      const [text, ...others] = this.#options.codec.encodeValue(data);
      return typeof text === "string" && others.length === 0 ? text : undefined;
    } catch {
      return undefined;
    }
  }

  /** A server that is gone. */
  forget(server: ReplicaId): void {
    this.#silent.delete(server);
  }

  /** Asks until everything is known, nothing new comes, or the time is over. */
  async #askAll(
    server: ReplicaId,
    target: Target,
    fresh: Map<SocketId, Details>,
    time: Deadline,
  ): Promise<void> {
    const wanted = { rooms: target.rooms, except: target.except };
    let question: Asked = { kind: "sockets", target };
    for (;;) {
      const brought = await Promise.race([this.#ask(server, question, fresh), time.over]);
      if (brought === "late") this.#silent.set(server, true);
      if (brought === "late" || brought === 0) return;
      const known = this.#options.directory.find(wanted).get(server) ?? [];
      const missing = known.filter((id) => !fresh.has(id));
      if (missing.length === 0) return;
      question = { kind: "details", ids: missing.slice(0, IDS_MAX) };
    }
  }

  /** Returns how many sockets the answer tells of, 0 without one. */
  async #ask(server: ReplicaId, question: Asked, fresh: Map<SocketId, Details>): Promise<number> {
    if (this.#silent.has(server)) this.#silent.set(server, true);
    try {
      const brought = this.#take(await this.#options.ask(server, question), fresh);
      this.#silent.delete(server);
      return brought;
    } catch {
      // There is no link, or it did not answer what can be read: what is known of its sockets is shown.
      if (this.#silent.has(server)) this.#silent.set(server, false);
      return 0;
    }
  }

  #take({ header, frames }: Shipment, fresh: Map<SocketId, Details>): number {
    const { described } = header as { described: { id: SocketId; frames: number }[] };
    let at = 0;
    for (const { id, frames: count } of described) {
      const details = this.#options.codec.decodeValue(frames.slice(at, at + count)) as Details;
      at += count;
      fresh.set(id, details);
      this.#keep(id, details);
    }
    return described.length;
  }

  #keep(id: SocketId, details: Details): void {
    this.#lastCopies.delete(id);
    this.#lastCopies.set(id, details);
    const [oldest] = this.#lastCopies.keys();
    if (this.#lastCopies.size > this.#options.lastCopiesMax) this.#lastCopies.delete(oldest!);
  }

  /** Of a socket whose server was never heard. */
  #firstCopy(id: SocketId): Details {
    const { codec, directory } = this.#options;
    const copy = directory.copyOf(id);
    let data: unknown = {};
    try {
      if (copy !== undefined) data = codec.decodeValue([copy]);
    } catch {
      // Another version, or another parser, has made it.
    }
    return { handshake: unknownHandshake(), data };
  }

  /** What cannot be encoded is left out: circular `data`, for example. */
  #encode({ handshake, data }: LocalSocket): (string | Uint8Array)[] {
    // Stores of sessions put what is circular there.
    const { sessionStore: _, ...told } = handshake as { sessionStore?: unknown };
    for (const value of [
      { handshake: told, data },
      { handshake: told, data: {} },
    ]) {
      try {
        return this.#options.codec
          .encodeValue(value)
          .map((frame) => (typeof frame === "string" ? frame : bytesOf(frame)));
      } catch {
        // Without `data`, then.
      }
    }
    return this.#options.codec.encodeValue({ handshake: unknownHandshake(), data: {} }) as string[];
  }
}

interface Deadline {
  readonly over: Promise<"late">;
  end(): void;
}

function deadline(ms: number): Deadline {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<"late">((resolve) => {
    timer = setTimeout(resolve, ms, "late");
  });
  return { over, end: () => clearTimeout(timer) };
}

/** As Socket.IO has it, with nothing in it. */
function unknownHandshake(): object {
  const nothing = { headers: {}, query: {}, auth: {} };
  return { ...nothing, time: "", address: "", xdomain: false, secure: false, issued: 0, url: "" };
}
