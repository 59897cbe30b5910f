/**
 * The streams that one subscription hears, and what its client may have missed of them.
 *
 * While they are paused, what is kept in the history comes from there when the client has said where it was; so nothing
 * comes twice, and nothing out of order.
 */
import { InvalidArgumentError, LimitError } from "presently";
import type { HistoryRequest, Position } from "./command.ts";
import * as frames from "./frames.ts";
import { JsonText } from "./json.ts";
import type { Limits } from "./limits.ts";
import type { StreamMessage } from "./stream-log.ts";
import type { Delivery, Streams } from "./streams.ts";

/** Whose streams they are. */
export interface Listener {
  readonly identifier: string;
  /** Whether a session is the listener's own. */
  isSelf(sid: string): boolean;
  send(frame: string): void;
}

export class HeardStreams {
  readonly #streams: Streams;
  readonly #limits: Limits;
  readonly #listener: Listener;
  /** By name; what ends each, while it is heard. */
  readonly #heard = new Map<string, (() => void) | undefined>();
  /** How often each had begun anew when the client was last known to have all of it. */
  readonly #restarts = new Map<string, number>();
  /** Where each ended when the connection broke. */
  #tails = new Map<string, Position>();
  /** Where each ended when the connection broke, if everything since then was sent before the client asked for history. */
  #replayedFrom = new Map<string, Position>();
  #phase: "waiting" | "live" | "paused" = "waiting";

  constructor(streams: Streams, limits: Limits, listener: Listener) {
    this.#streams = streams;
    this.#limits = limits;
    this.#listener = listener;
  }

  names(): string[] {
    return [...this.#heard.keys()];
  }

  tails(): [string, Position][] {
    return [...this.#tails];
  }

  /** @throws {InvalidArgumentError} for a name that cannot be used @throws {LimitError} for one too many */
  add(stream: string): void {
    checkStream(stream, this.#limits.streamBytesMax);
    if (this.#heard.has(stream)) return;
    const { streamsPerSubscriptionMax: most } = this.#limits;
    if (this.#heard.size >= most)
      throw new LimitError("streamsPerSubscriptionMax", most, "too many streams of one subscription");
    this.#heard.set(stream, undefined);
    if (this.#phase === "live") this.#listen(stream);
  }

  delete(stream: string): void {
    this.#heard.get(stream)?.();
    this.#heard.delete(stream);
  }

  /** Begins to listen. */
  start(): void {
    this.#phase = "live";
    for (const stream of this.#heard.keys()) this.#listen(stream);
  }

  /** Stops listening, and remembers where each stream ended. */
  pause(): void {
    if (this.#phase === "live") {
      this.#tails = new Map();
      for (const stream of this.#heard.keys()) {
        const { tail } = this.#streams.log(stream);
        if (tail !== undefined) this.#tails.set(stream, tail);
      }
    }
    this.#replayedFrom.clear();
    this.#phase = "paused";
    this.#stop();
  }

  /** As if they had been paused at another node. */
  restore(names: Iterable<string>, tails: Iterable<readonly [string, Position]>): void {
    for (const name of names) this.#heard.set(name, undefined);
    this.#tails = new Map(tails);
    this.#phase = "paused";
  }

  /** Listens again to what is not kept; the rest is for `replay`. */
  resume(): void {
    for (const stream of this.#heard.keys()) this.#listen(stream);
  }

  /** Sends what the client has missed, and everything from then on. Answers whether all that it missed is known. */
  replay(history: HistoryRequest): boolean {
    const missed = this.#missed(history)?.filter((message) => !this.#wasReplayed(message));
    this.#replayedFrom.clear();
    this.#goOn(missed ?? []);
    return missed !== undefined;
  }

  /** The client did not say where it was: it gets what came since its connection broke. */
  replayFromTails(): void {
    const missed: StreamMessage[] = [];
    for (const [stream, tail] of this.#tails) missed.push(...(this.#streams.log(stream).after(tail) ?? []));
    this.#replayedFrom = new Map(this.#tails);
    this.#goOn(missed);
  }

  /** Everything behind the tail was sent when the connection was back; what was before it may have been lost on its way. */
  #wasReplayed({ stream, position }: StreamMessage): boolean {
    const tail = this.#replayedFrom.get(stream);
    return tail !== undefined && tail.epoch === position.epoch && position.offset > tail.offset;
  }

  end(): void {
    this.#stop();
    this.#heard.clear();
  }

  #stop(): void {
    for (const [stream, end] of this.#heard) {
      end?.();
      this.#heard.set(stream, undefined);
    }
  }

  #goOn(missed: readonly StreamMessage[]): void {
    if (this.#phase === "paused") this.#phase = "live";
    this.#tails.clear();
    const { identifier } = this.#listener;
    for (const { stream, data, position, except } of missed)
      if (except === undefined || !this.#listener.isSelf(except))
        this.#listener.send(frames.message(identifier, new JsonText(data), { stream, position }));
  }

  #missed({ since, streams }: HistoryRequest): StreamMessage[] | undefined {
    const missed: StreamMessage[] = [];
    for (const stream of this.#heard.keys()) {
      const log = this.#streams.log(stream);
      const position = streams.get(stream);
      const found =
        position !== undefined ? log.after(position) : since === undefined ? [] : log.since(since);
      if (found === undefined) return undefined;
      missed.push(...found);
    }
    return missed;
  }

  #listen(stream: string): void {
    this.#heard.get(stream)?.();
    const end = this.#streams.subscribe(stream, { deliver: (delivery) => this.#deliver(stream, delivery) });
    this.#heard.set(stream, end);
    this.#restarts.set(stream, this.#streams.restarts(stream));
  }

  #deliver(stream: string, { except, position, restarts, frame, data }: Delivery): void {
    const { identifier } = this.#listener;
    if (except !== undefined && this.#listener.isSelf(except)) return;
    if (this.#phase === "paused" && position !== undefined) return;
    if (position === undefined || restarts === this.#restarts.get(stream)) {
      this.#listener.send(frame.for(identifier));
      return;
    }
    // The client may have missed something: its place is one that nobody honours, so that it is told when it asks.
    const uncertain = { epoch: `${position.epoch}?`, offset: position.offset };
    this.#listener.send(frames.message(identifier, data, { stream, position: uncertain }));
  }
}

/** @throws {InvalidArgumentError} for a name of a stream that is none, or is too long */
export function checkStream(stream: string, bytesMax: number): void {
  if (typeof stream !== "string" || stream === "")
    throw new InvalidArgumentError("stream", "must be a non-empty text");
  if (Buffer.byteLength(stream) > bytesMax)
    throw new InvalidArgumentError("stream", `must have at most ${bytesMax} bytes (limit streamBytesMax)`);
}
