/** A partition longer than the time-out, 10,000 entries changed on each side of it, and what the healing takes. */
import { Link } from "presently/demo";
import { afterEach, expect, test } from "vitest";
import { entriesAt, type LoadedNode, startLoadedNode } from "../fixtures/loaded-node.ts";
import { eventually } from "../helpers/eventually.ts";
import { openEvents, send } from "../helpers/http.ts";
import { seen } from "../helpers/process-cluster.ts";
import { freePort } from "../helpers/processes.ts";

const ENTRIES = 10_000;
const CHANGES = 10_000;
const PAD_BYTES = 20;
/** A topic of the second node, and how many it has there. */
const [TOPIC, ON_TOPIC] = ["load:3", 1_000];
const SHORT = { heartbeatIntervalMs: 100, downAfterMs: 500 };
const PATIENT = { timeoutMs: 30_000, intervalMs: 5 };

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What a node says of the only other one. */
async function reportAt({ url }: LoadedNode) {
  const { body } = await send(url, "/api/cluster");
  return { other: body.replicas[1], link: body.links[0], counters: body.counters };
}

test(`${CHANGES} entries changed on each side of a partition agree again, unaided, and nobody is told of what is not`, async () => {
  const ends = [];
  for (const name of ["left", "right"]) ends.push({ name, meshPort: await freePort() });
  const link = await Link.open(ends[0]!, ends[1]!);
  closing.push(() => link.close());
  const nodes: LoadedNode[] = [];
  for (const { name, meshPort } of ends) {
    const mesh = { port: meshPort, peers: [link.peerUrl(name)], peerGossip: false };
    const node = await startLoadedNode({ name, mesh, ...SHORT });
    nodes.push(node);
    closing.push(() => node.kill());
  }
  const [left, right] = nodes as [LoadedNode, LoadedNode];
  for (const node of nodes) await node.track(ENTRIES, PAD_BYTES);
  const agree = async () => {
    for (const node of nodes) {
      const { other } = await reportAt(node);
      expect(other).toMatchObject({ status: "up", linked: true, agrees: true, entries: ENTRIES });
      expect(await entriesAt(node.url)).toBe(2 * ENTRIES);
    }
  };
  await eventually(agree, PATIENT);
  const watcher = await openEvents(left.url, TOPIC);
  await watcher.at(0);

  link.cut();
  for (const node of nodes)
    await eventually(async () => expect((await reportAt(node)).other.status).toBe("down"), PATIENT);
  await Promise.all(nodes.map((node) => node.change(CHANGES, PAD_BYTES)));
  link.restore();
  const restoredAt = performance.now();
  await eventually(agree, PATIENT);
  const tookMs = performance.now() - restoredAt;
  const { link: report, counters } = await reportAt(left);
  console.log(
    `${CHANGES} of ${ENTRIES} entries changed on each side: agreed ${tookMs.toFixed(0)} ms after the network was back, ` +
      `${Math.round(report.openForMs)} ms after the link was, with ${report.bytesSent + report.bytesReceived} bytes both ways, ` +
      `${counters.fullSyncs} full syncs`,
  );
  expect(right.output).not.toMatch(/divergence/);
  // Topics of both nodes have the same names: only the right one's people were away, and each came back once.
  const joinsSeen = () => seen(watcher).filter((event) => event.startsWith("+right-"));
  await eventually(() => expect(joinsSeen().length).toBeGreaterThanOrEqual(ON_TOPIC), PATIENT);
  const since = seen(watcher);
  const joins = joinsSeen();
  watcher.close();
  expect(new Set(joins).size).toBe(joins.length);
  expect(joins).toHaveLength(ON_TOPIC);
  expect(since.filter((event) => event.startsWith("-right-"))).toHaveLength(ON_TOPIC);
});
