/** A few sets beside their reference, driven by arbitrary histories of changes, deliveries, losses and merges. */
import {
  type Delta,
  type Dot,
  type FullState,
  ObservedRemoveSet,
  type ReplicaId,
  replicaId,
  StateHash,
  seedOf,
} from "@presently/crdt";
import fc from "fast-check";
import { expect } from "vitest";
import { dotName, joined, ReferenceHistory, withoutKnown } from "./reference-set.ts";

export type Step =
  | { do: "add"; at: number }
  | { do: "update"; at: number; pick: number }
  | { do: "restore"; at: number; pick: number }
  | { do: "remove"; at: number; pick: number; many: number }
  | { do: "publish"; at: number }
  | { do: "join"; pick: number }
  | { do: "deliver"; to: number; pick: number }
  | { do: "relay"; at: number; to: number; origin: number; from: number }
  | { do: "snapshot"; at: number }
  | { do: "stage"; to: number; pick: number; part: number }
  | { do: "merge"; to: number; pick: number; known: boolean; omit: number }
  | { do: "evict"; at: number; origin: number }
  | { do: "readmit"; at: number; origin: number };

type Kind<K> = Extract<Step, { do: K }>;

function step<K extends Step["do"]>(
  weight: number,
  kind: K,
  fields: { [F in keyof Omit<Kind<K>, "do">]: fc.Arbitrary<Kind<K>[F]> },
): fc.WeightedArbitrary<Step> {
  return { weight, arbitrary: fc.record({ do: fc.constant(kind), ...fields }) as fc.Arbitrary<never> };
}

/** Steps of a world of `size` replicas. Indices are taken modulo what there is, so every history is valid. */
export function steps(size: number, options: { evictions?: boolean } = {}): fc.Arbitrary<Step[]> {
  const at = fc.nat(size - 1);
  const pick = fc.nat(1_000);
  const evictions = [step(1, "evict", { at, origin: at }), step(1, "readmit", { at, origin: at })];
  const any = fc.oneof(
    step(5, "add", { at }),
    step(2, "update", { at, pick }),
    step(1, "restore", { at, pick }),
    step(4, "remove", { at, pick, many: fc.integer({ min: 1, max: 3 }) }),
    step(5, "publish", { at }),
    step(1, "join", { pick }),
    step(8, "deliver", { to: at, pick }),
    step(3, "relay", { at, to: at, origin: at, from: fc.nat(12) }),
    step(2, "snapshot", { at }),
    step(2, "stage", { to: at, pick, part: fc.nat(3) }),
    step(2, "merge", { to: at, pick, known: fc.boolean(), omit: fc.nat(12) }),
    ...(options.evictions ? evictions : []),
  );
  // The default size would stop at 10 steps: too few for most of what can go wrong.
  return fc.array(any, { maxLength: 80, size: "max" });
}

export interface Member {
  readonly id: ReplicaId;
  readonly set: ObservedRemoveSet<string>;
  /** What the reference says this replica knows. */
  readonly vector: Map<ReplicaId, number>;
  /** What a listener that only hears of changes believes to be there. */
  readonly heard: Set<string>;
}

export class CrdtWorld {
  readonly members: Member[] = [];
  readonly history = new ReferenceHistory();
  readonly deltas: Delta<string>[] = [];
  readonly snapshots: FullState<string>[] = [];
  /** Once anything was forgotten, a state no longer follows from its vector alone. */
  private forgetful = false;

  constructor(size: number, logSizeMax: number) {
    for (let index = 0; index < size; index++)
      this.members.push(this.member(replicaId("abcdefg"[index]!, 1), logSizeMax));
  }

  private member(id: ReplicaId, logSizeMax: number): Member {
    const heard = new Set<string>();
    const listener = {
      inserted(value: string, origin: ReplicaId, number: number) {
        if (value !== dotName({ origin, number })) expect(value).toBe(dotName({ origin, number }));
        if (heard.has(value)) expect.fail(`${value} inserted twice at ${id}`);
        heard.add(value);
      },
      deleted(value: string) {
        if (!heard.delete(value)) expect.fail(`${value} deleted without having been inserted at ${id}`);
      },
    };
    return { id, set: new ObservedRemoveSet(id, listener, { logSizeMax }), vector: new Map(), heard };
  }

  /** Takes the steps, and checks after each the replicas that it touched. */
  run(history: readonly Step[]): void {
    for (const step of history) {
      this.step(step);
      if ("at" in step) this.check(this.members[step.at]!);
      if ("to" in step) this.check(this.members[step.to]!);
    }
  }

