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
  /** Streams on which what a session's broken connection joined still lingers, and those that the server joined for it. */
  readonly lingering = Array.from({ length: 4 }, () => new Set<string>());
  readonly byServer = Array.from({ length: 4 }, () => new Set<string>());

  join({ session, stream, by, id, info, byServer }: Extract<Step, { do: "join" }>): boolean {
    const held = this.streams.get(stream)!;
    const isOther = held.get(id)?.sessions.has(session) !== true;
    if (isOther && this.lingering[session]!.has(stream)) this.leave(session, stream);
    this.lingering[session]!.delete(stream);
    for (const [other, { sessions }] of held) if (other !== id && sessions.has(session)) return false;
    const record = held.get(id) ?? { info, sessions: new Map() };
    if (!held.has(id)) this.events.push(`${stream} +${id} ${JSON.stringify(info)}`);
    held.set(id, record);
    record.info = info;
    record.sessions.set(session, (record.sessions.get(session) ?? new Set()).add(by));
    if (byServer) this.byServer[session]!.add(stream);
    return true;
  }

  leave(session: number, stream: string, by?: string): void {
    const held = this.streams.get(stream)!;
    for (const [id, { sessions }] of held) {
      const joinedBy = sessions.get(session);
      if (joinedBy === undefined) continue;
      if (by !== undefined && (!joinedBy.delete(by) || joinedBy.size > 0)) continue;
      sessions.delete(session);
      this.lingering[session]!.delete(stream);
      this.byServer[session]!.delete(stream);
      if (sessions.size > 0) continue;
      held.delete(id);
      this.events.push(`${stream} -${id}`);
    }
  }

  /** The connection is back. Returns what its client joins again, since others have the same id. */
  resume(
    session: number,
    by: string,
  ): { readonly stream: string; readonly id: string; readonly info: unknown }[] {
    const again: { stream: string; id: string; info: unknown }[] = [];
    for (const [stream, held] of this.streams)
      for (const [id, { sessions, info }] of held) {
        if (!sessions.has(session)) continue;
        if (sessions.size > 1) {
          sessions.get(session)!.add(by);
          this.lingering[session]!.delete(stream);
          again.push({ stream, id, info });
        } else if (!this.byServer[session]!.has(stream)) this.lingering[session]!.add(stream);
      }
    return again;
  }

  /** Whether an id lingers for another session: a join of it takes that place, which is not in this model. */
  lingers(stream: string, id: string, session: number): boolean {
    const sessions = this.streams.get(stream)!.get(id)?.sessions ?? new Map<number, Set<string>>();
    return [...sessions.keys()].some((other) => other !== session && this.lingering[other]!.has(stream));
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
      byServer: fc.boolean(),
    }),
  },
  fc.record({ do: fc.constant("leave" as const), ...who }),
  fc.record({ do: fc.constant("unsubscribe" as const), ...who, by: fc.constantFrom("one", "two") }),
  fc.record({ do: fc.constant("resume" as const), ...who, by: fc.constantFrom("one", "two") }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

test("who is present, with which info, and what subscribers hear, is what the memory broker says", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      // What a run that failed has left must not be in the next one, which is to show the same fault with less.
      for (const name of STREAMS) for (const id of IDS) node.remove(name, id);
      let clock = 1_000;
      const hub = new PresenceHub({ node, names: new RosterNames(), ttlMs: 15_000 });
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
          const { by: joinedBy, id, info, byServer } = it;
          if (model.lingers(stream, id, session)) continue;
          const joined = () => presence.join(stream, { joinedBy, id, info, byServer });
          if (model.join(it)) joined();
          else expect(joined).toThrow(PresenceMismatchError);
        } else if (it.do === "leave") {
          presence.leave(stream);
          model.leave(session, stream);
        } else if (it.do === "unsubscribe") {
          presence.unsubscribed(stream, it.by);
          model.leave(session, stream, it.by);
        } else {
          // The connection broke, and is back: no event for anybody. The client joins again what it shares with others.
          presence.drop();
          presence.resume();
          for (const { stream: name, id, info } of model.resume(session, it.by))
            presence.join(name, { joinedBy: it.by, id, info, byServer: false });
        }
        expect(heard).toEqual(model.events);
        for (const name of STREAMS)
          expect(new Set(hub.records(name).map(stringOf))).toEqual(
            new Set(model.records(name).map(stringOf)),
          );
      }
      for (const presence of sessions) {
        for (const name of STREAMS) presence.leave(name);
        presence.close();
      }
      const left = STREAMS.map((name) => node.count(name).entries);
      expect(left).toEqual([0, 0]);
      for (const stream of watched) hub.release(stream);
    }),
  );
});

function stringOf(record: PresenceRecord): string {
  return JSON.stringify(record);
}
