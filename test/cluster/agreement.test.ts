import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send, topicPath } from "../helpers/http.ts";
import { ProcessCluster, seen } from "../helpers/process-cluster.ts";

const T = "room:lobby";

describe("three processes over real WebSockets", () => {
  let cluster: ProcessCluster;
  beforeAll(async () => {
    cluster = await ProcessCluster.start(3);
  });
  afterAll(() => cluster.close());

  test("a presence made on one node is shown by all, with the node that holds it", async () => {
    await cluster.track("n1", T, "alice", { device: "phone" });
    await cluster.shows(T, ["alice"]);
    const { body } = await send(cluster.node("n3").url, topicPath(T));
    expect(body.presences.alice.metas).toMatchObject([{ node: "n1", meta: { device: "phone" } }]);
    expect([body.keys, body.entries]).toEqual([1, 1]);
  });

  test("a client is present for as long as its stream is open, and one key in two tabs is one key", async () => {
    const watcher = await cluster.watch("n3", T);
    const first = await cluster.join("n1", T, "bob");
    const second = await cluster.join("n2", T, "bob");
    await cluster.shows(T, ["alice", "bob"]);
    await eventually(() => expect(seen(watcher)).toEqual(["+bob", "+bob"]));
    first.close();
    second.close();
    await cluster.shows(T, ["alice"]);
    await eventually(() => expect(seen(watcher)).toEqual(["+bob", "+bob", "-bob left", "-bob left"]));
    watcher.close();
  });

  test("any node removes a key that another one holds", async () => {
    const target = `${topicPath(T, "alice")}?everywhere=true`;
    expect((await send(cluster.node("n2").url, target, { method: "DELETE" })).status).toBe(204);
    await cluster.shows(T, []);
    expect((await send(cluster.node("n2").url, target, { method: "DELETE" })).status).toBe(404);
  });

  test("a node that stops gracefully takes its people along at once, and exits with 0", async () => {
    await cluster.track("n2", T, "carol");
    await cluster.shows(T, ["carol"]);
    const watcher = await cluster.watch("n1", T);
    expect(await cluster.stop("n2")).toBe(0);
    await eventually(() => expect(seen(watcher)).toEqual(["-carol left"]));
    await cluster.run("n2");
    await cluster.whole();
    expect(seen(watcher)).toEqual(["-carol left"]);
    watcher.close();
  });
});
