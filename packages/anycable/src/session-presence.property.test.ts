/** The presence set of AnyCable's memory broker, as a naive model, beside ours on a real node. */
import fc from "fast-check";
import { createNode } from "presently";
import { RosterNames } from "presently/drop-in";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PresenceMismatchError } from "./errors.ts";
import type { PresenceRecord } from "./frames.ts";
import { SessionPresence } from "./session-presence.ts";
import { PresenceHub, type StreamPresence } from "./stream-presence.ts";

const STREAMS = ["room/1", "__proto__"];
const IDS = ["7", "constructor", "🙂"];

/** Per stream: id → the sessions that hold it, and the info of the latest join. */
class Model {
  readonly streams = new Map(
    STREAMS.map((name) => [name, new Map<string, { info: unknown; sessions: Map<number, Set<string>> }>()]),
  );
  readonly events: string[] = [];

  join(session: number, stream: string, by: string, id: string, info: unknown): boolean {
    const held = this.streams.get(stream)!;
    for (const [other, { sessions }] of held) if (other !== id && sessions.has(session)) return false;
    const record = held.get(id) ?? { info, sessions: new Map() };
    if (!held.has(id)) this.events.push(`${stream} +${id} ${JSON.stringify(info)}`);
    held.set(id, record);
    record.info = info;
    record.sessions.set(session, (record.sessions.get(session) ?? new Set()).add(by));
    return true;
  }

  leave(session: number, stream: string, by?: string): void {
    const held = this.streams.get(stream)!;
    for (const [id, { sessions }] of held) {
      const joinedBy = sessions.get(session);
      if (joinedBy === undefined) continue;
      if (by !== undefined && (!joinedBy.delete(by) || joinedBy.size > 0)) continue;
      sessions.delete(session);
      if (sessions.size > 0) continue;
      held.delete(id);
      this.events.push(`${stream} -${id}`);
    }
  }

  records(stream: string): PresenceRecord[] {
    return Array.from(this.streams.get(stream)!, ([id, { info }]) =>
      info === undefined ? { id } : { id, info },
    );
  }
}

let node: Awaited<ReturnType<typeof createNode>>;
beforeAll(async () => {
  node = await createNode({ name: "alone" });
});
afterAll(() => node.stop());

const who = { session: fc.nat(3), stream: fc.constantFrom(...STREAMS) };
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("join" as const),
      ...who,
      by: fc.constantFrom("one", "two"),
      id: fc.constantFrom(...IDS),
      info: fc.constantFrom(undefined, null, 0, "text", { name: "Ann" }, [1]),
    }),
  },
  fc.record({ do: fc.constant("leave" as const), ...who }),
  fc.record({ do: fc.constant("unsubscribe" as const), ...who, by: fc.constantFrom("one", "two") }),
  fc.record({ do: fc.constant("resume" as const), ...who }),
);

test("who is present, with which info, and what subscribers hear, is what the memory broker says", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      let clock = 1_000;
      const hub = new PresenceHub({ node, names: new RosterNames(), ttlMs: 15_000, now: () => 0 });
      // Clocks of nodes may go backwards: the order of the joins is what counts.
      const wallClock = () => clock--;
      const sessions = Array.from(
        { length: 4 },
        () => new SessionPresence({ hub, ttlMs: 15_000, wallClock }),
      );
      const heard: string[] = [];
      const watched: StreamPresence[] = STREAMS.map((name) => hub.hold(name));
      for (const stream of watched)
        stream.subscribe({
          presenceChanged: ({ frame }) => {
            const { type, id, info } = JSON.parse(frame.for("")).message;
            heard.push(`${stream.stream} ${type === "join" ? `+${id} ${JSON.stringify(info)}` : `-${id}`}`);
          },
        });
      const model = new Model();
      for (const it of steps) {
        const { session, stream } = it;
        const presence = sessions[session]!;
        if (it.do === "join") {
          const joined = () => presence.join(stream, it.by, it.id, it.info);
          if (model.join(session, stream, it.by, it.id, it.info)) joined();
          else expect(joined).toThrow(PresenceMismatchError);
        } else if (it.do === "leave") {
          presence.leave(stream);
          model.leave(session, stream);
        } else if (it.do === "unsubscribe") {
          presence.unsubscribed(stream, it.by);
          model.leave(session, stream, it.by);
        } else {
          // The connection broke, and is back: no event for anybody.
          presence.drop();
          presence.resume();
        }
        expect(heard).toEqual(model.events);
        for (const name of STREAMS)
          expect(new Set(hub.records(name).map(stringOf))).toEqual(
            new Set(model.records(name).map(stringOf)),
          );
      }
      for (const presence of sessions) presence.close();
      for (const name of STREAMS) expect(node.count(name)).toEqual({ keys: 0, entries: 0 });
      for (const stream of watched) hub.release(stream);
    }),
  );
});

function stringOf(record: PresenceRecord): string {
  return JSON.stringify(record);
}
