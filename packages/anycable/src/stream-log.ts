/**
 * Which messages of a stream has somebody missed who was away?
 *
 * A stream has one sequencer at a time, a node, which numbers its messages: epoch and offset. Every node keeps the latest
 * messages in that order, and so can say what follows a place, whichever node it was seen at. Another sequencer begins
 * another epoch, and says behind which place: who has exactly what stands before it keeps it, and everybody else begins
 * anew. So whatever a log has is one sequence without a hole, the same on all nodes; a place that is not in it is
 * refused, and never answered wrongly.
 *
 * A node that finds that it has a hole begins anew. Whoever has heard the stream there until then may have missed
 * something that this node will never know of: such clients must not be given a place that others would honour.
 *
 * In a partition two sequencers may number the same stream. The later epoch counts: messages of an earlier one that come
 * after it are delivered, but not kept, and have no place; and no place before them is honoured, as nobody could be told
 * of them. Their sequencer is told of the later epoch, and begins one that is later still.
 *
 * Pure; times are those of the wall clock of the sequencer, in milliseconds.
 */
import type { Position } from "./command.ts";

/** One message of a stream, as it travels between nodes. */
export interface StreamMessage {
  readonly stream: string;
  /** JSON text. */
  readonly data: string;
  /** Unique, so that a message that is sent twice is delivered once. */
  readonly id: string;
  /** When it was numbered. */
  readonly at: number;
  /** The session that is not to get it. */
  readonly except: string | undefined;
  readonly position: Position;
  /** The place behind which its epoch begins; undefined if its sequencer knew of none. */
  readonly after: Position | undefined;
}

/**
 * What became of a message: it is kept; it is kept, but what came before it is not for certain what stands here; it is
 * not kept, being of an earlier epoch; it was known.
 */
export type Appended = "kept" | "restarted" | "stale" | "known";

export class StreamLog {
  readonly #messagesMax: number;
  readonly #ageMaxMs: number;
  #messages: StreamMessage[] = [];
  /** The place before the first message that is kept. */
  #base: Position | undefined;
  /** Whether everything that was delivered behind the base is kept. */
  #isBaseHonoured = true;
  #bytes = 0;

  constructor(options: { readonly messagesMax: number; readonly ageMaxMs: number }) {
    this.#messagesMax = options.messagesMax;
    this.#ageMaxMs = options.ageMaxMs;
  }

  /** The place of the last message. */
  get tail(): Position | undefined {
    return this.#messages.at(-1)?.position ?? this.#base;
  }

  /** Of the messages that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a message in, in the order in which they come. */
  append(message: StreamMessage): Appended {
    if (this.#messages.some(({ id }) => id === message.id)) return "known";
    const { tail } = this;
    const { epoch, offset } = message.position;
    const { after } = message;
    let isWhole = true;
    if (tail === undefined) isWhole = offset === 1 && after === undefined;
    else if (epoch === tail.epoch) {
      if (offset <= tail.offset) return "known";
      // Something between did not come: what stands before it is no use to anybody.
      isWhole = offset === tail.offset + 1;
    } else {
      if (!isLaterEpoch(epoch, tail.epoch)) {
        this.#refuseAllBefore(tail);
        return "stale";
      }
      isWhole = offset === 1 && after?.epoch === tail.epoch && after.offset === tail.offset;
    }
    if (!isWhole || tail === undefined) this.#restart(message);
    this.#messages.push(message);
    this.#bytes += message.data.length;
    if (this.#messages.length > this.#messagesMax) this.#drop(1);
    return isWhole ? "kept" : "restarted";
  }

  /** What follows a place; undefined if the place is not one of the sequence, or is too long ago. */
  after({ epoch, offset }: Position): readonly StreamMessage[] | undefined {
    if (this.#base?.epoch === epoch && this.#base.offset === offset)
      return this.#isBaseHonoured ? this.#messages : undefined;
    const index = this.#messages.findIndex(
      ({ position }) => position.epoch === epoch && position.offset === offset,
    );
    return index < 0 ? undefined : this.#messages.slice(index + 1);
  }

  /** What was numbered at or after a time. */
  since(seconds: number): readonly StreamMessage[] {
    return this.#messages.filter(({ at }) => Math.floor(at / 1_000) >= seconds);
  }

  /** Forgets what is too old. The place of the last message stays. */
  trim(nowMs: number): void {
    const kept = this.#messages.findIndex(({ at }) => at > nowMs - this.#ageMaxMs);
    this.#drop(kept < 0 ? this.#messages.length : kept);
  }

  /** The latest messages, of at most so many bytes together, for a node that has none. */
  excerpt(bytesMax: number): {
    readonly base: Position | undefined;
    readonly messages: readonly StreamMessage[];
  } {
    let bytes = 0;
    let first = this.#messages.length;
    while (first > 0) {
      // An envelope has its fields besides the data.
      bytes += 2 * this.#messages[first - 1]!.data.length + 300;
      if (bytes > bytesMax) break;
      first--;
    }
    return { base: this.#placeBefore(first), messages: this.#messages.slice(first) };
  }

  /** Takes in another node's excerpt, unless it is not newer than what is here. */
  adopt(base: Position | undefined, messages: readonly StreamMessage[]): void {
    const theirs = messages.at(-1)?.position ?? base;
    const { tail } = this;
    if (theirs === undefined) return;
    if (tail !== undefined && !isLaterEpoch(theirs.epoch, tail.epoch)) {
      if (theirs.epoch !== tail.epoch || theirs.offset < tail.offset) return;
      // The same sequence up to here: theirs may reach further back.
      if (messages.length <= this.#messages.length) return;
    }
    // The place before what they have may be one that they refuse.
    this.#base = base;
    this.#isBaseHonoured = false;
    this.#messages = [...messages].slice(-this.#messagesMax);
    this.#bytes = this.#messages.reduce((sum, { data }) => sum + data.length, 0);
  }

  #restart({ position: { epoch, offset } }: StreamMessage): void {
    this.#messages = [];
    this.#bytes = 0;
    this.#base = { epoch, offset: offset - 1 };
    this.#isBaseHonoured = true;
  }

  /** Something is delivered that has no place: whoever is away will not be told of it. */
  #refuseAllBefore(tail: Position): void {
    this.#messages = [];
    this.#bytes = 0;
    this.#base = tail;
    this.#isBaseHonoured = false;
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#base = this.#placeBefore(count);
    this.#isBaseHonoured = true;
    for (const { data } of this.#messages.splice(0, count)) this.#bytes -= data.length;
  }

  #placeBefore(index: number): Position | undefined {
    return index === 0 ? this.#base : this.#messages[index - 1]!.position;
  }
}

/** Names an epoch that is later than every one that is known: by a time, so that it is later also where little is known. */
export function newEpoch(previous: string | undefined, nowMs: number, random: string): string {
  const generation = Math.max(Math.floor(nowMs), previous === undefined ? 0 : generationOf(previous) + 1);
  return `${generation.toString(36)}.${random}`;
}

/** Of two epochs of one moment, any rule will do that all nodes have. */
export function isLaterEpoch(one: string, other: string): boolean {
  const difference = generationOf(one) - generationOf(other);
  return difference === 0 ? one > other : difference > 0;
}

function generationOf(epoch: string): number {
  const generation = Number.parseInt(epoch, 36);
  return Number.isSafeInteger(generation) ? generation : 0;
}
