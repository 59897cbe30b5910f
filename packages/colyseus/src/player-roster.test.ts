import { createNode } from "presently";
import { afterEach, describe, expect, test } from "vitest";
import { PresentlyPresence } from "./presence.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A presence on a node that tests look into. */
async function start() {
  const node = await createNode({ name: "game", logLevel: "silent" });
  const presence = new PresentlyPresence(node, { roster: { topics: { prefix: "", inCluster: "room:" } } });
  endings.push(
    () => node.stop(),
    () => presence.shutdown(),
  );
  return { node, presence, roster: await presence.roster("lobby") };
}

describe("a roster of players", () => {
  test("has everybody on its topic, one by one, with a meta for each connection", async () => {
    const { node, roster } = await start();
    roster.track("s1", "ann", { team: "red" });
    roster.track("s2", "ann", { team: "blue" });
    node.session().track("room:lobby", "ben", { info: "hello", $at: 1 });
    expect(node.count("room:lobby")).toEqual({ keys: 2, entries: 3 });
    expect(roster.list()).toEqual([
      { id: "ann", metas: [{ team: "red" }, { team: "blue" }] },
      { id: "ben", metas: [{ info: "hello" }] },
    ]);
  });

  test("tells who watches of everybody, and then of each who came, changed or went, as they are now", async () => {
    const { node, roster } = await start();
    roster.track("s1", "ann");
    const told: string[] = [];
    const end = roster.watch(({ id, metas }) => told.push(`${id} ${JSON.stringify(metas)}`));
    roster.track("s1", "ann", { team: "red" });
    const session = node.session();
    session.track("room:lobby", "ben");
    session.close();
    roster.track("s2", "ann");
    roster.untrack("s1");
    roster.untrack("s2");
    end();
    roster.track("s3", "eve");
    expect(told).toEqual([
      "ann [{}]",
      'ann [{"team":"red"}]',
      "ben [{}]",
      "ben []",
      'ann [{"team":"red"},{}]',
      "ann [{}]",
      "ann []",
    ]);
  });

  test("tells who watches of the next player, whatever was thrown at the last one", async () => {
    const errors: unknown[] = [];
    const node = await createNode({ name: "game", logLevel: "silent" });
    const onError = (error: unknown) => {
      errors.push(error);
      throw new Error("onError is broken as well");
    };
    const presence = new PresentlyPresence(node, { onError });
    endings.push(
      () => node.stop(),
      () => presence.shutdown(),
    );
    const roster = await presence.roster("lobby");
    const told: string[] = [];
    const fault = new Error("a bug of the game");
    roster.watch(({ id }) => {
      told.push(id);
      throw fault;
    });
    node.batch(() => {
      for (const id of ["ann", "ben"]) roster.track(id, id);
    });
    expect(told).toEqual(["ann", "ben"]);
    expect(errors).toEqual([fault, fault]);
  });

  test("moves a client that takes another id, and is not changed by a client that was never there", async () => {
    const { roster } = await start();
    roster.track("s1", "guest");
    roster.track("s1", "ann");
    roster.untrack("s2");
    expect(roster.list().map(({ id }) => id)).toEqual(["ann"]);
  });

  test("keeps nothing of a client that could not be tracked", async () => {
    const { node, roster } = await start();
    expect(() => roster.track("s1", "")).toThrow("key");
    expect(() => roster.track("s1", "ann", { deep: 1n as never })).toThrow("meta");
    expect(roster.list()).toEqual([]);
    roster.track("s1", "ann", { $at: 5, team: "red" });
    expect(roster.list()).toEqual([{ id: "ann", metas: [{ $at: 5, team: "red" }] }]);
    expect(node.count("room:lobby").entries).toBe(1);
  });

  test("takes its players with it when it is closed, and when the presence is shut down", async () => {
    const { node, presence, roster } = await start();
    const other = await presence.roster("lobby");
    roster.track("s1", "ann");
    other.track("s2", "ben");
    const told: number[] = [];
    roster.watch(() => told.push(1));
    roster.close();
    expect(node.list("room:lobby").map(({ key }) => key)).toEqual(["ben"]);
    // A handler that waited for something else while its room was disposed of.
    expect(() => roster.track("s3", "ghost")).toThrow(expect.objectContaining({ code: "CLOSED" }));
    await presence.shutdown();
    expect(node.count("room:lobby").keys).toBe(0);
    expect(told).toHaveLength(2);
    await expect(presence.roster("lobby")).rejects.toMatchObject({ code: "CLOSED" });
  });
});

test("a presence that stands alone has rosters, too, and derived ones share them", async () => {
  const presence = new PresentlyPresence();
  endings.push(() => presence.shutdown());
  const one = await presence.roster("lobby");
  const other = await (Object.create(presence) as PresentlyPresence).roster("lobby");
  one.track("s1", "ann");
  expect(other.list()).toEqual([{ id: "ann", metas: [{}] }]);
});
