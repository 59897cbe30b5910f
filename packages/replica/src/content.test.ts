/** What readers see of what a replica holds, where a whole cluster would hardly ever bring it about. */
import { describe, expect, test } from "vitest";
import { Content } from "./content.ts";
import { newCounters } from "./counters.ts";
import { Entry } from "./entry.ts";
import { type Notice, type ReplicaId, replicaId, type TopicChange } from "./index.ts";
import { resolveReplicaOptions } from "./options.ts";

const T = "room:lobby";
const [A, B] = [replicaId("a", 1), replicaId("b", 1)];

class Held {
  readonly hidden = new Set<ReplicaId>();
  readonly notices: Notice[] = [];
  readonly told: string[] = [];
  readonly content = new Content(
    replicaId("self", 1),
    resolveReplicaOptions({ name: "self", incarnation: 1 }),
    newCounters(),
    {
      counted: (replica) => !this.hidden.has(replica),
      changed: () => undefined,
      wake: () => undefined,
      notice: (notice) => this.notices.push(notice),
    },
  );

  constructor() {
    this.content.roster.watch(T, (change: TopicChange) => {
      if (change.type === "state") return;
      for (const { key } of change.joins) this.told.push(`+${key}`);
      for (const { presence, reason } of change.leaves) this.told.push(`-${presence.key} ${reason}`);
      for (const { after } of change.updates) this.told.push(`~${after.key}`);
    });
  }

  /** The event `number` of `origin`: an entry, or an update of the one before. */
  hear(origin: ReplicaId, number: number, key: string, previous = 0, root = number): void {
    const entry = new Entry(origin, number, T, key, {}, previous, root);
    const removals = previous === 0 ? [] : [{ origin, numbers: [previous] }];
    this.content.change(() =>
      this.content.set.apply({
        origin,
        from: number - 1,
        to: number,
        numbers: [number],
        values: [entry],
        removals,
      }),
    );
  }

  get keys(): string[] {
    return this.content.roster.list(T).map(({ key, ref }) => `${key} ${ref}`);
  }
}

describe("a replica on its way out", () => {
  test("may still add what others have not heard of yet: that takes no place of its own", () => {
    const held = new Held();
    held.hear(A, 1, "ann");
    held.content.handOff(A);
    held.hear(A, 2, "ann");
    expect(held.keys).toEqual(["ann a@1.1", "ann a@1.2"]);
    held.hear(B, 1, "ann");
    expect(held.keys).toEqual(["ann b@1.1", "ann a@1.2"]);
    held.content.change(() => held.content.forget(A, "left"));
    expect(held.keys).toEqual(["ann b@1.1"]);
    expect(held.told).toEqual(["+ann", "+ann", "~ann", "-ann left"]);
  });

  test("may still update what it holds", () => {
    const held = new Held();
    held.hear(A, 1, "ann");
    held.content.handOff(A);
    held.hear(A, 2, "ann", 1, 1);
    held.hear(B, 1, "ann");
    expect(held.keys).toEqual(["ann b@1.1"]);
    expect(held.told).toEqual(["+ann", "~ann", "~ann"]);
  });

  test("hands nothing off to those who were there before, nor once it is gone", () => {
    const held = new Held();
    held.hear(A, 1, "ann");
    held.hear(B, 1, "ann");
    held.content.handOff(A);
    expect(held.keys).toEqual(["ann a@1.1", "ann b@1.1"]);
    held.content.change(() => held.content.forget(A, "left"));
    held.hear(B, 2, "ann");
    expect(held.told).toEqual(["+ann", "+ann", "-ann left", "+ann"]);
  });
});

describe("a replica that is hidden", () => {
  test("changes unseen, and shows what it holds by then", () => {
    const held = new Held();
    held.hear(A, 1, "ann");
    held.hear(A, 2, "bob");
    held.hidden.add(A);
    held.content.change(() => held.content.hide(A));
    held.hear(A, 3, "ann", 1, 1);
    held.hear(A, 4, "cyd");
    expect(held.keys).toEqual([]);
    held.hidden.delete(A);
    held.content.change(() => held.content.show(A));
    expect(held.keys.sort()).toEqual(["ann a@1.3", "bob a@1.2", "cyd a@1.4"]);
    expect(held.told.slice(0, 4)).toEqual(["+ann", "+bob", "-ann lost", "-bob lost"]);
    expect(held.told.slice(4).sort()).toEqual(["+ann", "+bob", "+cyd"]);
  });
});

describe("an update whose predecessors never came here", () => {
  test("takes the place of the entry of its chain that is shown", () => {
    const held = new Held();
    held.hear(A, 1, "ann");
    held.hear(A, 2, "ann", 1, 1);
    const late = new Entry(A, 9, T, "ann", {}, 8, 1);
    held.content.change(() => held.content.set.stage({ origin: A, numbers: [9], values: [late] }));
    expect(held.keys).toEqual(["ann a@1.9"]);
    expect(held.told).toEqual(["+ann", "~ann", "~ann"]);
  });

  test("of another replica, topic, key or chain takes no place", () => {
    const held = new Held();
    held.hear(A, 1, "ann");
    held.hear(B, 1, "ann");
    for (const entry of [new Entry(B, 9, T, "bob", {}, 8, 1), new Entry(B, 10, T, "ann", {}, 8, 2)]) {
      held.content.change(() =>
        held.content.set.stage({ origin: B, numbers: [entry.number], values: [entry] }),
      );
    }
    expect(held.keys.sort()).toEqual(["ann a@1.1", "ann b@1.1", "ann b@1.a", "bob b@1.9"]);
  });
});

test("events of two replicas that have one number are not one another's updates", () => {
  const held = new Held();
  held.hear(A, 1, "ann");
  held.content.change(() => {
    held.hear(B, 1, "bob");
    held.content.forget(A, "evicted");
  });
  expect(held.told).toEqual(["+ann", "+bob", "-ann evicted"]);
});