  private step(step: Step): void {
    const { members, deltas, snapshots } = this;
    switch (step.do) {
      case "add":
        this.add(members[step.at]!);
        break;
      case "update":
        this.update(members[step.at]!, step.pick);
        break;
      case "restore":
        this.restore(members[step.at]!, step.pick);
        break;
      case "remove":
        this.removeSome(members[step.at]!, step.pick, step.many);
        break;
      case "publish":
        this.publish(members[step.at]!);
        break;
      case "join":
        this.join(step.pick);
        break;
      case "deliver":
        this.deliver(members[step.to]!, choose(deltas, step.pick));
        break;
      case "relay":
        this.relay(members[step.at]!, members[step.to]!, members[step.origin]!.id, step.from);
        break;
      case "snapshot":
        this.takeSnapshot(members[step.at]!);
        break;
      case "stage":
        this.stage(members[step.to]!, choose(snapshots, step.pick), step.part);
        break;
      case "merge":
        this.merge(members[step.to]!, choose(snapshots, step.pick), step);
        break;
      case "evict":
        this.evict(members[step.at]!, members[step.origin]!.id);
        break;
      case "readmit":
        this.readmit(members[step.at]!, members[step.origin]!.id);
        break;
    }
  }

  add(member: Member): Dot {
    const number = this.history.record(member.id, { adds: true, removes: [] });
    expect(member.set.nextNumber).toBe(number);
    expect(member.set.add(dotName({ origin: member.id, number }))).toBe(number);
    member.vector.set(member.id, number);
    return { origin: member.id, number };
  }

  private update(member: Member, pick: number): void {
    const previous = choose([...member.set.entriesOf(member.id).keys()], pick);
    if (previous === undefined) return;
    const removes = [{ origin: member.id, number: previous }];
    const number = this.history.record(member.id, { adds: true, removes });
    expect(member.set.update(previous, dotName({ origin: member.id, number }))).toBe(number);
    member.vector.set(member.id, number);
  }

  /** Brings an own entry back that is gone, under a new dot. */
  private restore(member: Member, pick: number): void {
    this.publish(member);
    const live = member.set.entriesOf(member.id);
    const previous = choose(
      this.history.added(member.id).filter((number) => !live.has(number)),
      pick,
    );
    if (previous === undefined) return;
    const removes = [{ origin: member.id, number: previous }];
    const number = this.history.record(member.id, { adds: true, removes });
    expect(member.set.restore(previous, dotName({ origin: member.id, number }))).toBe(number);
    member.vector.set(member.id, number);
  }

  private removeSome(member: Member, pick: number, many: number): void {
    const observed = this.members.flatMap(({ id: origin }) =>
      [...member.set.entriesOf(origin).keys()].map((number) => ({ origin, number })),
    );
    const dots = new Set<Dot>();
    for (let index = 0; index < many; index++) {
      const dot = choose(observed, pick * (index + 1));
      if (dot !== undefined) dots.add(dot);
    }
    this.remove(member, [...dots]);
  }

  /** Removes dots that are live at the member, staged ones included. */
  remove(member: Member, dots: Dot[]): void {
    const removals = dots.map(({ origin, number }) => ({ origin, numbers: [number] }));
    expect(member.set.remove(removals)).toBe(dots.length);
    if (dots.length === 0) return;
    member.vector.set(member.id, this.history.record(member.id, { adds: false, removes: dots }));
  }

  publish(member: Member): void {
    const delta = member.set.takeDelta();
    if (delta !== undefined) this.deltas.push(delta);
  }

  /** Joins a published delta with one that continues it, as a sender may that has much to resend. */
  private join(pick: number): void {
    const one = choose(this.deltas, pick);
    const next = this.deltas.find(({ origin, from }) => origin === one?.origin && from === one.to);
    if (one !== undefined && next !== undefined) this.deltas.push(joined(one, next));
  }

  deliver(member: Member, delta: Delta<string> | undefined): void {
    if (delta === undefined) return;
    const { origin, from, to } = delta;
    const seen = member.vector.get(origin) ?? 0;
    const ignored = origin === member.id || member.set.isEvicted(origin) || to <= seen;
    const expected = ignored ? "known" : from > seen ? "gap" : "applied";
    expect(member.set.apply(delta)).toBe(expected);
    if (expected === "applied") member.vector.set(origin, to);
  }

  private relay(sender: Member, receiver: Member, origin: ReplicaId, from: number): void {
    this.publish(sender);
    let reached = from;
    for (const delta of sender.set.deltasSince(origin, from) ?? []) {
      if (delta.from > reached) expect.fail(`the log leaps from ${reached} to ${delta.from}`);
      reached = delta.to;
      this.deliver(receiver, delta);
    }
    if (reached > from) expect(reached).toBe(sender.set.vectorOf(origin));
  }

