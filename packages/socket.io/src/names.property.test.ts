import fc from "fast-check";
import { expect, test } from "vitest";
import { Names, roomText } from "./names.ts";

const text = fc.string({ unit: "binary", maxLength: 300 });
const room = fc.oneof(
  text,
  fc.string({ unit: "binary-ascii" }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

test("topics are valid names, and two rooms share none", () => {
  fc.assert(
    fc.property(text, text, room, room, (key, namespace, one, other) => {
      const names = new Names(key, namespace);
      const topics = [one, other].map((each) => names.roomTopic(roomText(each)!));
      for (const topic of [...topics, names.servers, names.sockets, names.channel]) {
        expect(topic.isWellFormed()).toBe(true);
        expect(Buffer.byteLength(topic)).toBeLessThanOrEqual(255);
      }
      expect(topics[0] === topics[1]).toBe(roomText(one) === roomText(other));
    }),
  );
});

test("a topic says its room, unless it is shortened", () => {
  fc.assert(
    fc.property(room, (each) => {
      const names = new Names("key", "/namespace");
      const topic = names.roomTopic(roomText(each)!);
      if (!names.isShortened(topic)) expect(names.roomOf(topic)).toBe(roomText(each));
    }),
  );
});

test("servers of two keys or namespaces have no name in common", () => {
  fc.assert(
    fc.property(text, text, text, text, (key, namespace, otherKey, otherNamespace) => {
      fc.pre(key !== otherKey || namespace !== otherNamespace);
      const [one, other] = [new Names(key, namespace), new Names(otherKey, otherNamespace)];
      expect(one.channel).not.toBe(other.channel);
      expect(one.roomTopic('"r"')).not.toBe(other.roomTopic('"r"'));
    }),
  );
});

test("a number and its text are two rooms, and what another server cannot name is none", () => {
  expect(roomText(123)).not.toBe(roomText("123"));
  for (const odd of [undefined, null, Number.NaN, {}, Symbol("room")]) expect(roomText(odd)).toBeUndefined();
});
