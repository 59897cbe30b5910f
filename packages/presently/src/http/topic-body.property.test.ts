import type { Presence, ReplicaId } from "@presently/replica";
import fc from "fast-check";
import { expect, test } from "vitest";
import { topicJson } from "./presence-json.ts";
import { ENTRIES_PER_SLICE, TopicBodies } from "./topic-body.ts";

function presencesOf(topic: string, keys: readonly (readonly [string, number])[]): Presence[] {
  return keys.flatMap(([key, count]) =>
    Array.from({ length: count }, (_, index) => ({
      ...{ topic, key, meta: { index, text: "é\u2028" }, ref: `${key} ${index}`, node: "a" },
      replica: "a@1" as ReplicaId,
    })),
  );
}

/** A node with nothing but these. */
const nodeOf = (presencesOn: (topic: string) => readonly Presence[]) => ({
  read: presencesOn,
  count: (topic: string) => {
    const presences = presencesOn(topic);
    return { keys: new Set(presences.map(({ key }) => key)).size, entries: presences.length };
  },
});

const textOf = (parts: readonly Uint8Array[]) => Buffer.concat(parts).toString();

test("a body in slices says what one in a piece does, wherever the slices end", async () => {
  const keys = fc.uniqueArray(
    fc.tuple(fc.string({ minLength: 1 }), fc.constantFrom(1, 2, ENTRIES_PER_SLICE - 1, ENTRIES_PER_SLICE)),
    { selector: ([key]) => key, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(keys, async (held) => {
      const presences = presencesOf("room", [...held, ["__proto__", 2]]);
      const body = textOf(await new TopicBodies(nodeOf(() => presences)).of("room"));
      expect(body).toMatch(/^\{.*\}\n$/s);
      expect(JSON.parse(body)).toEqual(JSON.parse(JSON.stringify(topicJson("room", presences))));
    }),
    { numRuns: 20 },
  );
  expect(textOf(await new TopicBodies(nodeOf(() => [])).of("room"))).toBe(
    `${JSON.stringify(topicJson("room", []))}\n`,
  );
});

test("those who ask while a body is made share the next one, which shows what has changed before they asked", async () => {
  let presences = presencesOf("room", [["ann", 3 * ENTRIES_PER_SLICE]]);
  const lists: number[] = [];
  const node = nodeOf(() => presences);
  const read = () => {
    lists.push(presences.length);
    return presences;
  };
  const bodies = new TopicBodies({ ...node, read });
  const first = bodies.of("room");
  while (lists.length === 0) await new Promise((resolve) => setImmediate(resolve));
  presences = presencesOf("room", [["ann", 3]]);
  const others = await Promise.all(Array.from({ length: 9 }, () => bodies.of("room")));
  expect(JSON.parse(textOf(await first))).toMatchObject({ entries: 3 * ENTRIES_PER_SLICE });
  for (const body of others) expect(JSON.parse(textOf(body))).toMatchObject({ keys: 1, entries: 3 });
  expect(lists).toEqual([3 * ENTRIES_PER_SLICE, 3]);
});

test("a topic that cannot be read fails those who asked for it, and no others", async () => {
  const node = nodeOf((topic) => {
    if (topic === "bad") throw new Error("no such topic");
    return [];
  });
  const bodies = new TopicBodies(node);
  const bad = expect(bodies.of("bad")).rejects.toThrow("no such topic");
  expect(JSON.parse(textOf(await bodies.of("good")))).toMatchObject({ topic: "good", entries: 0 });
  await bad;
});