  private takeSnapshot(member: Member): void {
    this.publish(member);
    this.snapshots.push(member.set.snapshot());
  }

  private stage(member: Member, state: FullState<string> | undefined, part: number): void {
    for (const { origin, numbers, values } of state?.entries ?? []) {
      const half = Math.ceil(numbers.length / 2);
      const [start, end] = part === 0 ? [0, undefined] : part === 1 ? [0, half] : [half, undefined];
      member.set.stage({ origin, numbers: numbers.slice(start, end), values: values.slice(start, end) });
    }
  }

  /** Merges a state, without the entries that the receiver knows, and without the entry at `omit` although it is needed. */
  merge(
    member: Member,
    state: FullState<string> | undefined,
    { known = false, omit = Number.POSITIVE_INFINITY } = {},
  ): void {
    if (state === undefined) return;
    if (known) state = withoutKnown(state, member.vector);
    const omitted = state.entries.flatMap(({ origin, numbers }) =>
      numbers.map((number) => ({ origin, number })),
    )[omit];
    const needed = omitted !== undefined && this.needs(member, omitted);
    if (omitted !== undefined) state = without(state, omitted);
    expect(member.set.merge(state)).toBe(needed ? "incomplete" : "merged");
    if (needed) return;
    for (const [origin, number] of state.vector) {
      if (origin !== member.id && !member.set.isEvicted(origin))
        member.vector.set(origin, Math.max(number, member.vector.get(origin) ?? 0));
    }
  }

  private needs({ set, vector }: Member, { origin, number }: Dot): boolean {
    const known = set.entriesOf(origin).has(number) || set.pendingOf(origin).has(number);
    return number > (vector.get(origin) ?? 0) && !known && !set.isEvicted(origin);
  }

  evict(member: Member, origin: ReplicaId): void {
    if (origin === member.id) return;
    this.forgetful = true;
    for (const value of member.set.evict(origin).values())
      if (!member.heard.delete(value)) expect.fail(`${value} evicted without having been inserted`);
    member.vector.delete(origin);
  }

  /** Whether anybody has evicted this member. */
  isForgotten(index: number): boolean {
    const { id } = this.members[index]!;
    return this.members.some(({ set }) => set.isEvicted(id));
  }

  readmit(member: Member, origin: ReplicaId): void {
    member.set.readmit(origin);
  }

  /** Everything that must hold of a replica at any time. That equal vectors imply equal states follows from it. */
  check(member: Member): void {
    const { set, vector } = member;
    const [all, live, pending]: [string[], string[], string[]] = [[], [], []];
    const digest = set.digest();
    for (const { id } of this.members) {
      const hash = new StateHash(seedOf(id));
      const seen = set.vectorOf(id);
      let ahead = 0;
      for (const [number, value] of set.entriesOf(id)) {
        all.push(value);
        if (set.pendingOf(id).has(number))
          expect.fail(`${member.id} shows ${value}, which it knows is removed`);
        if (number > seen) ahead++;
        else {
          live.push(value);
          hash.toggle(number);
        }
      }
      for (const number of set.pendingOf(id)) pending.push(dotName({ origin: id, number }));
      if (set.isEvicted(id)) same([set.pendingOf(id).size, ahead], [0, 0], `left of ${id} at ${member.id}`);
      const shown = [seen, set.aheadOf(id), digest.get(id)?.vector ?? 0, digest.get(id)?.hash ?? 0];
      same(shown, [vector.get(id) ?? 0, ahead, seen, hash.value], `${id} as shown by ${member.id}`);
    }
    same([...member.heard].sort(), all.sort(), `what the listener of ${member.id} heard`);
    if (this.forgetful) return;
    same(live.sort(), this.history.live(vector), `live at ${member.id}`);
    same(pending.sort(), this.history.pending(vector), `pending at ${member.id}`);
  }
}

/** As `expect(actual).toEqual(expected)`, but cheap when it holds. */
function same(actual: unknown[], expected: unknown[], what: string): void {
  if (actual.join() !== expected.join()) expect(actual, what).toEqual(expected);
}

function without(state: FullState<string>, dot: Dot): FullState<string> {
  const entries = state.entries.map(({ origin, numbers, values }) => {
    const at = origin === dot.origin ? numbers.indexOf(dot.number) : -1;
    return at < 0
      ? { origin, numbers, values }
      : { origin, numbers: numbers.toSpliced(at, 1), values: values.toSpliced(at, 1) };
  });
  return { ...state, entries };
}

export function choose<T>(items: readonly T[], pick: number): T | undefined {
  return items.length === 0 ? undefined : items[pick % items.length];
}
