/** What one says of oneself, against a server that refuses, is slow, and goes away. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { settled } from "../../../test/helpers/client-clock.ts";
import { type Answer, OwnMeta } from "./own-meta.ts";

interface Said {
  readonly n: number;
  /** The server refuses these. */
  readonly bad?: boolean;
}

/** A server, and a connection to it that comes and goes. */
class World {
  server: Said | undefined;
  connected = false;
  /** The update that is on its way. */
  sent: { readonly meta: Said; readonly answered: (answer: Answer) => void } | undefined;
  /** Those that were on their way when the connection broke, or that took too long. */
  readonly stale: ((answer: Answer) => void)[] = [];
  readonly outcomes: (boolean | "refused" | undefined)[] = [];
  readonly own = new OwnMeta<Said>({
    topic: "room",
    initial: { n: -1 },
    canSend: () => this.connected,
    send: (meta, answered) => {
      expect(this.sent).toBeUndefined();
      this.sent = { meta, answered };
    },
    onChanged: () => {},
    onRefused: ({ code }) => expect(code).toBe("UPDATE_REFUSED"),
  });

  change(meta: Said): void {
    const index = this.outcomes.push(undefined) - 1;
    this.own.change(meta).then(
      (confirmed) => {
        this.outcomes[index] = confirmed;
      },
      () => {
        this.outcomes[index] = "refused";
      },
    );
  }

  join(): void {
    if (this.connected) return;
    let meta = this.own.forJoin();
    if (meta.bad) {
      expect(this.own.joinRefused("bad")).toBe(true);
      meta = this.own.forJoin();
    }
    expect(meta.bad).not.toBe(true);
    this.server = meta;
    this.connected = true;
    this.own.joined();
  }

  lose(arrives: boolean): void {
    if (!this.connected) return;
    this.connected = false;
    if (arrives) this.#take();
    if (this.sent !== undefined) this.stale.push(this.sent.answered);
    this.sent = undefined;
    this.own.lost();
  }

  answer(): void {
    const { sent } = this;
    if (sent === undefined) return;
    this.#take();
    this.sent = undefined;
    sent.answered(sent.meta.bad ? { status: "error", reason: "bad" } : { status: "ok" });
  }

  timeOut(arrives: boolean): void {
    const { sent } = this;
    if (sent === undefined) return;
    if (arrives) this.#take();
    this.sent = undefined;
    this.stale.push(sent.answered);
    sent.answered({ status: "timeout" });
  }

  #take(): void {
    if (this.sent !== undefined && !this.sent.meta.bad) this.server = this.sent.meta;
  }
}

const step = fc.oneof(
  fc.record({ type: fc.constant("change" as const), n: fc.nat(3), bad: fc.boolean() }),
  fc.record({ type: fc.constantFrom("answer" as const, "join" as const, "stale" as const) }),
  fc.record({ type: fc.constantFrom("lose" as const, "timeOut" as const), arrives: fc.boolean() }),
);

function perform(world: World, action: typeof step extends fc.Arbitrary<infer S> ? S : never): void {
  if (action.type === "change") world.change({ n: action.n, ...(action.bad && { bad: true }) });
  else if (action.type === "lose") world.lose(action.arrives);
  else if (action.type === "timeOut") world.timeOut(action.arrives);
  else if (action.type === "stale") world.stale.pop()?.({ status: "ok" });
  else world[action.type]();
}

test("in the end the server has what was said last and can be said, and everybody who waited knows", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { size: "max", maxLength: 40 }), async (actions) => {
      const world = new World();
      world.join();
      for (const action of actions) {
        perform(world, action);
        await settled();
      }
      world.join();
      for (let turn = 0; turn < 100 && world.sent !== undefined; turn++) world.answer();
      await settled();
      expect(world.sent).toBeUndefined();
      expect(world.own.latest.bad).not.toBe(true);
      expect(world.server).toEqual(world.own.latest);
      expect(world.outcomes).not.toContain(undefined);
      expect(world.outcomes).not.toContain(false);
    }),
    { numRuns: 300 },
  );
});

test("who waits when the room is left is told so", async () => {
  const world = new World();
  world.join();
  for (const n of [1, 2, 3]) world.change({ n });
  world.own.close();
  await settled();
  expect(world.outcomes).toEqual([false, false, false]);
});

test("many changes are two updates: the first and the last", async () => {
  const world = new World();
  world.join();
  const sent: Said[] = [];
  for (let n = 0; n < 100; n++) world.change({ n });
  while (world.sent !== undefined) {
    sent.push(world.sent.meta);
    world.answer();
  }
  await settled();
  expect(sent).toEqual([{ n: 0 }, { n: 99 }]);
  expect(new Set(world.outcomes)).toEqual(new Set([true]));
});
