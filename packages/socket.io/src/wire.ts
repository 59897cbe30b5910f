/** The channel over which the servers of one namespace talk. What cannot be read is counted, told once, and changes nothing. */
import type { AnyNode, Packet, ReplicaId } from "presently";
import { type Codec, MalformedError } from "./codec.ts";
import {
  type Acknowledged,
  type Asked,
  readAcknowledged,
  readAsked,
  readSaid,
  type Said,
} from "./messages.ts";
import type { NoticeListener } from "./notice.ts";
import { type Frame, pack, type Shipment, unpack } from "./shipment.ts";

/** Who hears what comes. Values that are read wrongly throw, and are counted. */
export interface Receiver {
  heard(said: Said, frames: Shipment["frames"], from: ReplicaId): void;
  acknowledged(answer: Acknowledged, value: () => unknown, from: ReplicaId): void;
  answer(asked: Asked, value: () => unknown): Promise<Packet>;
}

export class Wire {
  readonly #node: AnyNode;
  readonly #channel: string;
  readonly #codec: Codec;
  readonly #namespace: string;
  readonly #notice: NoticeListener;
  #ends: (() => void)[] = [];
  #malformed = 0;

  constructor(
    node: AnyNode,
    channel: string,
    {
      codec,
      namespace,
      notice,
    }: { readonly codec: Codec; readonly namespace: string; readonly notice: NoticeListener },
  ) {
    this.#node = node;
    this.#channel = channel;
    this.#codec = codec;
    this.#namespace = namespace;
    this.#notice = notice;
  }

  /** Messages that could not be read. */
  get malformed(): number {
    return this.#malformed;
  }

  listen(receiver: Receiver): void {
    const { acknowledged, answer, heard } = receiver;
    this.#ends = [
      this.#node.onBroadcast(this.#channel, (payload, from) => {
        if (from === this.#node.replica) return;
        this.#guard(from, () => {
          const { header, frames } = this.#read(payload, readSaid);
          heard(header, frames, from);
        });
      }),
      this.#node.onMessage(this.#channel, (payload, from) => {
        this.#guard(from, () => {
          const { header, frames } = this.#read(payload, readAcknowledged);
          acknowledged(header, () => this.#codec.decodeValue(frames), from);
        });
      }),
      this.#node.onRequest(this.#channel, (payload, from) => {
        let answered: Promise<Packet> | undefined;
        this.#guard(from, () => {
          const { header, frames } = this.#read(payload, readAsked);
          answered = answer(header, () => this.#codec.decodeValue(frames));
        });
        return answered ?? Promise.reject(new MalformedError("the question cannot be read"));
      }),
    ];
  }

  /**
   * Says something to the servers that want one of these topics, or to all.
   *
   * @throws {LimitError} if it is too large
   */
  say(said: Said, frames: readonly Frame[], topics?: readonly string[]): void {
    this.#node.broadcast(this.#channel, pack(said, frames), topics && { topics });
  }

  /** Asks one server; rejects as `node.request`. */
  async ask(
    server: ReplicaId,
    asked: Asked,
    { frames = [], timeoutMs }: { readonly frames?: readonly Frame[]; readonly timeoutMs: number },
  ): Promise<Shipment> {
    const payload = await this.#node.request(server, this.#channel, pack(asked, frames), { timeoutMs });
    const answer = unpack(payload);
    if (answer === undefined) throw this.#counted(server, new MalformedError("the answer cannot be read"));
    return answer;
  }

  /** Tells a server what it waits for. One that is gone does not wait. */
  reply(to: ReplicaId, answer: Acknowledged, value?: unknown): void {
    try {
      const frames = answer.kind === "ack" ? this.#codec.encodeValue(value) : [];
      this.#node.send(to, this.#channel, pack(answer, frames));
    } catch (error) {
      const message = `the acknowledgement of a client could not be sent to ${to}`;
      this.#notice({ type: "answer-lost", level: "warn", message, namespace: this.#namespace, error });
    }
  }

  close(): void {
    for (const end of this.#ends.splice(0)) end();
  }

  #read<T>(
    payload: unknown,
    read: (header: unknown) => T | undefined,
  ): { header: T; frames: Shipment["frames"] } {
    const shipment = unpack(payload);
    const header = shipment && read(shipment.header);
    if (shipment === undefined || header === undefined) throw new MalformedError("the header cannot be read");
    return { header, frames: shipment.frames };
  }

  #guard(from: ReplicaId, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#counted(from, error);
    }
  }

  #counted(from: ReplicaId, error: MalformedError): MalformedError {
    this.#malformed++;
    const message = `${from} sent what cannot be read: does it run the same version?`;
    if (this.#malformed === 1)
      this.#notice({
        type: "malformed-message",
        level: "warn",
        message,
        namespace: this.#namespace,
        error,
      });
    return error;
  }
}
