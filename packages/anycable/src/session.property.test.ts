/** Whatever a client says, its session answers each subscription once, holds one presence a stream, and ends clean. */
import fc from "fast-check";
import { createNode, type PresentlyNode } from "presently";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestCable } from "../test/sessions.ts";

let node: PresentlyNode;
beforeAll(async () => {
  node = await createNode({ name: "alone" });
});
afterAll(() => node.stop());

const STREAMS = ["room/1", "__proto__"];
const identifier = fc.oneof(
  fc.constantFrom(...STREAMS).map((name) => JSON.stringify({ channel: "$pubsub", stream_name: name })),
  fc.constantFrom(
    "",
    "{}",
    '{"channel":"toString"}',
    '{"channel":"$pubsub","__proto__":{"stream_name":"x"}}',
  ),
);
const wild = fc.oneof(fc.jsonValue(), fc.string(), fc.constant(undefined));
const command = fc.record(
  {
    command: fc.oneof(
      {
        weight: 8,
        arbitrary: fc.constantFrom("subscribe", "unsubscribe", "join", "leave", "presence", "history"),
      },
      fc.constantFrom("message", "whisper", "ping", "pong", "__proto__", "nothing"),
    ),
    identifier: fc.oneof({ weight: 9, arbitrary: identifier }, wild),
    presence: fc.oneof(
      { weight: 3, arbitrary: fc.record({ id: fc.constantFrom("7", "8", 9, "__proto__"), info: wild }) },
      wild,
    ),
    history: fc.oneof(
      fc.record({ since: fc.nat(), streams: fc.dictionary(fc.constantFrom(...STREAMS), wild) }),
      wild,
    ),
    data: wild,
  },
  { requiredKeys: ["command", "identifier"] },
);
const frame = fc.oneof(
  { weight: 9, arbitrary: command.map((value) => JSON.stringify(value)) },
  fc.string(),
  fc.json(),
);
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ who: fc.nat(2), frame }) },
  fc.record({ who: fc.nat(2), cut: fc.boolean() }),
);

test("every frame is taken or refused, and nothing of it is left in the end", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const cable = new TestCable(node, { presenceTtlMs: 0, limits: { commandsPerSecondMax: 10_000 } });
      const clients = Array.from({ length: 3 }, () => cable.open());
      const asked = clients.map(() => 0);
      for (const it of steps) {
        const client = clients[it.who]!;
        if ("cut" in it) {
          client.session.lost();
          if (it.cut) client.outlet = cable.resume(client.session);
          else {
            client.session.end();
            clients[it.who] = cable.open();
          }
          asked[it.who] = 0;
          continue;
        }
        const before = client.session.size;
        client.session.receive(it.frame);
        const answers = client.outlet.frames.filter(({ type }) =>
          /^(confirm|reject)_subscription$/.test(type),
        );
        client.outlet.frames.length = 0;
        expect(answers.length).toBeLessThanOrEqual(1);
        expect(client.session.size - before).toBe(
          answers[0]?.type === "confirm_subscription" ? 1 : Math.min(0, client.session.size - before),
        );
      }
      for (const stream of STREAMS) expect(node.count(stream).entries).toBeLessThanOrEqual(3);
      for (const { session } of clients) session.end();
      for (const { topic } of node.topics()) expect(node.count(topic).entries).toBe(0);
      // What the client did wrong is told to the operator, and is no failure of ours.
      expect(cable.notices.filter(({ type }) => type !== "refused")).toEqual([]);
      cable.close();
    }),
  );
});
