/** What an operator types at a terminal, against a cluster of real processes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { ProcessCluster } from "../helpers/process-cluster.ts";
import { runCommand } from "../helpers/processes.ts";

const T = "room:lobby";

describe("an operator", () => {
  let cluster: ProcessCluster;
  beforeAll(async () => {
    cluster = await ProcessCluster.start(3);
    for (const name of cluster.names) await cluster.track(name, T, name);
    await cluster.shows(T, cluster.names);
  });
  afterAll(() => cluster.close());

  const compare = (one: string, other: string, ...words: readonly string[]) =>
    runCommand(["compare", cluster.node(one).url, cluster.node(other).url, ...words]);
  const evict = (replica: string, at: string) =>
    runCommand(["evict", replica, "--url", cluster.node(at).url]);
  const reportOn = async (at: string, of: string) => {
    const { body } = await send(cluster.node(at).url, "/api/cluster");
    return body.replicas.find(({ node }: { node: string }) => node === of);
  };

  test("is told that two nodes agree, in what they differ, and that they agree again", async () => {
    expect(await compare("n1", "n2")).toMatchObject({ code: 0, stdout: "n1 and n2 agree, on 1 topic\n" });
    // Nobody can tell n2 of what n1 does now.
    cluster.link("n1", "n2").stall("n1");
    cluster.link("n1", "n3").stall("n1");
    await cluster.track("n1", T, "alice");
    const differing = await compare("n1", "n2", "--settle-ms", "0");
    expect(differing.code).toBe(1);
    expect(differing.stdout).toMatch(/^replica n1@\d+: 2 events at n1, 1 at n2$/m);
    expect(differing.stdout).toMatch(/^room:lobby: alice on n1, shown at n1, not at n2$/m);
    expect(differing.stdout).toMatch(/^n1 and n2 differ in 2 things$/m);
    const json = await compare("n1", "n2", "--settle-ms", "0", "--json");
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([1, { agree: false, nodes: ["n1", "n2"] }]);
    for (const other of ["n2", "n3"]) cluster.link("n1", other).restore();
    // Every node may still be catching up: the command itself waits for what is on its way.
    const again = await compare("n1", "n2", "--settle-ms", "20000");
    expect(again).toMatchObject({ code: 0, stdout: "n1 and n2 agree, on 1 topic\n" });
    cluster.untrack("n1", T, "alice");
    await cluster.whole();
  });

  test("is told in one line why two nodes cannot be compared", async () => {
    const same = await compare("n1", "n1");
    expect([same.code, same.stderr]).toEqual([
      2,
      expect.stringMatching(/^presently: both URLs lead to n1@\d+: .*\n$/),
    ]);
  });

  test("makes each node forget one that will not come back", async () => {
    const own = await evict("n1", "n1");
    expect([own.code, own.stderr]).toEqual([
      1,
      expect.stringMatching(/^presently: n1@\d+ is the node that you ask/),
    ]);
    const unknown = await evict("n9", "n1");
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('n1 knows no replica "n9"')]);

    await cluster.kill("n3");
    for (const at of ["n1", "n2"])
      await eventually(async () => expect((await reportOn(at, "n3"))?.status).toBe("down"));
    const { code, stdout } = await evict("n3", "n1");
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^n1 has forgotten n3@\d+, with 1 entry\n$/)]);
    expect(await reportOn("n1", "n3")).toBeUndefined();
    // Each forgets for itself, and what the other still says of it does not bring it back.
    const differing = await compare("n1", "n2", "--settle-ms", "1500");
    expect([differing.code, differing.stdout]).toEqual([
      1,
      expect.stringMatching(/^replica n3@\d+: known at n2, not at n1\nn1 and n2 differ in 1 thing\n$/),
    ]);
    expect((await evict("n3", "n2")).code).toBe(0);
    expect((await compare("n1", "n2")).code).toBe(0);

    // Its next life is welcome, and everybody forgets that at once where that is asked for.
    await cluster.run("n3");
    await cluster.whole();
    await cluster.kill("n3");
    for (const at of ["n1", "n2"])
      await eventually(async () => expect((await reportOn(at, "n3"))?.status).toBe("down"));
    const all = await runCommand(["evict", "n3", "--everywhere", "--url", cluster.node("n1").url]);
    expect([all.code, all.stdout]).toEqual([
      0,
      expect.stringMatching(/^n1, n2 have forgotten n3@\d+, with 0 entries\n$/),
    ]);
    for (const at of ["n1", "n2"]) expect(await reportOn(at, "n3")).toBeUndefined();
    await cluster.run("n3");
    await cluster.whole();
  });

  test("sees each node's link, its lag and how fresh its agreement is", async () => {
    const { code, stdout } = await runCommand(["cluster", "--url", cluster.node("n1").url]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NODE +REPLICA +STATUS +ENTRIES +EVENTS +HEARD +LINK +AGREED +ADDRESS$/m);
    expect(stdout).toMatch(/^n1 +n1@\d+ +self +1 +\d+ +- +- +- +-$/m);
    expect(stdout).toMatch(/^n2 +n2@\d+ +up +1 +1 +\d+ (ms|s) ago +direct +\d+ (ms|s) ago +ws:\/\//m);
  });

  test("finds in the answer for programs what was repaired and refused, and what each link carried", async () => {
    const { body } = await send(cluster.node("n1").url, "/api/cluster");
    expect(body.counters).toMatchObject({ divergences: 0, fullSyncs: expect.any(Number) });
    expect(Object.values(body.refused).every(Number.isInteger)).toBe(true);
    for (const link of body.links) {
      expect(link).toMatchObject({ bufferedBytes: expect.any(Number), framesSent: expect.any(Number) });
      expect(link.bytesSent).toBeGreaterThan(0);
      expect(link.bytesReceived).toBeGreaterThan(0);
    }
  });
});
