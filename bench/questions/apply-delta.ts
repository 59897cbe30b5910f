/** Does applying a delta cost more as the set grows? A delta of 1 and of 1,000 joins, on sets of growing size. */
import { type Delta, ObservedRemoveSet, replicaId } from "@presently/crdt";
import { rounds, show } from "../rounds.ts";

const SIZES = [1_000, 100_000, 1_000_000];
const DELTAS_OF_ONE = 1_000;
const ROUNDS = 7;

const silent = { inserted: () => undefined, deleted: () => undefined };
const newSet = (name: string) => new ObservedRemoveSet<string>(replicaId(name, 1), silent);

console.log("apply a delta on a set that holds so many entries: median (least–most) of 7 rounds");
for (const size of SIZES) {
  const source = newSet("source");
  const target = newSet("target");
  const take = () => source.takeDelta() as Delta<string>;
  for (let index = 0; index < size; index++) source.add(`value ${index}`);
  target.apply(take());
  const one = rounds(ROUNDS, () => {
    const deltas = Array.from({ length: DELTAS_OF_ONE }, () => {
      source.add("one more");
      return take();
    });
    const start = performance.now();
    for (const delta of deltas) target.apply(delta);
    return ((performance.now() - start) * 1_000) / DELTAS_OF_ONE;
  });
  const thousand = rounds(ROUNDS, () => {
    for (let index = 0; index < 1_000; index++) source.add("one more");
    const delta = take();
    const start = performance.now();
    target.apply(delta);
    return performance.now() - start;
  });
  console.log(
    `${size.toLocaleString("en").padStart(11)} entries: 1 join ${show(one, "µs")}, 1,000 joins ${show(thousand, "ms")}`,
  );
}
