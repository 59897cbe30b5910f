/**
 * Small scopes of the set, exhaustively: not a sample, but every interleaving of a handful of events, publications,
 * deliveries, losses, repeated and late full states and restarts, up to three replicas. Most mistakes in such an algorithm
 * show in a small case ("small scope hypothesis": Jackson, "Software Abstractions", 2006); here none is left out.
 *
 * A loss is a delivery that never comes: every state is also healed, by full exchanges, and must end with all replicas
 * equal. States that were reached before, by another way, are not gone into again.
 */
import {
  type Delta,
  type FullState,
  ObservedRemoveSet,
  type ReplicaId,
  replicaId,
  StateHash,
  seedOf,
} from "@presently/crdt";
import { expect, test } from "vitest";

interface Scope {
  readonly replicas: number;
  /** Adds, removes and updates together. */
  readonly events: number;
  /** Full states that are taken at one time and merged at another; at most one is on its way. */
  readonly snapshots: number;
  /** Replicas that crash and start anew; whoever lives on forgets their former life at any time after. */
  readonly restarts: number;
}

type Action =
  | readonly ["add", number]
  | readonly ["update", number, number]
  | readonly ["remove", number, ReplicaId, number]
  | readonly ["publish", number]
  | readonly ["deliver", number, number]
  | readonly ["snapshot", number]
  | readonly ["stage", number]
  | readonly ["merge", number]
  | readonly ["restart", number]
  | readonly ["evict", number, ReplicaId];

interface Replica {
  readonly set: ObservedRemoveSet<string>;
  /** What a listener believes to be there. */
  readonly heard: Set<string>;
  /** Which events it has seen, by what was delivered to it. */
  readonly seen: Map<ReplicaId, number>;
  /** Whom it was told to forget. */
  readonly forgotten: Set<ReplicaId>;
}

interface Event {
  readonly adds: boolean;
  readonly removes: readonly string[];
}

const dot = (origin: ReplicaId, number: number) => `${origin}#${number}`;

/** Some replicas, everything they ever made, and everything that is on its way. */
class World {
  readonly replicas: Replica[] = [];
  readonly events = new Map<ReplicaId, Event[]>();
  readonly gone: ReplicaId[] = [];
  private readonly deltas: Delta<string>[] = [];
  private snapshot: FullState<string> | undefined = undefined;
  private made = 0;
  private snapshots = 0;
  private readonly scope: Scope;

  constructor(scope: Scope) {
    this.scope = scope;
    for (let index = 0; index < scope.replicas; index++) this.replicas.push(this.replica(index, 1));
  }

  private replica(index: number, incarnation: number): Replica {
    const id = replicaId("abc"[index]!, incarnation);
    const heard = new Set<string>();
    const set = new ObservedRemoveSet<string>(id, {
      inserted(value, origin, number) {
        if (value !== dot(origin, number))
          throw new Error(`${value} is not what ${dot(origin, number)} added`);
        if (heard.has(value)) throw new Error(`${value} inserted twice at ${id}`);
        heard.add(value);
      },
      deleted(value) {
        if (!heard.delete(value)) throw new Error(`${value} deleted at ${id}, where it was not`);
      },
    });
    this.events.set(id, []);
    return { set, heard, seen: new Map(), forgotten: new Set() };
  }

  /** Everything that can happen next; of replicas that nothing has happened to yet, one stands for all. */
  *actions(): Iterable<Action> {
    let untouched = 0;
    for (const [index, { set, seen, forgotten }] of this.replicas.entries()) {
      if (seen.size === 0 && set.originIds().length === 0 && set.replica.endsWith("@1") && untouched++ > 0)
        continue;
      if (this.made < this.scope.events) {
        yield ["add", index];
        for (const origin of set.originIds()) {
          for (const number of set.entriesOf(origin).keys()) {
            yield ["remove", index, origin, number];
            if (origin === set.replica) yield ["update", index, number];
          }
        }
      }
      if (set.openSize > 0) yield ["publish", index];
      else if (this.snapshots < this.scope.snapshots && set.originIds().length > 0) yield ["snapshot", index];
      for (const [at, { origin, to }] of this.deltas.entries())
        if (origin !== set.replica && (seen.get(origin) ?? 0) < to) yield ["deliver", index, at];
      if (this.snapshot !== undefined) {
        yield ["merge", index];
        if (this.snapshot.entries.length > 0) yield ["stage", index];
      }
      if (this.gone.length < this.scope.restarts) yield ["restart", index];
      for (const origin of this.gone) if (!forgotten.has(origin)) yield ["evict", index, origin];
    }
  }

