/** What a peer or a client can make grow has a bound: peers that do not read, floods, and callers who want too much. */
import { LinkProxy } from "presently/demo";
import { afterEach, describe, expect, test } from "vitest";
import { entriesAt, type LoadedNode, residentMiB, startLoadedNode } from "../fixtures/loaded-node.ts";
import { eventually } from "../helpers/eventually.ts";
import { openEvents, send, topicPath } from "../helpers/http.ts";
import { startNode } from "../helpers/processes.ts";

const ENTRIES = 5_000;
const CHANGES = 100_000;
const PAD_BYTES = 2_000;
const BUFFERED_BYTES_MAX = 1_048_576;
/** What is held for a link at the very most: four times its bound, and the frame that went beyond. */
const BUFFERED_BYTES_MOST = 5 * BUFFERED_BYTES_MAX;
/** What the changes would take if they all waited for the peer; besides, there are a log of 20 MB and garbage. */
const GROWTH_MIB_MAX = (CHANGES * PAD_BYTES) / 1_048_576;
const PATIENT = { timeoutMs: 100_000 };

const toClose: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) await close();
});

async function start(name: string, peers: readonly string[]): Promise<LoadedNode> {
  const node = await startLoadedNode({ name, mesh: { peers, maxBufferedBytes: BUFFERED_BYTES_MAX } });
  toClose.push(() => node.kill());
  return node;
}

const clusterAt = async ({ url }: LoadedNode) => (await send(url, "/api/cluster")).body;

/** Waits until `node` holds all that `origin` has done so far. */
async function caughtUp(node: LoadedNode, origin: LoadedNode): Promise<void> {
  await eventually(async () => {
    const [own, seen] = [(await clusterAt(origin)).replicas[0], await clusterAt(node)];
    const copy = seen.replicas.find(({ replica }: { replica: string }) => replica === own.replica);
    expect([copy?.events, copy?.entries]).toEqual([own.events, own.entries]);
    expect(await entriesAt(node.url)).toBe(ENTRIES);
  }, PATIENT);
}

/** The most that any link of these nodes held, and that each node used, while `work` ran. */
async function watching(nodes: readonly LoadedNode[], work: () => Promise<unknown>) {
  const before = nodes.map(({ pid }) => residentMiB(pid));
  const peaks = [...before];
  let bufferedBytes = 0;
  const look = async () => {
    for (const [index, node] of nodes.entries()) {
      peaks[index] = Math.max(peaks[index]!, residentMiB(node.pid));
      for (const link of (await clusterAt(node)).links)
        bufferedBytes = Math.max(bufferedBytes, link.bufferedBytes);
    }
  };
  let over = false;
  const worked = work().finally(() => {
    over = true;
  });
  while (!over) await look();
  await worked;
  await look();
  return { before, peaks, bufferedBytes, growth: peaks.map((peak, index) => peak - before[index]!) };
}

