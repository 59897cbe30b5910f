import fc from "fast-check";
import { expect, test } from "vitest";
import { loneReplica, WatchedTopic } from "../../../../test/helpers/virtual-cluster.ts";
import { SharedWatch } from "./shared-watch.ts";

const T = "room:shared";
const INTERVAL_MS = 50;

type Step =
  | { do: "track" | "untrack" | "update"; session: number; key: number; attaches: boolean }
  | { do: "attach" }
  | { do: "detach" }
  | { do: "pass"; ms: number };

const change = fc.record({
  do: fc.constantFrom("track" as const, "untrack", "update"),
  session: fc.nat(3),
  key: fc.nat(5),
  attaches: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: change },
  { weight: 2, arbitrary: fc.constantFrom({ do: "attach" as const }, { do: "detach" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 80 }) }),
  },
);

/** A client of which nothing is told twice, and nothing that it has not been told of ends: `WatchedTopic` checks that. */
test("a client's state and the diffs after it are the list in the end, also in batches and where diffs are put off", () => {
  fc.assert(
    fc.property(
      fc.array(step, { size: "max", maxLength: 60 }),
      fc.constantFrom(0, INTERVAL_MS),
      (steps, diffIntervalMs) => {
        const replica = loneReplica({ diffIntervalMs, diffIntervalEntries: 1 });
        const sessions = Array.from({ length: 4 }, () => replica.session());
        sessions[0]!.track(T, "key 0");
        const clients: WatchedTopic[] = [];
        const shared = new SharedWatch<WatchedTopic>(replica, T, (diff, receivers) => {
          for (const receiver of receivers) receiver.apply(diff);
        });
        const attach = () => {
          const client = new WatchedTopic(T);
          shared.attach(client);
          const { number, presences } = shared.state;
          client.apply({ type: "state", topic: T, number, presences: [...presences] });
          clients.push(client);
        };
        let now = 0;
        for (const step of steps) {
          if (step.do === "pass") {
            now += step.ms;
            replica.tick(now);
          } else if (step.do === "attach") attach();
          else if (step.do === "detach") {
            const client = clients.shift();
            if (client !== undefined) shared.detach(client);
          } else {
            const session = sessions[step.session]!;
            const key = `key ${step.key}`;
            replica.batch(() => {
              if (step.do === "track") session.track(T, key);
              else if (step.do === "untrack") session.untrack(T, key);
              else if (session.get(T, key) !== undefined) session.update(T, key, { now });
              if (step.attaches) attach();
            });
          }
        }
        replica.tick(now + 1_000);
        const refs = replica.list(T).map(({ ref }) => ref);
        for (const { present } of clients) expect([...present.keys()].sort()).toEqual(refs.sort());
        shared.close();
      },
    ),
  );
});
