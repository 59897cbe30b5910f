/** What happened to the node of late, for whoever watches it: kept in a small ring, and told as it happens. */
import type { NodeNotice } from "../notice.ts";
import { type EventStream, encodeEvent } from "./event-stream.ts";

/** Notices that a new watcher is told. */
const KEPT_MAX = 200;
/** Notices of one second that are kept; a flood of them says no more than its first few and how many they were. */
const PER_SECOND_MAX = 40;
/** Larger ones are kept without their facts. */
const NOTICE_CHARACTERS_MAX = 2_000;

/** A notice as the API sends it. */
export interface NoticeJson {
  readonly number: number;
  /** Wall-clock ms since 1970, by the clock of the node. */
  readonly atMs: number;
  readonly type: string;
  readonly level: NodeNotice["level"];
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
  /** How many notices before this one were left out, because they came too fast. */
  readonly skipped: number;
}

/** The last notices of a node, and the streams that are told every further one. */
export class NoticeBoard {
  readonly #now: () => number;
  readonly #streams = new Set<EventStream>();
  #kept: NoticeJson[] = [];
  #number = 0;
  #skipped = 0;
  #second = 0;
  #inSecond = 0;

  /** @param now  wall-clock ms */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Takes a notice. Cost: O(streams), and nothing but a count beyond the bound of a second. */
  post({ type, level, message, ...facts }: NodeNotice): void {
    const atMs = this.#now();
    if (!this.#hasRoom(atMs)) {
      this.#skipped++;
      return;
    }
    const notice = bounded({
      ...{ number: ++this.#number, atMs, type, level, message },
      ...{ facts, skipped: this.#skipped },
    });
    this.#skipped = 0;
    this.#kept.push(notice);
    if (this.#kept.length > KEPT_MAX) this.#kept = this.#kept.slice(-KEPT_MAX);
    if (this.#streams.size === 0) return;
    const event = encodeEvent("notice", notice.number, JSON.stringify(notice));
    for (const stream of this.#streams) stream.send(event);
  }

  /** Gives a stream what is kept, and every notice from there on. */
  add(stream: EventStream): void {
    const state = { number: this.#number, nowMs: this.#now(), notices: this.#kept };
    this.#streams.add(stream);
    stream.begin(encodeEvent("state", this.#number, JSON.stringify(state)));
  }

  delete(stream: EventStream): void {
    this.#streams.delete(stream);
  }

  #hasRoom(atMs: number): boolean {
    const second = Math.floor(atMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    return ++this.#inSecond <= PER_SECOND_MAX;
  }
}

/** An error as JSON has nothing to say otherwise; its stack is of use to the log, and to nobody here. */
function plain(_name: string, fact: unknown): unknown {
  if (!(fact instanceof Error)) return fact;
  const { name, message, code } = fact as NodeJS.ErrnoException;
  return { name, message, code };
}

/** A fact may be of any size and kind; what cannot be sent as it is, is left out. */
function bounded(notice: NoticeJson): NoticeJson {
  const message = notice.message.slice(0, NOTICE_CHARACTERS_MAX);
  try {
    const facts = JSON.stringify(notice.facts, plain);
    if (facts.length <= NOTICE_CHARACTERS_MAX) return { ...notice, message, facts: JSON.parse(facts) };
  } catch {
    // A cycle, or a BigInt: of use to the log, and to nobody here.
  }
  return { ...notice, message, facts: {} };
}
