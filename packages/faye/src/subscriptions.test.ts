import { expect, test } from "vitest";
import { LIMIT_DEFAULTS } from "./limits.ts";
import type { PresenceStore } from "./presence-store.ts";
import { ERROR } from "./request.ts";
import { Subscriptions } from "./subscriptions.ts";

function setUp(limits = {}) {
  const present = new Map<string, string>();
  const store: PresenceStore = {
    clients: 0,
    channelsOf: () => 0,
    idOf: (channel, clientId) => present.get(`${clientId} ${channel}`),
    add: (channel, clientId, { id }) => void present.set(`${clientId} ${channel}`, id) as undefined,
    remove: () => undefined,
    values: (channel) =>
      [...present].filter(([place]) => place.endsWith(channel)).map(([, id]) => [id, { id }] as const),
    close: () => undefined,
  };
  const clock = { now: 0 };
  const subscriptions = new Subscriptions({
    store,
    limits: { ...LIMIT_DEFAULTS, ...limits },
    notice: () => undefined,
    now: () => clock.now,
  });
  const ask = (clientId: string, channel: string, id: string) =>
    subscriptions.request({ clientId, ext: { presence: { id } } }, [channel]);
  return { subscriptions, present, clock, ask };
}

test("nothing is recorded before Faye has subscribed, and nothing stays of what it refuses", () => {
  const { subscriptions, present, ask } = setUp();
  expect(ask("c", "/presence/x", "alice")).toBeUndefined();
  expect(present.size).toBe(0);
  const reply = { clientId: "c", error: "401:c:Unknown client" };
  expect(subscriptions.confirm(reply, ["/presence/x"])).toBeUndefined();
  expect(reply).toEqual({ clientId: "c", error: "401:c:Unknown client" });
  // An event that belongs to nothing is nothing.
  subscriptions.subscribed("c", "/presence/x");
  expect(present.size).toBe(0);
  expect(subscriptions.pending).toBe(0);
});

test("the event may come before the reply, after it, or not at all", () => {
  for (const order of ["before", "after", "never"]) {
    const { subscriptions, present, ask } = setUp();
    ask("c", "/presence/x", "alice");
    if (order === "before") subscriptions.subscribed("c", "/presence/x");
    const reply = { clientId: "c", ext: { other: 1 } };
    subscriptions.confirm(reply, ["/presence/x"]);
    if (order === "after") subscriptions.subscribed("c", "/presence/x");
    expect(reply.ext).toEqual({ other: 1, presence: { subscribe: { alice: { id: "alice" } } } });
    expect([...present.values()]).toEqual(["alice"]);
    expect(subscriptions.pending).toBe(0);
  }
});

test("requests that Faye never answers stay bounded, and give way in the end", () => {
  const { subscriptions, clock, ask } = setUp({ pendingMax: 3 });
  for (const client of ["1", "2", "3"]) expect(ask(client, "/presence/x", "alice")).toBeUndefined();
  expect(ask("4", "/presence/x", "alice")).toBe(ERROR.notStored);
  clock.now = 60_000;
  expect(ask("4", "/presence/x", "alice")).toBeUndefined();
  expect(subscriptions.pending).toBe(3);
});
