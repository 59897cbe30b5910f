/** A node's people go and come some at a time: watchers are told of what readers see at any time, and all of it in the end. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";

const T = "room:lobby";

type Step =
  | { do: "track" | "untrack" | "update"; key: number }
  | { do: "cut" | "mend" | "crash" | "evict" | "stop" }
  | { do: "pass"; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("track" as const, "untrack", "update"), key: fc.nat(30) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "mend", "evict") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("crash" as const, "stop") }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
  },
);

test("state and diffs are the list between any two turns, and in the end everybody shows who is there", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { size: "max", maxLength: 50 }), (seed, steps) => {
      const cluster = new VirtualCluster(["a", "b"], {
        topics: [T],
        seed: String(seed),
        replica: { sweepEntriesMax: 2 },
      });
      const begin = () => {
        const session = cluster.node("a").endpoint.replica.session();
        for (let key = 0; key < 20; key++) session.track(T, `${key}`);
        return session;
      };
      let session = begin();
      const b = cluster.node("b");
      // Whenever nothing is under way at b, what it was told is what it shows.
      cluster.observe({
        input: (process) => {
          if (process !== b) return;
          const told = [...process.watched.get(T)!.present.keys()].sort();
          expect(told).toEqual(
            process.endpoint.replica
              .list(T)
              .map(({ ref }) => ref)
              .sort(),
          );
        },
      });
      cluster.time.advance(2_000);
      for (const step of steps) {
        if (step.do === "pass") cluster.time.advance(step.ms);
        else if (step.do === "cut") cluster.cut("a", "b");
        else if (step.do === "mend") cluster.mend("a", "b");
        else if (step.do === "evict") b.endpoint.replica.evict(cluster.node("a").id);
        else if (step.do === "crash" || step.do === "stop") {
          if (step.do === "crash") cluster.crash("a");
          else cluster.stop("a", 1_500);
          cluster.time.advance(700);
          cluster.start("a");
          session = begin();
        } else if ("key" in step) {
          const key = `${step.key}`;
          if (step.do === "track") session.track(T, key);
          else if (step.do === "untrack") session.untrack(T, key);
          else if (session.get(T, key) !== undefined) session.update(T, key, { updated: true });
        }
      }
      cluster.mendAll();
      cluster.time.advance(20_000);
      const held = cluster
        .node("a")
        .endpoint.replica.list(T)
        .map(({ ref }) => ref);
      expect(
        b.endpoint.replica
          .list(T)
          .map(({ ref }) => ref)
          .sort(),
      ).toEqual(held.sort());
      cluster.checkWatchers();
    }),
    { numRuns: 60 },
  );
});
