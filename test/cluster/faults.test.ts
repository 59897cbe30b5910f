import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { ProcessCluster, seen } from "../helpers/process-cluster.ts";

const T = "room:lobby";

/** Short time-outs, so that faults longer than every one of them fit into a test. */
const SHORT = ["--heartbeat-ms", "100", "--down-after-ms", "500", "--evict-after-ms", "2000"];

async function statusOf(cluster: ProcessCluster, at: string, of: string): Promise<string> {
  const { body } = await send(cluster.node(at).url, "/api/cluster");
  const report = body.replicas.find(({ node }: { node: string }) => node === of);
  return report === undefined ? "unknown" : report.status;
}

describe("faults, at default options", () => {
  let cluster: ProcessCluster;
  beforeAll(async () => {
    cluster = await ProcessCluster.start(3);
    for (const name of cluster.names) await cluster.track(name, T, name);
    await cluster.shows(T, ["n1", "n2", "n3"]);
  });
  afterAll(() => cluster.close());

  test("a killed node's people leave as lost, and its next life replaces them", async () => {
    const watcher = await cluster.watch("n1", T);
    await cluster.kill("n3");
    await cluster.shows(T, ["n1", "n2"]);
    expect(seen(watcher)).toEqual(["-n3 lost"]);
    await cluster.run("n3");
    await cluster.track("n3", T, "n3 again");
    await cluster.shows(T, ["n1", "n2", "n3 again"]);
    await cluster.whole();
    cluster.untrack("n3", T, "n3 again");
    await cluster.track("n3", T, "n3");
    await cluster.shows(T, ["n1", "n2", "n3"]);
    watcher.close();
  });

  test("a frozen node's people return with the same references, and it has not declared the others dead", async () => {
    const watcher = await cluster.watch("n1", T);
    const own = await cluster.watch("n2", T);
    cluster.pause("n2");
    await eventually(async () => expect(await statusOf(cluster, "n1", "n2")).toBe("down"));
    await cluster.shows(T, ["n1", "n3"]);
    cluster.resume("n2");
    await cluster.shows(T, ["n1", "n2", "n3"]);
    const [leave, join] = watcher.events.slice(1).map(({ data }) => data);
    expect(leave.leaves[0].ref).toBe(join.joins[0].ref);
    await cluster.whole();
    expect(seen(own)).toEqual([]);
    for (const stream of [watcher, own]) stream.close();
  });
});

describe("partitions longer than every time-out", () => {
  let cluster: ProcessCluster;
  beforeAll(async () => {
    cluster = await ProcessCluster.start(4, { words: SHORT });
    for (const name of cluster.names) await cluster.track(name, T, name);
    await cluster.shows(T, cluster.names);
  });
  afterAll(() => cluster.close());

  test("a cut between two nodes that share a third is invisible", async () => {
    const watchers = await Promise.all(cluster.names.map((name) => cluster.watch(name, T)));
    cluster.link("n1", "n2").cut();
    const cutAt = performance.now();
    await cluster.track("n1", T, "new");
    await cluster.shows(T, [...cluster.names, "new"]);
    cluster.untrack("n1", T, "new");
    await cluster.shows(T, cluster.names);
    // Longer than the time-out after which a silent node is down.
    await eventually(() => expect(performance.now() - cutAt).toBeGreaterThan(1_000));
    expect(await statusOf(cluster, "n1", "n2")).toBe("up");
    for (const watcher of watchers) {
      expect(seen(watcher)).toEqual(["+new", "-new left"]);
      watcher.close();
    }
    cluster.link("n1", "n2").restore();
    await cluster.whole();
  });

  test("two halves go on for themselves, and heal unaided", async () => {
    const pairs = [
      ["n1", "n3"],
      ["n1", "n4"],
      ["n2", "n3"],
      ["n2", "n4"],
    ] as const;
    for (const [one, other] of pairs) cluster.link(one, other).cut();
    await eventually(async () => expect(await statusOf(cluster, "n1", "n3")).toBe("unknown"), {
      what: "n3 is evicted at n1",
    });
    await eventually(async () => expect(await statusOf(cluster, "n4", "n2")).toBe("unknown"), {
      what: "n2 is evicted at n4",
    });
    await cluster.track("n1", T, "left half");
    await cluster.track("n3", T, "right half");
    cluster.untrack("n2", T, "n2");
    for (const [one, other] of pairs) cluster.link(one, other).restore();
    await cluster.shows(T, ["n1", "n3", "n4", "left half", "right half"]);
    await cluster.whole();
    cluster.untrack("n1", T, "left half");
    cluster.untrack("n3", T, "right half");
    await cluster.track("n2", T, "n2");
    await cluster.shows(T, cluster.names);
  });

  test("one-way and silent links are noticed, and heal", async () => {
    cluster.link("n1", "n2").stall("n1");
    cluster.link("n3", "n4").stall();
    await cluster.track("n1", T, "one way");
    await cluster.track("n4", T, "silent");
    await cluster.shows(T, [...cluster.names, "one way", "silent"]);
    cluster.link("n1", "n2").restore();
    cluster.link("n3", "n4").restore();
    cluster.untrack("n1", T, "one way");
    cluster.untrack("n4", T, "silent");
    await cluster.shows(T, cluster.names);
    await cluster.whole();
  });
});
