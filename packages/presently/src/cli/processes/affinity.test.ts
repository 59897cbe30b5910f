import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { Affinity, networkOf } from "./affinity.ts";

const processes = 4;
const affinity = new Affinity({
  processes,
  phoenix: "/socket",
  faye: "/bayeux",
  addressOf: ({ headers }) => headers.from,
});
const slotOf = (method: string, url: string, from = "10.0.0.1") =>
  affinity.slotOf({ method, url, headers: { from } } as unknown as IncomingMessage);

describe("a request that any process may serve", () => {
  test.each([
    ["GET", "/api/topics/room/presences/alice"],
    ["GET", "/api/topics/room/events?key=alice"],
    ["GET", "/socket/websocket?vsn=2.0.0"],
    ["GET", "/socket/longpolling"],
    ["GET", "/bayeuxx"],
    ["DELETE", "/api/cluster/replicas/n1@1"],
    ["PUT", "/api/topics/room/presences/"],
  ])("is %s %s", (method, url) => {
    expect(slotOf(method, url)).toBeUndefined();
  });
});

describe("a request of several that belong together", () => {
  test.each([
    ["GET", "/socket/longpoll?vsn=2.0.0", "POST", "/socket/longpoll?token=abc"],
    ["POST", "/bayeux", "GET", "/bayeux?message=%5B%5D"],
    [
      "PUT",
      "/api/topics/a%2Fb/presences/alice",
      "DELETE",
      "/api/topics/%61%2fb/presences/alice?everywhere=false",
    ],
    ["PUT", "/api/topics/%ff/presences/alice", "DELETE", "/api/topics/%ff/presences/alice"],
  ])("goes where the others go: %s %s", (method, url, otherMethod, otherUrl) => {
    const slot = slotOf(method, url);
    expect(slot).toBeGreaterThanOrEqual(1);
    expect(slot).toBeLessThanOrEqual(processes);
    expect(slotOf(otherMethod, otherUrl)).toBe(slot);
  });

  test("spreads clients, topics and keys over all processes", () => {
    const all = new Set([1, 2, 3, 4]);
    const clients = Array.from({ length: 100 }, (_, index) => slotOf("POST", "/bayeux", `10.0.0.${index}`));
    expect(new Set(clients)).toEqual(all);
    const keys = Array.from({ length: 100 }, (_, index) => slotOf("PUT", `/api/topics/t/presences/${index}`));
    expect(new Set(keys)).toEqual(all);
  });
});

test.each([
  ["10.1.2.3", "10.1.2.3"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["2001:db8:1:2:aaaa::1", "2001:db8:1:2"],
  ["2001:0db8:1:2:bbbb:cccc:dddd:eeee", "2001:db8:1:2"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["", ""],
])("of the address %j, %j stays the same", (address, network) => {
  expect(networkOf(address)).toBe(network);
});
