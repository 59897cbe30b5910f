import { expect, test } from "vitest";
import type { FayeMessage } from "./faye.ts";
import { LIMIT_DEFAULTS } from "./limits.ts";
import type { PresenceStore } from "./presence-store.ts";
import { ERROR } from "./request.ts";
import { Subscriptions } from "./subscriptions.ts";
import { ToldBefore } from "./told-before.ts";

function setUp(limits = {}) {
  const present = new Map<string, string>();
  const world = { changes: 0 };
  const store: PresenceStore = {
    clients: 0,
    get changes() {
      return world.changes;
    },
    channelsOf: () => 0,
    idOf: (channel, clientId) => present.get(`${clientId} ${channel}`),
    add: (channel, clientId, { id }) => void present.set(`${clientId} ${channel}`, id) as undefined,
    remove: () => undefined,
    sendAway: () => undefined,
    values: (channel) =>
      [...present].filter(([place]) => place.endsWith(channel)).map(([, id]) => [id, { id }] as const),
    close: () => undefined,
  };
  const clock = { now: 0 };
  const subscriptions = new Subscriptions({
    store,
    toldBefore: new ToldBefore(),
    limits: { ...LIMIT_DEFAULTS, ...limits },
    notice: () => undefined,
    eventsComeLate: true,
    now: () => clock.now,
  });
  const ask = (clientId: string, channel: string, id: string) =>
    subscriptions.request({ clientId, ext: { presence: { id } } }, [channel]);
  return { subscriptions, present, world, clock, ask };
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

test("of several requests at a time each has its own reply, also if the subscription ended in between", () => {
  const { subscriptions, present } = setUp();
  for (const [number, id] of ["alice", "bob"].entries())
    subscriptions.request({ clientId: "c", id: number, ext: { presence: { id } } }, ["/presence/x"]);
  const reply = (id: number) => {
    const confirmed: FayeMessage = { clientId: "c", id };
    subscriptions.confirm(confirmed, ["/presence/x"]);
    return listIn(confirmed);
  };
  expect(reply(0)).toEqual({ alice: { id: "alice" } });
  // An engine that answers late: the event of the first subscription, and the end of it, come before the second is made.
  subscriptions.subscribed("c", "/presence/x");
  present.clear();
  subscriptions.unsubscribed("c", "/presence/x");
  expect(reply(1)).toEqual({ bob: { id: "bob" } });
  expect(subscriptions.pending).toBe(0);
});

test("whoever comes back at once is present, also if the end of the first subscription is told after the second reply", () => {
  const { subscriptions, present, ask } = setUp();
  ask("c", "/presence/x", "alice");
  subscriptions.confirm({ clientId: "c" }, ["/presence/x"]);
  subscriptions.subscribed("c", "/presence/x");
  ask("c", "/presence/x", "alice");
  subscriptions.confirm({ clientId: "c" }, ["/presence/x"]);
  present.clear();
  subscriptions.unsubscribed("c", "/presence/x");
  subscriptions.subscribed("c", "/presence/x");
  expect([...present.values()]).toEqual(["alice"]);
});

test("requests that Faye never answers stay bounded, and give way in the end", () => {
  const { subscriptions, clock, ask } = setUp({ pendingMax: 3 });
  for (const client of ["1", "2", "3"]) expect(ask(client, "/presence/x", "alice")).toBeUndefined();
  expect(ask("4", "/presence/x", "alice")).toBe(ERROR.notStored);
  clock.now = 60_000;
  expect(ask("4", "/presence/x", "alice")).toBeUndefined();
  expect(subscriptions.pending).toBe(3);
});

/** What a client reads of a reply. */
function listIn(reply: FayeMessage): unknown {
  return JSON.parse(JSON.stringify(reply)).ext.presence.subscribe;
}

test("a list is made when the reply is written, after what it waits for", async () => {
  const { subscriptions, present, world, ask } = setUp();
  ask("c", "/presence/x", "alice");
  const reply: FayeMessage = { clientId: "c" };
  let effective = () => {};
  const waits = new Promise<void>((resolve) => {
    effective = resolve;
  });
  const confirmed = subscriptions.confirm(reply, ["/presence/x"], waits);
  // Told while the reply waits for the other nodes.
  present.set("d /presence/x", "bob");
  effective();
  await confirmed;
  expect(listIn(reply)).toEqual({ alice: { id: "alice" }, bob: { id: "bob" } });
  // Told while the reply waits for others of the same request, or for an extension.
  present.delete("d /presence/x");
  present.set("e /presence/x", "carol");
  world.changes += 1;
  expect(listIn(reply)).toEqual({ alice: { id: "alice" }, carol: { id: "carol" } });
});

test("an extension may change a list, or put another in its place", () => {
  const { subscriptions, ask } = setUp();
  const confirmed = (clientId: string) => {
    ask(clientId, "/presence/x", "alice");
    const reply: FayeMessage = { clientId };
    subscriptions.confirm(reply, ["/presence/x"]);
    const { presence } = reply.ext as { presence: { subscribe: Record<string, unknown> } };
    return { reply, presence };
  };
  const changed = confirmed("c");
  delete changed.presence.subscribe.alice;
  expect(listIn(changed.reply)).toEqual({});
  const replaced = confirmed("d");
  replaced.presence.subscribe = { nobody: 1 };
  expect(listIn(replaced.reply)).toEqual({ nobody: 1 });
});
