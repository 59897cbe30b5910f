import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { createNode, type PresentlyNode, type TopicChange } from "../index.ts";
import { type Roster, rosterOf } from "./named-roster.ts";
import { RosterNames } from "./roster-names.ts";

/** Rooms are called `/presence/…` here and `room:…` in the cluster; ids are numbers here and `user:…` there. */
const names = new RosterNames({
  topics: { prefix: "/presence/", inCluster: "room:" },
  ids: {
    toKey: (id) => (/^\d+$/.test(id) ? `user:${id}` : undefined),
    fromKey: (key) => key.match(/^user:(\d+)$/)?.[1],
  },
});

let node: PresentlyNode;
let roster: Roster;
beforeAll(async () => {
  node = await createNode({ name: "a", logLevel: "silent" });
  roster = rosterOf(node, names);
});
afterAll(() => node.stop());

const idsOf = (change: TopicChange) =>
  change.type === "state"
    ? change.presences.map(({ key }) => key)
    : [
        ...change.joins.map(({ key }) => `+${key}`),
        ...change.updates.map(({ before, after }) => `${before.key}=${after.key}`),
        ...change.leaves.map(({ presence }) => `-${presence.key}`).sort(),
      ];

test("without a mapping it is the node itself", () => {
  expect(rosterOf(node, new RosterNames())).toBe(node);
});

test("a session tracks, updates, finds and untracks by its own names what the cluster knows by others", () => {
  const session = roster.session();
  const ref = session.track("/presence/1", "7", { device: "phone" });
  expect(node.list("room:1")).toMatchObject([
    { topic: "room:1", key: "user:7", meta: { device: "phone" }, ref },
  ]);
  expect(roster.list("/presence/1")).toMatchObject([{ topic: "/presence/1", key: "7", ref, node: "a" }]);
  const next = session.update("/presence/1", "7", ({ device }) => ({ device, away: true }));
  const expected = {
    topic: "/presence/1",
    key: "7",
    meta: { device: "phone", away: true },
    ref: next,
    previousRef: ref,
  };
  expect(session.get("/presence/1", "7")).toMatchObject(expected);
  expect(roster.get("/presence/1", "7")).toMatchObject([expected]);
  expect([session.size, session.closed]).toEqual([1, false]);
  expect(session.untrack("/presence/1", "7")).toBe(true);
  expect(node.count("room:1").keys).toBe(0);
  session.close();
  expect(session.closed).toBe(true);
});

test("a watcher is told by its own names, without holes in the numbers, and of nobody who has no id", () => {
  const others = node.session();
  others.track("room:2", "guest");
  others.track("room:2", "user:1", { n: 1 });
  const changes: TopicChange[] = [];
  const end = roster.watch("/presence/2", (change) => changes.push(change));
  others.track("room:2", "user:2");
  others.track("room:2", "visitor");
  others.track("room:2", "user:1", { n: 2 });
  others.track("room:2", "guest", { n: 2 });
  others.close();
  end();
  expect(changes.map(idsOf)).toEqual([["1"], ["+2"], [], ["1=1"], [], ["-1", "-2"]]);
  expect(changes.map(({ topic }) => topic)).toEqual(changes.map(() => "/presence/2"));
  const [first] = changes;
  expect(changes.map(({ number }) => number - first!.number)).toEqual([0, 1, 2, 3, 4, 5]);
});

test("a room or an id that stands for nothing is empty, and refused to whoever wants to be there", () => {
  const session = roster.session();
  const seen: TopicChange[] = [];
  // What the cluster calls so is the room /presence/3 here.
  roster.watch("room:3", (change) => seen.push(change))();
  expect(seen).toEqual([{ type: "state", topic: "room:3", number: 0, presences: [] }]);
  expect(roster.list("room:3")).toEqual([]);
  expect(() => session.track("room:3", "7")).toThrow(
    expect.objectContaining({ code: "NAME_NOT_MAPPED", option: "roster.topics" }),
  );
  expect(() => session.track("/presence/3", "bob")).toThrow(
    expect.objectContaining({ code: "NAME_NOT_MAPPED", option: "roster.ids" }),
  );
  expect(session.untrack("/presence/3", "bob")).toBe(false);
  expect(session.get("/presence/3", "bob")).toBeUndefined();
  expect(roster.get("room:3", "7")).toEqual([]);
  session.close();
});

test("who is removed at another node is told of by its own names", async () => {
  const mesh = (...peers: string[]) => ({
    secret: "a secret of this test",
    logLevel: "silent" as const,
    mesh: { port: 0, peers },
  });
  const one = await createNode({ name: "one", ...mesh() });
  const other = await createNode({ name: "other", ...mesh(one.meshUrl!) });
  await other.whenReady();
  const session = rosterOf(one, names).session();
  const removed: string[] = [];
  session.onRemoved(({ topic, key }) => removed.push(`${key} of ${topic}`));
  session.track("/presence/4", "7");
  await eventually(() => expect(other.remove("room:4", "user:7")).toBe(1));
  await eventually(() => expect(removed).toEqual(["7 of /presence/4"]));
  await other.stop();
  await one.stop();
});

test("people are told by the protocol's names, and those who have none are left out", () => {
  const told: unknown[] = [];
  const mine = roster.session();
  mine.track("/presence/9", "7", { n: 1 });
  const people = roster.watchPeople("/presence/9", {}, (change) => {
    expect(change.topic).toBe("/presence/9");
    if (change.type === "state") told.push(...change.people.map(({ key }) => `here ${key}`));
    else
      for (const event of change.events)
        told.push(
          event.type === "join"
            ? `+${event.key} ${event.presences[0]?.key}`
            : event.type === "leave"
              ? `-${event.presence.key}`
              : `=${event.key} ${event.updates[0]?.after.key}`,
        );
  });
  const other = node.session();
  other.track("room:9", "nobody");
  mine.track("/presence/9", "8");
  mine.update("/presence/9", "7", { n: 2 });
  expect([people.size, people.get("7")?.presences[0]?.meta, people.get("x")]).toEqual([
    2,
    { n: 2 },
    undefined,
  ]);
  expect(people.list().map(({ key }) => key)).toEqual(["7", "8"]);
  mine.untrack("/presence/9", "7");
  people.end();
  mine.close();
  other.close();
  expect(told).toEqual(["here 7", "+8 8", "=7 7", "-7"]);
  expect(roster.watchPeople("room:x", {}, () => undefined).size).toBe(0);
});
