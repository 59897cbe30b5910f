/** What this node keeps of all streams: bounded in streams and bytes, and the one that was quiet for longest goes first. */
import type { Durations, Limits } from "./limits.ts";
import { type Appended, StreamLog, type StreamMessage } from "./stream-log.ts";

export interface KeptStream {
  readonly log: StreamLog;
  /** Whether other nodes were asked for what they have. */
  complete: boolean;
  loading: Promise<void> | undefined;
  /** How often a hole was found in it. */
  restarts: number;
  /** The epoch that this node has begun, if it has. */
  ownEpoch: string | undefined;
  /** An epoch of which another node has said that it is later than ours. */
  laterEpoch: string | undefined;
}

export class StreamStore {
  readonly #limits: Limits;
  readonly #ageMaxMs: number;
  readonly #wallClock: () => number;
  /** The one that was quiet for longest comes first. */
  readonly #streams = new Map<string, KeptStream>();
  #bytes = 0;

  constructor(limits: Limits, durations: Durations, wallClock: () => number) {
    this.#limits = limits;
    this.#ageMaxMs = durations.historyMs;
    this.#wallClock = wallClock;
  }

  /** Undefined if nothing is kept of it. */
  find(stream: string): KeptStream | undefined {
    return this.#streams.get(stream);
  }

  /** What is kept of a stream, from now on if nothing was. */
  touch(stream: string): KeptStream {
    let kept = this.#streams.get(stream);
    if (kept === undefined) {
      const { historyMessagesMax: messagesMax } = this.#limits;
      const log = new StreamLog({ messagesMax, ageMaxMs: this.#ageMaxMs });
      kept = {
        log,
        complete: false,
        loading: undefined,
        restarts: 0,
        ownEpoch: undefined,
        laterEpoch: undefined,
      };
    } else this.#streams.delete(stream);
    this.#streams.set(stream, kept);
    return kept;
  }

  append(message: StreamMessage): Appended {
    const kept = this.touch(message.stream);
    const became = this.#counted(kept, () => kept.log.append(message));
    if (became === "restarted") kept.restarts++;
    const { historyStreamsMax, historyBytesMax } = this.#limits;
    for (const [stream, { log }] of this.#streams) {
      if (this.#streams.size <= historyStreamsMax && this.#bytes <= historyBytesMax) break;
      this.#bytes -= log.bytes;
      this.#streams.delete(stream);
    }
    return became;
  }

  /** Takes in what another node has, behind what came here while it was asked. */
  adopt(kept: KeptStream, stream: string, excerpt: ReturnType<StreamLog["excerpt"]>): void {
    const { messages: meanwhile } = kept.log.excerpt(Number.POSITIVE_INFINITY);
    const adopt = () => {
      kept.log.adopt(excerpt.base, excerpt.messages);
      for (const message of meanwhile) kept.log.append(message);
    };
    if (this.#streams.get(stream) === kept) this.#counted(kept, adopt);
    else adopt();
  }

  /** What is kept of a stream, without what is too old. */
  log(stream: string): StreamLog {
    const kept = this.touch(stream);
    this.#counted(kept, () => kept.log.trim(this.#wallClock()));
    return kept.log;
  }

  /** Forgets what is too old, and streams of which there never was anything. Cost: O(what is kept). */
  sweep(isUsed: (stream: string) => boolean): void {
    for (const [stream, kept] of this.#streams) {
      this.#counted(kept, () => kept.log.trim(this.#wallClock()));
      if (kept.log.tail === undefined && kept.loading === undefined && !isUsed(stream))
        this.#streams.delete(stream);
    }
  }

  #counted<T>({ log }: KeptStream, change: () => T): T {
    const before = log.bytes;
    const result = change();
    this.#bytes += log.bytes - before;
    return result;
  }
}
