/** Whoever comes when: a state, and the diffs after it, each of which follows from what came before. */
import fc from "fast-check";
import type { Presence, Watcher } from "presently";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Fetcher } from "./fetcher.ts";
import { fetchNothing } from "./fetcher.ts";
import type { EncodedJson } from "./message.ts";
import { PresenceFeed, type PresenceReceiver } from "./presence-feed.ts";
import type { PresenceDiff, PresenceMap } from "./presence-map.ts";
import type { SharedBroadcast } from "./shared-broadcast.ts";

const DIFF_INTERVAL_MS = 50;
/** As many as make every diff but the first of an interval wait. */
const CROWD = 1_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** A client that minds every word: who comes was not there, and who goes was. */
class StrictReceiver implements PresenceReceiver {
  refs: Set<string> | undefined;

  pushState(state: EncodedJson): void {
    expect(this.refs).toBeUndefined();
    this.refs = new Set(refsOf(JSON.parse(state.text)));
  }

  deliver(broadcast: SharedBroadcast): void {
    const { joins, leaves } = broadcast.value as PresenceDiff;
    for (const ref of refsOf(leaves)) expect(this.refs!.delete(ref)).toBe(true);
    for (const ref of refsOf(joins)) {
      expect(this.refs!.has(ref)).toBe(false);
      this.refs!.add(ref);
    }
  }
}

function refsOf(map: PresenceMap): string[] {
  return Object.values(map).flatMap(({ metas }) => metas.map(({ phx_ref }) => phx_ref));
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("toggle" as const), ref: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.constant({ do: "come" as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("go" as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant({ do: "wait" as const }) },
);

/** Answers in the order of a queue, later. */
const slowFetch: Fetcher = async (_topic, presences) => {
  for (let turn = 0; turn < Object.keys(presences).length; turn++) await undefined;
  return presences;
};

async function settled(): Promise<void> {
  vi.advanceTimersByTime(DIFF_INTERVAL_MS);
  for (let turn = 0; turn < 30; turn++) await undefined;
}

test.each([
  ["at once", fetchNothing, 0],
  ["at once, in a crowd", fetchNothing, CROWD],
  ["after a slow fetch", slowFetch, 0],
  ["after a slow fetch, in a crowd", slowFetch, CROWD],
])("every receiver is told, %s, what makes the list out of its state", async (_how, fetch, crowd) => {
  const history = fc.array(step, { size: "max", maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const present = new Map<number, Presence>();
      let tell: Watcher = () => undefined;
      const watch = (_topic: string, watcher: Watcher) => {
        tell = watcher;
        watcher({ type: "state", topic: "t", number: 0, presences: [] });
        return () => undefined;
      };
      const notice = ({ message }: { message: string }) => expect.unreachable(message);
      const options = { node: { watch }, topic: "t", fetch, diffIntervalMs: DIFF_INTERVAL_MS, notice };
      const feed = new PresenceFeed(options);
      const onlooker = { pushState: () => undefined, deliver: () => undefined };
      for (let count = 0; count < crowd; count++) feed.attach({ ...onlooker });
      await settled();
      const receivers: StrictReceiver[] = [];
      let number = 0;
      for (const each of steps) {
        if (each.do === "come") {
          const receiver = new StrictReceiver();
          receivers.push(receiver);
          feed.attach(receiver);
        } else if (each.do === "go") {
          const [gone] = receivers.splice(each.which, 1);
          if (gone !== undefined) feed.detach(gone);
        } else if (each.do === "wait") await settled();
        else {
          const { ref } = each;
          const known = present.get(ref);
          const presence = known ?? ({ key: `key ${ref % 3}`, ref: `n@1.${ref}`, meta: {} } as Presence);
          if (!present.delete(ref)) present.set(ref, presence);
          const leaves = known === undefined ? [] : [{ presence, reason: "left" as const }];
          const joins = known === undefined ? [presence] : [];
          tell({ type: "diff", topic: "t", number: ++number, joins, leaves, updates: [] });
        }
      }
      // What waits is told in one more interval for each diff that a slow fetch has put off.
      for (let turn = 0; turn < steps.length + 2; turn++) await settled();
      const wanted = [...present.values()].map(({ ref }) => ref).toSorted();
      for (const { refs } of receivers) expect([...refs!].toSorted()).toEqual(wanted);
      feed.close();
    }),
    { numRuns: 60 },
  );
});
