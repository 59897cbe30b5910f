import { InvalidArgumentError } from "presently";
import { expect, test } from "vitest";
import { Router } from "./router.ts";

test("the first pattern that matches a topic counts", () => {
  const router = new Router<string>();
  router.add("room:lobby", "lobby");
  router.add("room:*", "rooms");
  router.add("room:lobby", "never");
  router.add("*", "rest");
  expect(["room:lobby", "room:1", "room:", "room", "other"].map((topic) => router.find(topic))).toEqual([
    "lobby",
    "rooms",
    "rooms",
    "rest",
    "rest",
  ]);
});

test("a topic may match nothing", () => {
  const router = new Router<string>();
  router.add("room:*", "rooms");
  expect(router.find("lobby")).toBeUndefined();
});

test.each(["", "room:*:more", "*room"])("pattern %j is refused", (pattern) => {
  expect(() => new Router().add(pattern, 1)).toThrow(InvalidArgumentError);
});