describe(`${CHANGES} changes beside a peer that reads nothing`, () => {
  test("cost the others a bounded amount of memory, and the frozen peer catches up by pulling", async () => {
    const busy = await start("busy", []);
    const steady = await start("steady", [busy.meshUrl]);
    const slow = await start("slow", [busy.meshUrl, steady.meshUrl]);
    await busy.track(ENTRIES, PAD_BYTES);
    for (const node of [steady, slow]) await caughtUp(node, busy);
    // So that memory is compared with that of a process that has worked already.
    await busy.change(ENTRIES, PAD_BYTES);
    for (const node of [steady, slow]) await caughtUp(node, busy);

    const pullsBefore = (await clusterAt(slow)).counters.pullsSent;
    slow.pause();
    const seen = await watching([busy, steady], () => busy.change(CHANGES, PAD_BYTES));
    await caughtUp(steady, busy);
    const { counters, refused } = await clusterAt(busy);
    slow.resume();
    await caughtUp(slow, busy);
    const { pullsSent, fullSyncs } = (await clusterAt(slow)).counters;
    const growth = ["busy", "steady"].map(
      (name, index) => `${name} ${seen.before[index]} MiB before, ${seen.peaks[index]} MiB at most`,
    );
    console.log(
      `${CHANGES} changes of ${PAD_BYTES} bytes with a frozen peer: ${growth.join("; ")}; at most ` +
        `${Math.round(seen.bufferedBytes / 1024)} KiB buffered for a link; ${counters.pushesSkipped} pushes left out, ` +
        `refused ${JSON.stringify(refused)}; it caught up with ${pullsSent - pullsBefore} pulls, ${fullSyncs} full syncs so far`,
    );
    expect(seen.bufferedBytes).toBeLessThan(BUFFERED_BYTES_MOST);
    for (const mebibytes of seen.growth) expect(mebibytes).toBeLessThan(GROWTH_MIB_MAX);
    expect(counters.pushesSkipped).toBeGreaterThan(0);
    expect(pullsSent).toBeGreaterThan(pullsBefore);
  });

  test("reach it through a third node while only its link with the busy one stands still", async () => {
    const busy = await start("busy", []);
    const steady = await start("steady", [busy.meshUrl]);
    const link = await LinkProxy.listen({ targetPort: Number(new URL(busy.meshUrl).port) });
    toClose.push(() => link.close());
    const slow = await start("slow", [`ws://127.0.0.1:${link.port}`, steady.meshUrl]);
    await busy.track(ENTRIES);
    for (const node of [steady, slow]) await caughtUp(node, busy);

    link.stall();
    const seen = await watching([busy, steady, slow], () => busy.change(CHANGES, PAD_BYTES));
    for (const node of [steady, slow]) await caughtUp(node, busy);
    expect(seen.bufferedBytes).toBeLessThan(BUFFERED_BYTES_MOST);
    // Nobody was taken for dead meanwhile.
    for (const node of [busy, steady, slow]) expect(node.output).not.toMatch(/"type":"replica-down"/);
    link.restore();
    await eventually(async () => {
      const { links } = await clusterAt(busy);
      expect(links.map(({ node }: { node: string }) => node).sort()).toEqual(["slow", "steady"]);
    }, PATIENT);
  });
});

describe("who wants more than there is", () => {
  const caps = [
    ...["--entries-per-session-max", "3"],
    ...["--entries-per-topic-max", "4"],
    ...["--entries-per-node-max", "6"],
  ];

  test("is told the limit of a session, a topic and a node by name, and nothing changes", async () => {
    const node = await startNode(["--name", "n1", "--http", "127.0.0.1:0", ...caps]);
    toClose.push(() => node.kill());
    const put = (topic: string, key: string) => send(node.url, topicPath(topic, key), { method: "PUT" });
    const refusal = (option: string) => ({
      status: 429,
      body: { error: { code: "LIMIT_REACHED", message: expect.stringContaining(option) } },
    });

    for (const key of ["a", "b", "c"]) expect((await put("one", key)).status).toBe(201);
    expect(await put("other", "d")).toMatchObject(refusal("entriesPerSessionMax"));
    // What is there already may still change.
    expect((await put("one", "a")).status).toBe(200);

    const fourth = await openEvents(node.url, "one", { key: "d" });
    expect(await fourth.at(0)).toMatchObject({ data: { entries: 4 } });
    const crowded = `${topicPath("one")}/events?key=e`;
    expect(await send(node.url, crowded)).toMatchObject(refusal("entriesPerTopicMax"));

    const streams = [
      await openEvents(node.url, "other", { key: "e" }),
      await openEvents(node.url, "other", { key: "f" }),
    ];
    await streams[1]!.at(0);
    expect(await send(node.url, `${topicPath("other")}/events?key=g`)).toMatchObject(
      refusal("entriesPerNodeMax"),
    );
    const { body } = await send(node.url, "/api/topics");
    expect(body.topics).toEqual([
      { topic: "one", keys: 4, entries: 4 },
      { topic: "other", keys: 2, entries: 2 },
    ]);
    // Whoever goes makes room.
    streams[0]!.close();
    await eventually(async () => {
      const { body } = await send(node.url, topicPath("other"));
      expect(Object.keys(body.presences)).toEqual(["f"]);
    });
    const next = await openEvents(node.url, "other", { key: "g" });
    expect(next.status).toBe(200);
    for (const stream of [fourth, next, ...streams]) stream.close();
  });
});
