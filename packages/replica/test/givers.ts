/** Givers of a sync whose sets change and hear of each other's changes in part: for properties of pulls. */
import { ObservedRemoveSet, type ReplicaId, replicaId } from "@presently/crdt";
import { Entry } from "../src/entry.ts";
import { resolveReplicaOptions } from "../src/options.ts";

/** Frames of a few entries, so that an answer has many. */
export const SETTINGS = resolveReplicaOptions({ name: "x", incarnation: 1, frameBytesTarget: 60 });
export const GIVERS = ["a", "b", "c"].map((name) => replicaId(name, 1));

/** A set, and what a reader would see of it. */
export class Side {
  /** What a reader would see, by the listener's calls alone. */
  readonly shown = new Map<string, Entry>();
  readonly set: ObservedRemoveSet<Entry>;

  constructor(id: ReplicaId, logSizeMax: number) {
    const nameOf = (origin: ReplicaId, number: number) => `${origin} ${number}`;
    this.set = new ObservedRemoveSet<Entry>(
      id,
      {
        inserted: (entry, origin, number) => this.shown.set(nameOf(origin, number), entry),
        deleted: (_, origin, number) => {
          if (!this.shown.delete(nameOf(origin, number)))
            throw new Error(`${nameOf(origin, number)} goes, and was not there`);
        },
      },
      { logSizeMax },
    );
  }
}

/** A change of a giver, or what it hears of another's. */
export type Step =
  | { do: "add" | "update" | "remove"; at: number; nth: number }
  | { do: "hear"; at: number; from: number; share: number };
/** Takes a step. */
export function run(sides: readonly Side[], { do: what, ...step }: Step): void {
  const { set } = sides[step.at]!;
  if (what === "hear" && "from" in step) {
    const from = sides[step.from]!.set;
    for (const id of from.originIds()) {
      const deltas = from.deltasSince(id, set.vectorOf(id)) ?? [];
      for (const delta of deltas.slice(0, step.share)) set.apply(delta);
    }
    return;
  }
  if (!("nth" in step)) return;
  const own = [...set.entriesOf(set.replica).keys()];
  const dots = GIVERS.flatMap((origin) =>
    [...set.entriesOf(origin).keys()].map((number) => ({ origin, number })),
  );
  const number = set.nextNumber;
  const previous = own[step.nth % Math.max(1, own.length)];
  if (what === "add") set.add(new Entry(set.replica, number, "t", `k${step.nth}`, {}, 0, number));
  else if (what === "update" && previous !== undefined) {
    const { root } = set.entriesOf(set.replica).get(previous)!;
    set.update(previous, new Entry(set.replica, number, "t", `k${step.nth}`, {}, previous, root));
  } else if (what === "remove" && dots.length > 0) {
    const dot = dots[step.nth % dots.length]!;
    set.remove([{ origin: dot.origin, numbers: [dot.number] }]);
  }
  set.takeDelta();
}
