import fc from "fast-check";
import type { Presence, ReplicaId, TopicDiff } from "presently";
import { expect, test } from "vitest";
import { ChannelRoster } from "./channel-roster.ts";

const ids = ["alice", "bob", "__proto__", "constructor", "7"];

function presenceOf(key: string, number: number): Presence {
  const replica = "a@1" as ReplicaId;
  const meta = { info: { number }, $at: number };
  return { topic: "/presence/x", key, meta, ref: `a.${number}`, node: "a", replica };
}

/** Each diff is some steps together: somebody joins, or the entry at an index leaves. */
const history = fc.array(
  fc.array(
    fc.oneof(fc.record({ join: fc.constantFrom(...ids) }), fc.record({ leave: fc.nat({ max: 30 }) })),
    { maxLength: 6 },
  ),
  { maxLength: 60, size: "max" },
);

test("who hears the events of a channel knows its ids, and hears of each only when it comes or goes", () => {
  fc.assert(
    fc.property(history, fc.nat({ max: 5 }), (steps, stateAfter) => {
      const roster = new ChannelRoster();
      const present: Presence[] = [];
      const heard = new Set<string>();
      let number = 0;
      for (const [index, step] of steps.entries()) {
        // What came and went within one change was never there, for watchers.
        const before = new Set(present);
        for (const change of step) {
          if ("join" in change) present.push(presenceOf(change.join, ++number));
          else if (present.length > 0) present.splice(change.leave % present.length, 1);
        }
        const joins = present.filter((presence) => !before.has(presence));
        const leaves = [...before]
          .filter((presence) => !present.includes(presence))
          .map((presence) => ({ presence, reason: "left" as const }));
        const diff: TopicDiff = { type: "diff", topic: "x", number, joins, leaves, updates: [] };
        const events =
          index < stateAfter
            ? []
            : index === stateAfter
              ? roster.apply({ type: "state", topic: "x", number, presences: [...present] })
              : roster.apply(diff);
        let subscribed = false;
        for (const event of events) {
          expect(heard.has(event.id)).toBe(event.type === "unsubscribe");
          // Those who went come first.
          expect(subscribed && event.type === "unsubscribe").toBe(false);
          subscribed ||= event.type === "subscribe";
          if (event.type === "subscribe") heard.add(event.id);
          else heard.delete(event.id);
        }
        if (index < stateAfter) continue;
        expect(heard).toEqual(new Set(present.map(({ key }) => key)));
        expect(new Set(roster.ids())).toEqual(heard);
        expect(roster.empty).toBe(present.length === 0);
      }
    }),
  );
});
