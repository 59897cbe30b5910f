/** Connections that break for a moment. */
import { createNode, type PresentlyNode, type TopicDiff } from "presently";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { Switchboard } from "../test/wire-client.ts";
import type { Channel } from "./channel.ts";
import type { PresenceDefinition } from "./channel-definition.ts";

const topic = "room:1";
const forever = 2_000_000;
let node: PresentlyNode;
let diffs: TopicDiff[];
beforeEach(async () => {
  node = await createNode({ name: "a" });
  diffs = [];
  node.watch(topic, (change) => {
    if (change.type === "diff") diffs.push(change);
  });
});
afterEach(() => node.stop());

function serve(presence: PresenceDefinition) {
  return new Switchboard(node, () => ({ presence: { key: () => "alice", ...presence } }));
}

test("by default a broken connection is a leave", () => {
  const client = serve({}).connect();
  client.join(topic);
  client.connection.lost();
  expect(diffs.map(({ joins, leaves }) => [joins.length, leaves.length])).toEqual([
    [1, 0],
    [0, 1],
  ]);
});

test("who comes back in time was never away", () => {
  const board = serve({ lingerMs: forever });
  for (let times = 0; times < 3; times++) {
    const client = board.connect();
    client.join(topic);
    client.connection.lost();
  }
  expect(diffs).toHaveLength(1);
  expect(node.count(topic)).toEqual({ keys: 1, entries: 1 });
  board.lingering.close();
  expect(node.count(topic)).toEqual({ keys: 0, entries: 0 });
});

test("who comes back with another meta is an update, with the same one it is none", () => {
  let tab = 1;
  const board = serve({ lingerMs: forever, meta: () => ({ tab }) });
  for (const next of [1, 2, 2]) {
    tab = next;
    const client = board.connect();
    client.join(topic);
    client.connection.lost();
  }
  expect(diffs.map(({ joins, leaves, updates }) => [joins.length, leaves.length, updates.length])).toEqual([
    [1, 0, 0],
    [0, 0, 1],
  ]);
  board.lingering.close();
});

test("whoever was taken over leaves with its new connection", () => {
  const board = serve({ lingerMs: forever });
  const first = board.connect();
  first.join(topic);
  first.connection.lost();
  const second = board.connect();
  second.join(topic);
  second.send("1", "2", topic, "phx_leave");
  expect(node.list(topic)).toEqual([]);
  board.lingering.close();
});

test("two connections of one key that break are two that may come back", () => {
  const board = serve({ lingerMs: forever });
  const clients = [board.connect(), board.connect()];
  for (const client of clients) client.join(topic);
  for (const client of clients) client.connection.lost();
  expect(node.count(topic).entries).toBe(2);
  const again = [board.connect(), board.connect(), board.connect()];
  for (const client of again) client.join(topic);
  expect(node.count(topic).entries).toBe(3);
  board.lingering.close();
  expect(node.count(topic).entries).toBe(3);
  for (const client of again) client.send("1", "2", topic, "phx_leave");
  expect(node.count(topic).entries).toBe(0);
});

test("leaving, and being disconnected, is a leave at once", () => {
  const board = serve({ lingerMs: forever });
  const [leaver, kicked] = [board.connect(), board.connect({ socketId: "user:1" })];
  leaver.join(topic);
  leaver.send("1", "2", topic, "phx_leave");
  kicked.join(topic);
  board.exchange.broadcast("user:1", "disconnect", {});
  expect(node.list(topic)).toEqual([]);
});

describe("a hand-off", () => {
  const handoffMs = 60_000;

  test("gives what broke, and what is sent away, to whoever tracks the same at any node", () => {
    const board = serve({ lingerMs: forever });
    const [broken, drained] = [board.connect(), board.connect()];
    broken.join(topic);
    drained.join(topic);
    broken.connection.lost();
    drained.connection.drain();
    board.lingering.handOff(handoffMs);
    diffs = [];
    // Another server of the cluster would do the same.
    for (const _ of [1, 2]) node.session().track(topic, "alice");
    expect(diffs.map(({ joins, leaves, updates }) => [joins.length, leaves.length, updates.length])).toEqual([
      [0, 0, 1],
      [0, 0, 1],
    ]);
    expect(node.count(topic).entries).toBe(2);
    board.lingering.close();
    expect(node.count(topic).entries).toBe(2);
  });

  test("takes nothing from an owner who came back and is still here", () => {
    const channels: Channel[] = [];
    const board = new Switchboard(node, () => ({
      presence: { lingerMs: forever },
      join: (_, channel) => void channels.push(channel),
    }));
    const [client, again] = [board.connect(), board.connect()];
    client.join(topic);
    for (const key of ["alice", "bob"]) channels[0]!.track(key);
    client.connection.lost();
    again.join(topic);
    channels[1]!.track("alice");
    board.lingering.handOff(handoffMs);
    channels[1]!.update("alice", { still: "here" });
    expect(node.get(topic, "alice")[0]!.meta).toEqual({ still: "here" });
    again.connection.drain();
    board.lingering.handOff(handoffMs);
    diffs = [];
    const session = node.session();
    for (const key of ["alice", "bob"]) session.track(topic, key);
    expect(diffs.map(({ joins, updates }) => [joins.length, updates.length])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});

test("who does not come back is gone when the time is over", async () => {
  const board = serve({ lingerMs: 20 });
  const client = board.connect();
  client.join(topic);
  client.connection.lost();
  expect(node.count(topic).entries).toBe(1);
  await eventually(() => expect(node.count(topic).entries).toBe(0));
});

test("what another node removed meanwhile does not come back", () => {
  const board = serve({ lingerMs: forever });
  const client = board.connect();
  client.join(topic);
  client.connection.lost();
  node.remove(topic, "alice");
  const again = board.connect();
  again.join(topic);
  expect(node.count(topic).entries).toBe(1);
  board.lingering.close();
  expect(node.count(topic).entries).toBe(1);
});
