/** Answers pulls: frame by frame, so that a large state neither fills a socket nor holds up the event loop. */
import type { Delta, Entries, EventNumber, FrozenState, ObservedRemoveSet, ReplicaId } from "@presently/crdt";
import type { Entry } from "./entry.ts";
import { joinRuns } from "./join-deltas.ts";
import { ENTRY_BYTES } from "./local-presences.ts";
import type { LivePart, PullMessage, SyncMessage } from "./messages.ts";
import type { ReplicaSettings, StepSizes } from "./options.ts";

type Part = Partial<Pick<SyncMessage, "deltas" | "entries" | "live" | "pending" | "full">>;

/** Nothing to send yet: the event loop should go on meanwhile. */
type Pause = "pause";

/** The parts of an answer, and how many entries of the full form they bring. */
interface Contents {
  readonly parts: Iterable<Part | Pause>;
  readonly expected: number;
}

export interface GiverOutbox {
  send(peer: ReplicaId, message: SyncMessage): void;
  congested(peer: ReplicaId): boolean;
}

export class Giver {
  private readonly transfers = new Map<ReplicaId, Iterator<SyncMessage | Pause>>();
  private readonly set: ObservedRemoveSet<Entry>;
  private readonly settings: ReplicaSettings;
  private readonly outbox: GiverOutbox;

  constructor(set: ObservedRemoveSet<Entry>, settings: ReplicaSettings, outbox: GiverOutbox) {
    this.set = set;
    this.settings = settings;
    this.outbox = outbox;
  }

  /**
   * Starts to answer a pull; a newer one of the same peer takes the place of the one before. Local changes must have
   * been flushed. Answers false if `syncsMax` peers are being served: this one asks again later.
   */
  serve(peer: ReplicaId, pull: PullMessage): boolean {
    this.transfers.delete(peer);
    if (this.transfers.size >= this.settings.syncsMax) return false;
    this.transfers.set(peer, messages(pull.id, this.contents(pull)));
    return true;
  }

  stop(peer: ReplicaId): void {
    this.transfers.delete(peer);
  }

  /** Sends some frames of each answer; answers whether there is more that could go out now. */
  pump(): boolean {
    let ready = false;
    const frames = Math.max(1, Math.floor(this.settings.steps.framesPerTurn / this.transfers.size));
    for (const [peer, transfer] of this.transfers) {
      for (let frame = 0; frame < frames && !this.outbox.congested(peer); frame++) {
        const next = transfer.next();
        if (next.done) {
          this.transfers.delete(peer);
          break;
        }
        if (next.value === "pause") break;
        this.outbox.send(peer, next.value);
      }
      ready ||= this.transfers.has(peer) && !this.outbox.congested(peer);
    }
    return ready;
  }

  private contents(pull: PullMessage): Contents {
    const vector = new Map(pull.vector);
    const deltas = pull.full ? undefined : this.deltasSince(vector);
    if (deltas !== undefined) return { parts: this.grouped(deltas), expected: 0 };
    const has = new Map(vector);
    for (const [replica, upTo] of pull.staged) has.set(replica, Math.max(upTo, has.get(replica) ?? 0));
    const state = this.set.freeze();
    let expected = 0;
    for (const { id, entries } of state.origins) expected += entries.countAbove(has.get(id) ?? 0);
    return { parts: this.whole(state, has), expected };
  }

  /** Undefined if the log of any origin no longer reaches back to what the asker has. */
  private deltasSince(vector: ReadonlyMap<ReplicaId, EventNumber>): Delta<Entry>[] | undefined {
    const all: Delta<Entry>[] = [];
    for (const replica of this.set.originIds()) {
      const deltas = this.set.deltasSince(replica, vector.get(replica) ?? 0);
      if (deltas === undefined) return undefined;
      for (const delta of deltas) all.push(delta);
    }
    return all;
  }

  private *grouped(deltas: readonly Delta<Entry>[]): Iterable<Part> {
    let group: Delta<Entry>[] = [];
    let bytes = 0;
    for (const delta of deltas) {
      const size = deltaBytes(delta);
      if (bytes > 0 && bytes + size > this.settings.frameBytesTarget) {
        yield { deltas: joinRuns(group) };
        group = [];
        bytes = 0;
      }
      group.push(delta);
      bytes += size;
    }
    if (group.length > 0) yield { deltas: joinRuns(group) };
  }