  take(action: Action): void {
    const replica = this.replicas[action[1]]!;
    const { set } = replica;
    const id = set.replica;
    switch (action[0]) {
      case "add":
        set.add(dot(id, set.nextNumber));
        this.record(replica, { adds: true, removes: [] });
        break;
      case "update":
        set.update(action[2], dot(id, set.nextNumber));
        this.record(replica, { adds: true, removes: [dot(id, action[2])] });
        break;
      case "remove":
        set.remove([{ origin: action[2], numbers: [action[3]] }]);
        this.record(replica, { adds: false, removes: [dot(action[2], action[3])] });
        break;
      case "publish":
        this.deltas.push(set.takeDelta()!);
        break;
      case "deliver":
        this.deliver(replica, this.deltas[action[2]]!);
        break;
      case "snapshot":
        this.snapshots++;
        this.snapshot = set.snapshot();
        break;
      case "stage":
        for (const entries of this.snapshot!.entries) set.stage(entries);
        break;
      case "merge":
        this.merge(replica, this.snapshot!);
        break;
      case "restart":
        this.gone.push(id);
        this.replicas[action[1]] = this.replica(action[1], 2);
        break;
      case "evict":
        this.forget(replica, action[2]);
        break;
    }
  }

  private record({ set, seen }: Replica, event: Event): void {
    seen.set(set.replica, this.events.get(set.replica)!.push(event));
    this.made++;
  }

  private forget({ set, heard, seen, forgotten }: Replica, origin: ReplicaId): void {
    for (const value of set.evict(origin).values()) heard.delete(value);
    seen.delete(origin);
    forgotten.add(origin);
  }

  private deliver({ set, seen, forgotten }: Replica, delta: Delta<string>): void {
    const { origin, from, to } = delta;
    const known = seen.get(origin) ?? 0;
    const expected = forgotten.has(origin) || to <= known ? "known" : from > known ? "gap" : "applied";
    const outcome = set.apply(delta);
    if (outcome !== expected) throw new Error(`${outcome} where ${expected} was due`);
    if (outcome === "applied") seen.set(origin, to);
  }

  private merge({ set, seen, forgotten }: Replica, state: FullState<string>): void {
    if (set.merge(state) !== "merged") throw new Error("a whole state could not be merged");
    for (const [origin, number] of state.vector) {
      if (origin !== set.replica && !forgotten.has(origin))
        seen.set(origin, Math.max(number, seen.get(origin) ?? 0));
    }
  }

  /** Everybody forgets former lives, and merges the state of everybody, twice: then all must be equal. */
  heal(): void {
    for (const replica of this.replicas) {
      replica.set.takeDelta();
      for (const origin of this.gone) {
        if (!replica.forgotten.has(origin)) this.forget(replica, origin);
      }
    }
    for (let round = 0; round < 2; round++) {
      const states = this.replicas.map(({ set }) => set.snapshot());
      for (const replica of this.replicas) for (const state of states) this.merge(replica, state);
    }
    const [first, ...others] = this.replicas.map(keyOf);
    for (const other of others) if (other !== first) throw new Error(`healed: ${first} is not ${other}`);
    for (const replica of this.replicas) this.check(replica);
  }

