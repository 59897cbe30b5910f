/** A flood at one node's mesh port, while people come and go: the members do not notice, and what was refused is counted. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { floodWithBytes, floodWithMessages, type Impostor, startImpostor } from "../fixtures/flood.ts";
import { residentMiB } from "../fixtures/loaded-node.ts";
import { eventually } from "../helpers/eventually.ts";
import { send, type TestStream } from "../helpers/http.ts";
import { ProcessCluster, seen } from "../helpers/process-cluster.ts";

const T = "room:lobby";
const SECRET = "the secret of the members";
const GROWTH_MIB_MAX = 150;

interface LinkSeen {
  readonly node: string;
  readonly replica: string;
  readonly openForMs: number;
}

describe("strangers at the mesh port", () => {
  const folder = mkdtempSync(join(tmpdir(), "presently-flood-"));
  const impostors: Impostor[] = [];
  let cluster: ProcessCluster;
  let watchers: TestStream[];
  let url: string;
  let port: number;
  beforeAll(async () => {
    const secretFile = join(folder, "secret");
    writeFileSync(secretFile, `${SECRET}\n`);
    cluster = await ProcessCluster.start(3, { words: ["--secret-file", secretFile] });
    for (const name of cluster.names) await cluster.track(name, T, name);
    await cluster.shows(T, cluster.names);
    watchers = await Promise.all(cluster.names.map((name) => cluster.watch(name, T)));
    port = cluster.node("n1").meshPort;
    url = `ws://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    await Promise.all(impostors.map((impostor) => impostor.close()));
    await cluster.close();
    rmSync(folder, { recursive: true });
  });

  const clusterAt = async (name: string) => (await send(cluster.node(name).url, "/api/cluster")).body;
  const linksAt = async (name: string): Promise<LinkSeen[]> =>
    [...(await clusterAt(name)).links].sort((one: LinkSeen, other: LinkSeen) =>
      one.node < other.node ? -1 : 1,
    );
  const refusedAtFirst = async (): Promise<Record<string, number>> => (await clusterAt("n1")).refused;

  /** Runs a flood while people come and go on all nodes, and looks whether the members noticed. */
  async function unnoticed(flood: () => Promise<unknown>): Promise<void> {
    const linksBefore = await linksAt("n1");
    const mark = watchers.map(({ events }) => events.length);
    let over = false;
    const flooding = flood().finally(() => {
      over = true;
    });
    let visits = 0;
    do {
      const name = cluster.names[visits++ % cluster.names.length]!;
      await cluster.track(name, T, "visitor");
      await cluster.shows(T, [...cluster.names, "visitor"]);
      cluster.untrack(name, T, "visitor");
      await cluster.shows(T, cluster.names);
    } while (!over);
    await flooding;
    const expected = Array.from({ length: visits }, () => ["+visitor", "-visitor left"]).flat();
    await eventually(() => {
      for (const [index, watcher] of watchers.entries())
        expect(seen({ ...watcher, events: watcher.events.slice(mark[index]! - 1) })).toEqual(expected);
    });
    const linksAfter = await linksAt("n1");
    expect(linksAfter.map(({ replica }) => replica)).toEqual(linksBefore.map(({ replica }) => replica));
    // The same links as before: none was lost and opened anew.
    for (const [index, { openForMs }] of linksAfter.entries())
      expect(openForMs).toBeGreaterThanOrEqual(linksBefore[index]!.openForMs);
    for (const name of cluster.names)
      for (const { node, status } of (await clusterAt(name)).replicas)
        if (cluster.names.includes(node))
          expect([name, node, status]).toEqual([name, node, node === name ? "self" : "up"]);
  }

  test("send garbage over TCP and over WebSockets, and are refused as malformed", async () => {
    const before = residentMiB(cluster.node("n1").pid);
    const huge = randomBytes(512 * 1024);
    await unnoticed(async () => {
      await floodWithBytes(port, 200, 4_096);
      await floodWithMessages(url, 50, [randomBytes(64)]);
      await floodWithMessages(url, 50, ["hello"]);
      await floodWithMessages(url, 20, [huge]);
    });
    const refused = await refusedAtFirst();
    const after = residentMiB(cluster.node("n1").pid);
    console.log(`garbage: refused ${JSON.stringify(refused)}; ${before} MiB before, ${after} MiB after`);
    expect(refused.MALFORMED).toBeGreaterThanOrEqual(200);
    expect(refused.TOO_LARGE).toBeGreaterThanOrEqual(1);
    expect(after - before).toBeLessThan(GROWTH_MIB_MAX);
  });

  test("hold connections open and prove nothing, and make room again when their time is over", async () => {
    await unnoticed(() => floodWithMessages(url, 300, []));
    const refused = await refusedAtFirst();
    console.log(`300 silent connections at once: refused ${JSON.stringify(refused)}`);
    expect(refused.BUSY).toBeGreaterThanOrEqual(1);
    expect(refused.TIMEOUT).toBeGreaterThanOrEqual(1);
  });

  test("do not know the secret, and never become members", async () => {
    const impostor = await startImpostor({ name: "stranger", url, secret: "a guess" });
    impostors.push(impostor);
    await unnoticed(() =>
      eventually(async () => expect((await refusedAtFirst()).SECRET).toBeGreaterThanOrEqual(5)),
    );
    expect([impostor.linked, impostor.received]).toEqual([false, 0]);
    await impostor.close();
    for (const name of cluster.names) {
      const nodes = (await clusterAt(name)).replicas.map(({ node }: { node: string }) => node);
      expect(nodes.sort()).toEqual(cluster.names);
    }
  });

  test("know the secret and send frames that are huge or broken, and cost nobody but themselves a link", async () => {
    const before = await refusedAtFirst();
    const broken = Uint8Array.from([1, 17, ...randomBytes(100)]);
    const huge = new Uint8Array(2 * 1024 * 1024);
    huge.set([1, 16]);
    const started = await Promise.all([
      startImpostor({ name: "huge", url, secret: SECRET, frame: huge }),
      startImpostor({ name: "broken", url, secret: SECRET, frame: broken }),
    ]);
    impostors.push(...started);
    const counted = async () => {
      const refused = await refusedAtFirst();
      expect(refused.TOO_LARGE).toBeGreaterThanOrEqual((before.TOO_LARGE ?? 0) + 2);
      expect(refused.BAD_FRAME).toBeGreaterThanOrEqual((before.BAD_FRAME ?? 0) + 2);
    };
    const flood = async () => {
      await eventually(counted);
      await Promise.all(started.map((impostor) => impostor.close()));
    };
    await unnoticed(flood);
    console.log(`with the secret: refused ${JSON.stringify(await refusedAtFirst())}`);
    // Whoever has the secret is a member: an operator makes the nodes forget it.
    for (const name of cluster.names)
      for (const { replica } of started)
        await send(cluster.node(name).url, `/api/cluster/replicas/${replica}`, { method: "DELETE" });
    await cluster.whole();
  });
});
