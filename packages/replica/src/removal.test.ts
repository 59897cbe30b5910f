/** Why somebody is gone is told alike on all nodes. */
import { expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";

const T = "room:lobby";

test.each(["a", "b"])(
  "whom %s removes on purpose leaves as removed everywhere, whoever holds it",
  (remover) => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    const session = cluster.node("a").endpoint.replica.session();
    for (const key of ["alice", "bob"]) session.track(T, key);
    cluster.time.advance(1_000);
    // One hears of it by a delta, the other one by what it pulls later.
    cluster.partition(["a", "b"], ["c"]);
    expect(cluster.node(remover).endpoint.replica.remove(T, "alice")).toBe(1);
    session.untrack(T, "bob");
    cluster.time.advance(200);
    cluster.mendAll();
    cluster.time.advance(5_000);
    for (const name of ["a", "b", "c"])
      expect(cluster.node(name).watched.get(T)!.events.slice(2).sort()).toEqual([
        "-alice removed",
        "-bob left",
      ]);
  },
);

test("what was removed on purpose and what was left travel apart in one delta", () => {
  const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
  const { replica } = cluster.node("a").endpoint;
  const session = replica.session();
  for (const key of ["alice", "bob", "carol"]) session.track(T, key);
  cluster.time.advance(1_000);
  replica.batch(() => {
    session.untrack(T, "bob");
    replica.remove(T, "alice");
    session.track(T, "dave");
    replica.remove(T, "dave");
  });
  cluster.time.advance(1_000);
  expect(cluster.node("b").watched.get(T)!.events.slice(3).sort()).toEqual(["-alice removed", "-bob left"]);
});

test("very many under one key are removed in frames of bounded size, everywhere", () => {
  const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
  const { replica } = cluster.node("a").endpoint;
  replica.batch(() => {
    for (let index = 0; index < 9_000; index++) replica.session().track(T, "everybody");
  });
  cluster.time.advance(3_000);
  cluster.largestFrame = 0;
  expect(cluster.node("b").endpoint.replica.remove(T, "everybody")).toBe(9_000);
  cluster.time.advance(3_000);
  for (const name of ["a", "b"]) expect(cluster.node(name).endpoint.replica.count(T).entries).toBe(0);
  expect(cluster.largestFrame).toBeLessThan(65_536);
});
