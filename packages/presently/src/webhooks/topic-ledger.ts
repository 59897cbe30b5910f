/**
 * Who was present on one topic, for whoever reports arrivals and departures of people rather than of connections?
 *
 * A key arrives with its first entry and departs with its last, alternately. An entry whose node is lost counts for
 * `lostGraceMs` more: its client may be on its way to another node, and then nothing has happened.
 *
 * Pure: the same changes at the same times give the same steps. Cost: O(change).
 */
import type { LeaveReason, Presence, TopicChange, TopicDiff } from "@presently/replica";

/** `returned`: the very entry that departed as lost is back, since its node is. */
export type LedgerStep =
  | {
      readonly type: "arrived";
      readonly presence: Presence;
      readonly isFirst: boolean;
      readonly returned: boolean;
    }
  | {
      readonly type: "departed";
      readonly presence: Presence;
      readonly reason: LeaveReason;
      readonly isLast: boolean;
    };

interface Key {
  readonly entries: Set<string>;
  /** Entries of lost nodes that still count, by reference. */
  readonly lost: Map<
    string,
    { readonly until: number; readonly presence: Presence; readonly reason: LeaveReason }
  >;
}

/** References of departed entries whose nodes may come back. */
const DEPARTED_MAX = 10_000;

export class TopicLedger {
  readonly #lostGraceMs: number;
  readonly #keys = new Map<string, Key>();
  readonly #waiting = new Set<string>();
  readonly #departed = new Set<string>();

  constructor(lostGraceMs: number) {
    this.#lostGraceMs = lostGraceMs;
  }

  /** How many keys are present. */
  get size(): number {
    return this.#keys.size;
  }

  /** Whether somebody may still be reported as lost. */
  get waits(): boolean {
    return this.#waiting.size > 0;
  }

  apply(change: TopicChange, now: number): LedgerStep[] {
    if (change.type === "diff") return this.#diff(change, now);
    const steps: LedgerStep[] = [];
    for (const presence of change.presences) this.#arrive(presence, steps);
    return steps;
  }

  /** Ends what was lost for too long. */
  tick(now: number): LedgerStep[] {
    const steps: LedgerStep[] = [];
    for (const key of this.#waiting) {
      const held = this.#keys.get(key)!;
      for (const [ref, { until, presence, reason }] of held.lost) {
        if (until > now) continue;
        held.lost.delete(ref);
        this.#remember(ref);
        this.#settle(key, held, presence, reason, steps);
      }
      if (held.lost.size === 0) this.#waiting.delete(key);
    }
    return steps;
  }

  #diff({ joins, updates, leaves }: TopicDiff, now: number): LedgerStep[] {
    const steps: LedgerStep[] = [];
    for (const presence of joins) this.#arrive(presence, steps);
    for (const { before, after } of updates) {
      const held = this.#keys.get(before.key);
      held?.entries.delete(before.ref);
      held?.entries.add(after.ref);
    }
    for (const { presence, reason } of leaves) {
      const held = this.#keys.get(presence.key);
      if (!held?.entries.delete(presence.ref)) continue;
      if (reason === "lost" || reason === "evicted") {
        held.lost.set(presence.ref, { until: now + this.#lostGraceMs, presence, reason });
        this.#waiting.add(presence.key);
      }
      this.#settle(presence.key, held, presence, reason, steps);
    }
    return steps;
  }

  #arrive(presence: Presence, steps: LedgerStep[]): void {
    const { key, ref } = presence;
    const held = this.#keys.get(key);
    if (held === undefined) {
      steps.push({
        type: "arrived",
        presence,
        isFirst: this.#keys.size === 0,
        returned: this.#departed.delete(ref),
      });
      this.#keys.set(key, { entries: new Set([ref]), lost: new Map() });
      return;
    }
    held.entries.add(ref);
    // Its own node is back; or, more often, the client of a lost entry is, elsewhere.
    const found = held.lost.has(ref) ? ref : [...held.lost.keys()][0];
    if (found !== undefined) held.lost.delete(found);
    if (held.lost.size === 0) this.#waiting.delete(key);
  }

  #settle(key: string, held: Key, presence: Presence, reason: LeaveReason, steps: LedgerStep[]): void {
    if (held.entries.size > 0 || held.lost.size > 0) return;
    this.#keys.delete(key);
    this.#waiting.delete(key);
    steps.push({ type: "departed", presence, reason, isLast: this.#keys.size === 0 });
  }

  #remember(ref: string): void {
    this.#departed.add(ref);
    if (this.#departed.size <= DEPARTED_MAX) return;
    for (const oldest of this.#departed) {
      this.#departed.delete(oldest);
      return;
    }
  }
}
