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
const ANSWER_BYTES = 524_288;

/** Sockets of an answer at most. */
const ANSWER_SOCKETS = 500;

/** How long a question stays open, so that an answer that comes late is still heard. */
export const QUESTION_MS = 5_000;

/** What a server tells of a socket. */
interface Details {
  readonly handshake: unknown;
  readonly data: unknown;
  readonly rooms?: readonly Room[];
}

/** What a server has told of its sockets; of those without details it can be asked. */
type Told = Map<SocketId, Details | undefined>;

/** A socket of this server, of which others are told. */
export interface LocalSocket {
  readonly id: SocketId;
  readonly handshake: object;
  readonly data: unknown;
  readonly rooms: Iterable<Room>;
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
    const told = new Map<ReplicaId, Told>();
    const waited: Promise<void>[] = [];
    const time = deadline(askMs);
    for (const server of asked) {
      if (!this.#silent.has(server)) waited.push(this.#askAll(server, target, told, time));
      // Not waited for: its answer says that it is back.
      else if (!this.#silent.get(server)) void this.#ask(server, { kind: "sockets", target }, new Map());
    }
    await Promise.all(waited);
    time.end();
    const found = directory.find(wanted);
    // A server that has answered knows best which sockets it has.
    for (const [server, sockets] of told) found.set(server, [...sockets.keys()]);
    const all = [...found].flatMap(([server, ids]) =>
      ids.map((id) => ({ id, fresh: told.get(server)?.get(id) })),
    );
    const rooms = directory.roomsOf(all.flatMap(({ id, fresh }) => (fresh === undefined ? [id] : [])));
    return all.map(({ id, fresh }) => {
      const details = fresh ?? this.#lastCopies.get(id) ?? this.#firstCopy(id);
      return { ...details, id, rooms: fresh?.rooms ?? rooms.get(id) ?? [id] };
    });
  }

  /** What another server is told of these sockets: as many as fit; of the others it asks again. */
  describe(sockets: Iterable<LocalSocket>): { header: object; frames: (string | Uint8Array)[] } {
    const described: { id: SocketId; frames: number }[] = [];
    const rest: SocketId[] = [];
    const all: (string | Uint8Array)[] = [];
    let bytes = 0;
    for (const socket of sockets) {
      if (bytes >= ANSWER_BYTES || described.length === ANSWER_SOCKETS) {
        rest.push(socket.id);
        continue;
      }
      const frames = this.#encode(socket);
      described.push({ id: socket.id, frames: frames.length });
      all.push(...frames);
      bytes += frames.reduce((sum, frame) => sum + frame.length, 0);
    }
    return { header: { described, rest }, frames: all };
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

  /** Asks until everything is known, or the time is over. */
  async #askAll(
    server: ReplicaId,
    target: Target,
    told: Map<ReplicaId, Told>,
    time: Deadline,
  ): Promise<void> {
    const sockets: Told = new Map();
    let question: Asked = { kind: "sockets", target };
    for (;;) {
      const answered = await Promise.race([this.#ask(server, question, sockets), time.over]);
      if (answered === "late") this.#silent.set(server, true);
      if (answered !== true) return;
      told.set(server, sockets);
      const rest = [...sockets].flatMap(([id, details]) => (details === undefined ? [id] : []));
      if (rest.length === 0) return;
      question = { kind: "details", ids: rest.slice(0, ANSWER_SOCKETS) };
    }
  }

  /** Settles with whether there was an answer; what it tells is put among `sockets`. */
  async #ask(server: ReplicaId, question: Asked, sockets: Told): Promise<boolean> {
    if (this.#silent.has(server)) this.#silent.set(server, true);
    try {
      const answer = await this.#options.ask(server, question);
      // Those that were asked for by name and are not told of are gone.
      if (question.kind === "details") for (const id of question.ids) sockets.delete(id);
      this.#take(answer, sockets);
      this.#silent.delete(server);
      return true;
    } catch {
      // There is no link, or it did not answer what can be read: what is known of its sockets is shown.
      if (this.#silent.has(server)) this.#silent.set(server, false);
      return false;
    }
  }

  #take({ header, frames }: Shipment, sockets: Told): void {
    const { described, rest } = header as { described: { id: SocketId; frames: number }[]; rest: SocketId[] };
    let at = 0;
    for (const { id, frames: count } of described) {
      const details = this.#options.codec.decodeValue(frames.slice(at, at + count)) as Details;
      at += count;
      sockets.set(id, details);
      this.#keep(id, details);
    }
    for (const id of rest) sockets.set(id, undefined);
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
  #encode({ handshake, data, rooms: joined }: LocalSocket): (string | Uint8Array)[] {
    // Stores of sessions put what is circular there.
    const { sessionStore: _, ...told } = handshake as { sessionStore?: unknown };
    const rooms = [...joined];
    for (const value of [
      { rooms, handshake: told, data },
      { rooms, handshake: told, data: {} },
    ]) {
      try {
        return this.#options.codec
          .encodeValue(value)
          .map((frame) => (typeof frame === "string" ? frame : bytesOf(frame)));
      } catch {
        // Without `data`, then.
      }
    }
    return this.#options.codec.encodeValue({ rooms, handshake: unknownHandshake(), data: {} }) as string[];
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
