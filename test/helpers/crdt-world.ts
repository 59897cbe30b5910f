/** A few sets beside their reference, driven by arbitrary histories of changes, deliveries, losses and merges. */
import {
  type Delta,
  type Dot,
  type FullState,
  ObservedRemoveSet,
  type ReplicaId,
  replicaId,
} from "@presently/crdt";
import fc from "fast-check";
import { expect } from "vitest";
import { dotName, ReferenceHistory } from "./reference-set.ts";

export type Step =
  | { do: "add"; at: number }
  | { do: "update"; at: number; pick: number }
  | { do: "remove"; at: number; pick: number; many: number }
  | { do: "publish"; at: number }
  | { do: "deliver"; to: number; pick: number }
  | { do: "relay"; at: number; to: number; origin: number; from: number }
  | { do: "snapshot"; at: number }
  | { do: "stage"; to: number; pick: number; part: number }
  | { do: "merge"; to: number; pick: number; known: boolean };

/** Steps of a world of `size` replicas. Indices are taken modulo what there is, so every history is valid. */
export function steps(size: number): fc.Arbitrary<Step[]> {
  const at = fc.nat(size - 1);
  const pick = fc.nat(1_000);
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("add" as const), at }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("update" as const), at, pick }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("remove" as const),
        at,
        pick,
        many: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("publish" as const), at }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant("deliver" as const), to: at, pick }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("relay" as const), at, to: at, origin: at, from: fc.nat(12) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("snapshot" as const), at }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("stage" as const), to: at, pick, part: fc.nat(3) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("merge" as const), to: at, pick, known: fc.boolean() }),
    },
  );
  return fc.array(step, { maxLength: 80 });
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

  constructor(size: number, logSizeMax: number) {
    for (let index = 0; index < size; index++)
      this.members.push(this.member(replicaId("abcdefg"[index]!, 1), logSizeMax));
  }

  private member(id: ReplicaId, logSizeMax: number): Member {
    const heard = new Set<string>();
    const listener = {
      inserted(value: string, origin: ReplicaId, number: number) {
        expect(value).toBe(dotName({ origin, number }));
        expect(heard.has(value), `${value} inserted twice at ${id}`).toBe(false);
        heard.add(value);
      },
      deleted(value: string) {
        expect(heard.delete(value), `${value} deleted without having been inserted at ${id}`).toBe(true);
      },
    };
    return { id, set: new ObservedRemoveSet(id, listener, { logSizeMax }), vector: new Map(), heard };
  }

  run(history: readonly Step[]): void {
    for (const step of history) {
      this.step(step);
      for (const member of this.members) this.check(member);
    }
  }

  private step(step: Step): void {
    const member = this.members["at" in step ? step.at : step.to]!;
    if (step.do === "add") this.add(member);
    else if (step.do === "update") this.update(member, step.pick);
    else if (step.do === "remove") this.remove(member, step.pick, step.many);
    else if (step.do === "publish") this.publish(member);
    else if (step.do === "deliver") this.deliver(member, choose(this.deltas, step.pick));
    else if (step.do === "relay")
      this.relay(member, this.members[step.to]!, this.members[step.origin]!, step.from);
    else if (step.do === "snapshot") this.takeSnapshot(member);
    else if (step.do === "stage") this.stage(member, choose(this.snapshots, step.pick), step.part);
    else this.merge(member, choose(this.snapshots, step.pick), step.known);
  }

  add(member: Member): void {
    const number = this.history.record(member.id, { adds: true, removes: [] });
    expect(member.set.nextNumber).toBe(number);
    expect(member.set.add(dotName({ origin: member.id, number }))).toBe(number);
    member.vector.set(member.id, number);
  }

  update(member: Member, pick: number): void {
    const previous = choose([...member.set.entriesOf(member.id).keys()], pick);
    if (previous === undefined) return;
    const number = this.history.record(member.id, {
      adds: true,
      removes: [{ origin: member.id, number: previous }],
    });
    expect(member.set.update(previous, dotName({ origin: member.id, number }))).toBe(number);
    member.vector.set(member.id, number);
  }

  remove(member: Member, pick: number, many: number): void {
    const observed = this.observed(member);
    const dots = new Set<Dot>();
    for (let index = 0; index < many; index++) {
      const dot = choose(observed, pick * (index + 1));
      if (dot !== undefined) dots.add(dot);
    }
    const removals = [...dots].map(({ origin, number }) => ({ origin, numbers: [number] }));
    expect(member.set.remove(removals)).toBe(dots.size);
    if (dots.size === 0) return;
    member.vector.set(member.id, this.history.record(member.id, { adds: false, removes: [...dots] }));
  }

  publish(member: Member): Delta<string> | undefined {
    const delta = member.set.takeDelta();
    if (delta !== undefined) this.deltas.push(delta);
    return delta;
  }

  deliver(member: Member, delta: Delta<string> | undefined): void {
    if (delta === undefined) return;
    const seen = member.vector.get(delta.origin) ?? 0;
    const expected =
      delta.origin === member.id || delta.to <= seen ? "known" : delta.from > seen ? "gap" : "applied";
    expect(member.set.apply(delta)).toBe(expected);
    if (expected === "applied") member.vector.set(delta.origin, delta.to);
  }

  private relay(sender: Member, receiver: Member, origin: Member, from: number): void {
    this.publish(sender);
    for (const delta of sender.set.deltasSince(origin.id, from) ?? []) this.deliver(receiver, delta);
  }

  private takeSnapshot(member: Member): void {
    this.publish(member);
    this.snapshots.push(member.set.snapshot());
  }

  private stage(member: Member, state: FullState<string> | undefined, part: number): void {
    for (const entries of state?.entries ?? []) {
      const half = Math.ceil(entries.numbers.length / 2);
      const [start, end] = part === 0 ? [0, undefined] : part === 1 ? [0, half] : [half, undefined];
      member.set.stage({
        origin: entries.origin,
        numbers: entries.numbers.slice(start, end),
        values: entries.values.slice(start, end),
      });
    }
  }

  merge(member: Member, state: FullState<string> | undefined, known: boolean): void {
    if (state === undefined) return;
    if (known) state = withoutKnown(state, member.vector);
    expect(member.set.merge(state)).toBe("merged");
    for (const [origin, number] of state.vector) {
      if (origin !== member.id) member.vector.set(origin, Math.max(number, member.vector.get(origin) ?? 0));
    }
  }

  /** Everything that must hold of a replica at any time. */
  check(member: Member): void {
    const { set, vector } = member;
    expect(new Map(set.vector())).toEqual(vector);
    const live: string[] = [];
    const all: string[] = [];
    const pending: string[] = [];
    for (const { id } of this.members) {
      for (const [number, value] of set.entriesOf(id)) {
        all.push(value);
        if (number <= (vector.get(id) ?? 0)) live.push(value);
      }
      for (const number of set.pendingOf(id)) pending.push(dotName({ origin: id, number }));
    }
    expect(live.sort()).toEqual(this.history.live(vector));
    expect(pending.sort()).toEqual(this.history.pending(vector));
    expect([...member.heard].sort()).toEqual(all.sort());
    for (const other of this.members) this.checkPair(member, other);
  }

  /** Equal vectors imply equal states, and the hashes say so. */
  private checkPair(one: Member, other: Member): void {
    const sameVector = JSON.stringify([...one.vector].sort()) === JSON.stringify([...other.vector].sort());
    if (sameVector) expect(one.set.digest()).toEqual(other.set.digest());
    const live = [this.history.live(one.vector), this.history.live(other.vector)];
    const hashes = [one, other].map(({ set }) =>
      [...set.digest()].map(([id, { hash }]) => [id, hash]).sort(),
    );
    if (JSON.stringify(live[0]) !== JSON.stringify(live[1])) expect(hashes[0]).not.toEqual(hashes[1]);
  }

  /** Every entry a replica shows, staged ones included. */
  private observed(member: Member): Dot[] {
    return this.members.flatMap(({ id }) =>
      [...member.set.entriesOf(id).keys()].map((number) => ({ origin: id, number })),
    );
  }
}

/** The state as a sender makes it for a receiver with this vector: without the entries that it knows. */
export function withoutKnown(
  state: FullState<string>,
  vector: ReadonlyMap<ReplicaId, number>,
): FullState<string> {
  const entries = state.entries.map(({ origin, numbers, values }) => {
    const kept = numbers.flatMap((number, index) => (number > (vector.get(origin) ?? 0) ? [index] : []));
    return {
      origin,
      numbers: kept.map((index) => numbers[index]!),
      values: kept.map((index) => values[index]!),
    };
  });
  return { ...state, entries };
}

export function choose<T>(items: readonly T[], pick: number): T | undefined {
  return items.length === 0 ? undefined : items[pick % items.length];
}