  /** What the reference says; of entries that a forgotten replica made or removed, only that they are not invented. */
  check({ set, heard, seen, forgotten }: Replica): void {
    const id = set.replica;
    for (const origin of forgotten)
      if (set.entriesOf(origin).size > 0)
        throw new Error(`${id} holds entries of ${origin}, which it has forgotten`);
    const [removed, vague] = [new Set<string>(), new Set<string>()];
    for (const [origin, events] of this.events) {
      const known = seen.get(origin) ?? 0;
      events.forEach(({ removes }, index) => {
        for (const value of removes) {
          if (this.gone.includes(origin)) vague.add(value);
          else if (index < known) removed.add(value);
        }
      });
    }
    let count = 0;
    for (const [origin, events] of this.events) {
      const known = seen.get(origin) ?? 0;
      if (set.vectorOf(origin) !== known)
        throw new Error(`${id} has seen ${known} of ${origin}, says ${set.vectorOf(origin)}`);
      const entries = set.entriesOf(origin);
      const hash = new StateHash(seedOf(origin));
      for (const [number, value] of entries) {
        if (!heard.has(value) || !events[number - 1]?.adds) throw new Error(`${id} invents ${value}`);
        if (number <= known) hash.toggle(number);
        count++;
      }
      if (known > 0 && set.digest().get(origin)!.hash !== hash.value)
        throw new Error(`${id} has a wrong hash of ${origin}`);
      events.forEach(({ adds }, index) => {
        const value = dot(origin, index + 1);
        if (vague.has(value) || this.gone.includes(origin)) return;
        const isRemoved = removed.has(value);
        if (index < known && entries.has(index + 1) !== (adds && !isRemoved))
          throw new Error(`${id} ${isRemoved ? "still has" : "lacks"} ${value}`);
        if (index >= known && isRemoved && entries.has(index + 1))
          throw new Error(`${id} shows ${value} ahead of time, and knows better`);
        const isPending = isRemoved && index >= known && !forgotten.has(origin);
        if (set.pendingOf(origin).has(index + 1) !== isPending)
          throw new Error(`${id} has ${value} pending: ${!isPending}`);
      });
    }
    if (count !== heard.size) throw new Error(`the listener of ${id} believes in ${heard.size} of ${count}`);
  }

  /** Equal for two worlds from which the same can happen. */
  key(): string {
    const deltas = this.deltas.map(({ origin, from, to }) => `${origin}${from}-${to}`).sort();
    const events = [...this.events].map(
      ([id, list]) => `${id}:${list.map(({ adds, removes }) => `${adds ? "+" : ""}${removes}`).join(";")}`,
    );
    const snapshot = this.snapshot === undefined ? "" : stateKey(this.snapshot);
    const open = this.replicas.map(({ set }) => set.openSize);
    return [...this.replicas.map(keyOf), deltas, events, snapshot, open, this.snapshots, this.made].join("|");
  }
}

function keyOf({ set }: Replica): string {
  const origins = set.originIds().sort();
  const parts = origins.map(
    (id) =>
      `${id}=${set.vectorOf(id)}:${[...set.entriesOf(id).keys()].sort()}:${[...set.pendingOf(id)].sort()}`,
  );
  return parts.join(" ");
}

function stateKey({ vector, live, pending }: FullState<string>): string {
  return `${[...vector]}/${[...live]}/${pending.map(({ origin, numbers }) => `${origin}${numbers}`)}`;
}

function replayed(scope: Scope, path: readonly Action[]): World {
  const world = new World(scope);
  for (const action of path) world.take(action);
  return world;
}

/** Goes everywhere; answers how many states there were, and how many steps between them. */
function explore(scope: Scope): { states: number; steps: number } {
  const known = new Set([new World(scope).key()]);
  const open: (readonly Action[])[] = [[]];
  let steps = 0;
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const action of [...replayed(scope, path).actions()]) {
      const next = [...path, action];
      steps++;
      try {
        const world = replayed(scope, next);
        for (const replica of world.replicas) world.check(replica);
        const key = world.key();
        if (known.has(key)) continue;
        known.add(key);
        world.heal();
      } catch (error) {
        throw new Error(`after ${next.map((taken) => taken.join(" ")).join(", ")}`, { cause: error });
      }
      open.push(next);
    }
  }
  return { states: known.size, steps };
}

test.each<Scope>([
  { replicas: 2, events: 3, snapshots: 1, restarts: 0 },
  { replicas: 2, events: 4, snapshots: 0, restarts: 0 },
  { replicas: 3, events: 2, snapshots: 2, restarts: 0 },
  { replicas: 3, events: 3, snapshots: 1, restarts: 0 },
  { replicas: 3, events: 3, snapshots: 0, restarts: 0 },
  { replicas: 2, events: 2, snapshots: 1, restarts: 1 },
  { replicas: 3, events: 2, snapshots: 0, restarts: 1 },
])(
  "$replicas replicas, $events events, $snapshots late states, $restarts restarts: every interleaving",
  (scope) => {
    const start = performance.now();
    const { states, steps } = explore(scope);
    console.info(
      `${JSON.stringify(scope)}: ${states} states, ${steps} steps, ${Math.round(performance.now() - start)} ms`,
    );
    expect(states).toBeGreaterThan(100);
  },
);
