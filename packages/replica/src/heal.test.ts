/** Who comes back after a partition is told of as they are now, not first as they were. */
import { expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";

const T = "room:lobby";
const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test.each([
  ["from their logs", 10_000],
  ["by full states", 8],
])(
  "after a cut longer than the time-out, each side sees one join for each who is there, and nothing else: %s",
  (_, logSizeMax) => {
    for (let seed = 0; seed < 10; seed++) {
      const cluster = new VirtualCluster(["a", "b"], {
        topics: [T],
        seed: `${seed}`,
        replica: { logSizeMax },
      });
      const sessions = ["a", "b"].map((name) => cluster.node(name).endpoint.replica.session());
      sessions.forEach((session, side) => {
        for (const name of names(`${side} `, 30)) session.track(T, name);
      });
      cluster.time.advance(2_000);
      cluster.cut("a", "b");
      cluster.time.advance(10_000);
      sessions.forEach((session, side) => {
        for (let turn = 0; turn < 10; turn++) {
          session.untrack(T, `${side} ${turn}`);
          session.update(T, `${side} ${turn + 10}`, { changed: true });
          session.track(T, `${side} new ${turn}`);
          cluster.time.advance(20);
        }
      });
      const before = ["a", "b"].map((name) => cluster.node(name).watched.get(T)!.events.length);
      cluster.mend("a", "b");
      cluster.time.advance(5_000);
      ["a", "b"].forEach((name, side) => {
        const other = 1 - side;
        const expected = [...names(`${other} `, 30).slice(10), ...names(`${other} new `, 10)];
        const events = cluster.node(name).watched.get(T)!.events.slice(before[side]);
        expect(events.sort()).toEqual(expected.map((key) => `+${key}`).sort());
      });
      cluster.checkWatchers();
    }
  },
);

test("a node that is heard again only through others is shown too, in one go", () => {
  for (let seed = 0; seed < 10; seed++) {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T], seed: `${seed}` });
    const session = cluster.node("c").endpoint.replica.session();
    for (const name of names("c", 10)) session.track(T, name);
    cluster.time.advance(2_000);
    cluster.partition(["a", "b"], ["c"]);
    cluster.time.advance(10_000);
    session.untrack(T, "c0");
    session.track(T, "new");
    cluster.mend("b", "c");
    cluster.time.advance(10_000);
    for (const name of ["a", "b"]) {
      const joins = cluster.node(name).watched.get(T)!.events.slice(20);
      expect(joins.sort()).toEqual(
        [
          "+new",
          ...names("c", 10)
            .slice(1)
            .map((key) => `+${key}`),
        ].sort(),
      );
    }
  }
});