  private *whole(
    state: FrozenState<Entry>,
    has: ReadonlyMap<ReplicaId, EventNumber>,
  ): Iterable<Part | Pause> {
    for (const { id, entries } of state.origins) yield* this.lacked(id, entries.above(has.get(id) ?? 0));
    let live: LivePart[] = [];
    let count = 0;
    for (const { id, vector, hash, entries } of state.origins) {
      for (const ranges of rangesInParts(entries.above(0), this.settings.steps)) {
        if (ranges === "pause") {
          yield "pause";
          continue;
        }
        if (count > 0 && count + ranges.length > this.settings.steps.rangesPerFrame) {
          yield { full: true, live };
          live = [];
          count = 0;
        }
        live.push({ replica: id, vector, hash, ranges });
        count += ranges.length + 1;
      }
    }
    yield { full: true, live, pending: state.pending };
  }

  private *lacked(origin: ReplicaId, entries: Iterable<readonly [EventNumber, Entry]>): Iterable<Part> {
    let group: { origin: ReplicaId; numbers: EventNumber[]; values: Entry[] } = {
      origin,
      numbers: [],
      values: [],
    };
    let bytes = 0;
    const topics = new Set<string>();
    for (const [number, value] of entries) {
      group.numbers.push(number);
      group.values.push(value);
      bytes += entryBytes(value, topics);
      if (bytes < this.settings.frameBytesTarget) continue;
      yield { full: true, entries: [group satisfies Entries<Entry>] };
      group = { origin, numbers: [], values: [] };
      bytes = 0;
      topics.clear();
    }
    if (group.numbers.length > 0) yield { full: true, entries: [group] };
  }
}

/**
 * The ranges of live dots in parts of at most `rangesPerFrame` numbers, at least one part, with pauses between:
 * no one reads a million dots in one turn.
 */
function* rangesInParts(
  entries: Iterable<readonly [EventNumber, unknown]>,
  { dotsPerTurn, rangesPerFrame }: StepSizes,
): Iterable<EventNumber[] | Pause> {
  let ranges: EventNumber[] = [];
  let last = Number.NaN;
  let read = 0;
  let isFirst = true;
  for (const [number] of entries) {
    if (++read % dotsPerTurn === 0) yield "pause";
    if (number === last + 1) ranges[ranges.length - 1] = number;
    else {
      if (ranges.length >= rangesPerFrame) {
        yield ranges;
        ranges = [];
        isFirst = false;
      }
      ranges.push(number, number);
    }
    last = number;
  }
  if (isFirst || ranges.length > 0) yield ranges;
}

/** The parts as messages, the last of them marked; an answer with nothing in it is one message as well. */
function* messages(pull: number, { parts, expected }: Contents): Iterator<SyncMessage | Pause> {
  const message = (part: Part, last: boolean): SyncMessage => ({
    type: "sync",
    pull,
    last,
    full: part.full ?? false,
    expected,
    deltas: part.deltas ?? [],
    entries: part.entries ?? [],
    live: part.live ?? [],
    pending: part.pending ?? [],
  });
  let previous: Part | undefined;
  for (const part of parts) {
    if (part === "pause") {
      yield part;
      continue;
    }
    if (previous !== undefined) yield message(previous, false);
    previous = part;
  }
  yield message(previous ?? {}, true);
}

function deltaBytes(delta: Delta<Entry>): number {
  let bytes = 16;
  const topics = new Set<string>();
  for (const value of delta.values) bytes += entryBytes(value, topics);
  for (const { numbers } of delta.removals) bytes += numbers.length * 3;
  return bytes;
}

/** @param topics those that were counted already: each travels once */
function entryBytes({ topic, key, meta }: Entry, topics: Set<string>): number {
  const bytes = ENTRY_BYTES + key.length + roughBytes(meta);
  if (topics.has(topic)) return bytes;
  topics.add(topic);
  return bytes + topic.length;
}

/** A guess that errs upwards for ASCII text; frames have ample room above their target. */
function roughBytes(value: unknown): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 9;
  let bytes = 2;
  for (const name in value) bytes += 2 + roughBytes((value as Record<string, unknown>)[name]);
  return bytes;
}
