/**
 * How does a value of a megabyte travel between nodes that take messages of 64 KiB?
 *
 * As JSON, cut into parts. A broadcast goes out part by part, and what misses one is dropped: whoever lacks it pulls. A
 * request is sent ahead in requests of its own, and the parts of a large answer are fetched one after the other.
 */
import { PresentlyError, type ReplicaId } from "presently";
import { Assemblies, cut, PART_LENGTH } from "./fragments.ts";
import type { KeyspaceClock, Messenger } from "./messenger.ts";
import { list, MalformedMessageError } from "./wire.ts";

/** How long the rest of an answer is kept for whoever has the first part. */
const KEPT_MS = 10_000;
const KEPT_MAX = 64;

type Handler = (payload: unknown, from: ReplicaId) => unknown;

export interface LargeMessagesPort {
  readonly messenger: Messenger;
  readonly channel: string;
  readonly clock: KeyspaceClock;
  /** Code units of the JSON of a message; beyond, it is not put together. */
  readonly lengthMax: number;
}

export class LargeMessages {
  private readonly port: LargeMessagesPort;
  private readonly broadcasts: Assemblies;
  private readonly requests: Assemblies;
  /** The parts of answers, by their number. */
  private readonly kept = new Map<number, { readonly parts: readonly string[]; untilMs: number }>();
  /** Large requests to a peer go one after the other: parts of two would not fit together. */
  private readonly sending = new Map<ReplicaId, Promise<unknown>>();
  private numbers = 0;

  constructor(port: LargeMessagesPort) {
    this.port = port;
    this.broadcasts = new Assemblies(port.lengthMax);
    this.requests = new Assemblies(port.lengthMax);
  }

  /** As `Messenger.broadcast`, of a payload of any size. */
  broadcast(payload: unknown): void {
    const { messenger, channel } = this.port;
    try {
      messenger.broadcast(channel, payload);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      const number = ++this.numbers;
      const parts = cut(JSON.stringify(payload));
      for (const [index, part] of parts.entries())
        messenger.broadcast(channel, ["part", number, index, parts.length, part]);
    }
  }

  /** As `Messenger.request`, of a payload and an answer of any size. */
  async request(to: ReplicaId, payload: unknown, timeoutMs: number): Promise<unknown> {
    const json = JSON.stringify(payload);
    const answer =
      json.length <= PART_LENGTH
        ? await this.ask(to, payload, timeoutMs)
        : await this.inTurn(to, () => this.sendParts(to, cut(json), timeoutMs));
    if (!isPart(answer)) return answer;
    const [, number, , count, first] = answer;
    let text = String(first);
    for (let index = 1; index < Number(count); index++) {
      const part = await this.ask(to, ["rest", number, index], timeoutMs);
      if (typeof part !== "string") throw new MalformedMessageError("part of an answer");
      text += part;
    }
    return JSON.parse(text);
  }

  /** Gives what a broadcast brought; undefined as long as parts are missing. */
  received(payload: unknown, from: ReplicaId): unknown {
    return isPart(payload) ? assembled(this.broadcasts, payload, from) : payload;
  }

  /** Answers a request of a peer by `handler`, which is called with the whole payload. */
  async answer(payload: unknown, from: ReplicaId, handler: Handler): Promise<unknown> {
    const [type, number, index] = list(payload, "request");
    if (type === "rest") return this.rest(Number(number), Number(index));
    const whole = isPart(payload) ? assembled(this.requests, payload, from) : payload;
    return whole === undefined ? null : this.whole(await handler(whole, from));
  }

  /** Forgets what a peer that is gone has begun. */
  drop(peer: ReplicaId): void {
    this.broadcasts.drop(peer);
    this.requests.drop(peer);
  }

  private ask(to: ReplicaId, payload: unknown, timeoutMs: number): Promise<unknown> {
    const { messenger, channel } = this.port;
    return messenger.request(to, channel, payload, { timeoutMs });
  }

  private async sendParts(to: ReplicaId, parts: readonly string[], timeoutMs: number): Promise<unknown> {
    const number = ++this.numbers;
    let answer: unknown;
    for (const [index, part] of parts.entries())
      answer = await this.ask(to, ["part", number, index, parts.length, part], timeoutMs);
    return answer;
  }

  private async inTurn<T>(to: ReplicaId, work: () => Promise<T>): Promise<T> {
    const before = this.sending.get(to) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.sending.set(to, mine);
    try {
      return await mine;
    } finally {
      if (this.sending.get(to) === mine) this.sending.delete(to);
    }
  }

  /** An answer as it is, or its first part. */
  private whole(answer: unknown): unknown {
    const json = JSON.stringify(answer) ?? "null";
    if (json.length <= PART_LENGTH) return answer;
    const parts = cut(json);
    const number = ++this.numbers;
    const nowMs = this.port.clock.now();
    for (const [other, { untilMs }] of this.kept)
      if (untilMs < nowMs || this.kept.size >= KEPT_MAX) this.kept.delete(other);
    this.kept.set(number, { parts, untilMs: nowMs + KEPT_MS });
    return ["part", number, 0, parts.length, parts[0]];
  }

  private rest(number: number, index: number): string {
    const kept = this.kept.get(number);
    const part = kept?.parts[index];
    if (kept === undefined || part === undefined) throw new MalformedMessageError("part of an answer");
    kept.untilMs = this.port.clock.now() + KEPT_MS;
    if (index === kept.parts.length - 1) this.kept.delete(number);
    return part;
  }
}

function isPart(payload: unknown): payload is readonly unknown[] {
  return Array.isArray(payload) && payload[0] === "part" && payload.length === 5;
}

function assembled(assemblies: Assemblies, parts: readonly unknown[], from: ReplicaId): unknown {
  const [, number, index, count, part] = parts;
  if (typeof part !== "string") throw new MalformedMessageError("part");
  const text = assemblies.add(from, Number(number), Number(index), Number(count), part);
  return text === undefined ? undefined : JSON.parse(text);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof PresentlyError && error.code === "LIMIT_REACHED";
}
