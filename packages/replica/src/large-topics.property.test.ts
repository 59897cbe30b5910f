/** Large topics are told of in larger steps, and counts without the people: both end with what is true. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loneReplica, WatchedTopic } from "../../../test/helpers/virtual-cluster.ts";
import type { TopicCount } from "./presence.ts";

const T = "room:large";
const INTERVAL_MS = 50;

type Step =
  | { do: "track" | "untrack" | "update"; session: number; key: number }
  | { do: "watch" | "unwatch" }
  | { do: "pass"; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("track" as const, "track", "untrack", "update"),
      session: fc.nat(3),
      key: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("watch" as const, "unwatch") }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 80 }) }),
  },
);

test("the state and the diffs are the list whenever a diff is told, and in the end; none comes before its time", () => {
  fc.assert(
    fc.property(
      fc.array(step, { size: "max", maxLength: 80 }),
      fc.integer({ min: 1, max: 6 }),
      (steps, entries) => {
        const replica = loneReplica({ diffIntervalMs: INTERVAL_MS, diffIntervalEntries: entries });
        const sessions = Array.from({ length: 4 }, () => replica.session());
        const watchers: { watched: WatchedTopic; end: () => void }[] = [];
        let now = 0;
        let toldAt = Number.NEGATIVE_INFINITY;
        let isLarge = false;
        const watch = () => {
          const watched = new WatchedTopic(T);
          const end = replica.watch(T, (change) => {
            watched.apply(change);
            expect([...watched.present.keys()].sort()).toEqual(
              replica
                .list(T)
                .map(({ ref }) => ref)
                .sort(),
            );
            if (change.type === "state" || !isLarge) return;
            expect(now === toldAt || now - toldAt >= INTERVAL_MS).toBe(true);
            toldAt = now;
          });
          watchers.push({ watched, end });
        };
        watch();
        const pass = (ms: number) => {
          now += ms;
          isLarge = true;
          replica.tick(now);
          isLarge = false;
        };
        for (const step of steps) {
          if (step.do === "pass") pass(step.ms);
          else if (step.do === "watch") watch();
          else if (step.do === "unwatch") watchers.pop()?.end();
          else if ("session" in step) {
            const session = sessions[step.session]!;
            const key = `key ${step.key}`;
            if (step.do === "track") session.track(T, key);
            else if (step.do === "untrack") session.untrack(T, key);
            else if (session.get(T, key) !== undefined) session.update(T, key, { now });
          }
        }
        pass(1_000);
        const refs = replica.list(T).map(({ ref }) => ref);
        for (const { watched } of watchers) expect([...watched.present.keys()].sort()).toEqual(refs.sort());
      },
    ),
  );
});

describe("a watched count", () => {
  test("is told at once, then at most every countIntervalMs, only if it has changed, and the newest in the end", () => {
    fc.assert(
      fc.property(fc.array(step, { size: "max", maxLength: 80 }), (steps) => {
        const replica = loneReplica({ countIntervalMs: INTERVAL_MS });
        const sessions = Array.from({ length: 4 }, () => replica.session());
        const told: { at: number; count: TopicCount }[] = [];
        let now = 0;
        const end = replica.watchCount(T, (count) => told.push({ at: now, count }));
        expect(told).toEqual([{ at: 0, count: { keys: 0, entries: 0 } }]);
        for (const step of steps) {
          if (step.do === "pass") {
            now += step.ms;
            replica.tick(now);
          } else if (step.do === "track") sessions[step.session]!.track(T, `${step.key}`);
          else if (step.do === "untrack") sessions[step.session]!.untrack(T, `${step.key}`);
        }
        now += 1_000;
        replica.tick(now);
        expect(told.at(-1)!.count).toEqual(replica.count(T));
        for (let index = 2; index < told.length; index++) {
          expect(told[index]!.at - told[index - 1]!.at).toBeGreaterThanOrEqual(INTERVAL_MS);
          expect(told[index]!.count).not.toEqual(told[index - 1]!.count);
        }
        end();
        const before = told.length;
        sessions[0]!.track(T, "one more");
        replica.tick(now + 1_000);
        expect(told).toHaveLength(before);
      }),
    );
  });

  test("is a watcher among watchersMax until it ends, and one that throws harms nobody", () => {
    const replica = loneReplica({ watchersMax: 2 });
    const end = replica.watchCount(T, () => {
      throw new Error("on purpose");
    });
    const counts: TopicCount[] = [];
    replica.watchCount(T, (count) => counts.push(count));
    expect(() => replica.watchCount(T, () => undefined)).toThrow(
      expect.objectContaining({ option: "watchersMax" }),
    );
    replica.session().track(T, "alice");
    replica.tick(1_000);
    expect(counts).toEqual([
      { keys: 0, entries: 0 },
      { keys: 1, entries: 1 },
    ]);
    expect(replica.counters.listenerErrors).toBe(2);
    end();
    end();
    replica.watch(T, () => undefined);
    expect(() => replica.watch(T, () => undefined)).toThrow(
      expect.objectContaining({ option: "watchersMax" }),
    );
  });
});
