import { afterEach, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { createNode, type PresentlyNode } from "../index.ts";

const nodes: PresentlyNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop({ handoffMs: 0 })));
});

async function start(name: string, peers: readonly string[] = []): Promise<PresentlyNode> {
  const mesh = { port: 0, peers };
  const node = await createNode({ name, secret: "s3cret", logLevel: "silent", mesh, http: { port: 0 } });
  nodes.push(node);
  return node;
}

/** Metric with its labels, but for those of the node → value. */
async function scrape(node: PresentlyNode): Promise<Map<string, number>> {
  const response = await fetch(`${node.httpUrl}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  const values = new Map<string, number>();
  for (const line of (await response.text()).split("\n")) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) continue;
    const labels = (match[2] ?? "").split(",").filter((label) => !/^(cluster|node)=/.test(label));
    values.set([match[1], ...labels].join(" "), Number(match[3]));
  }
  return values;
}

test("metrics tell what the node knows, when they are read", async () => {
  const a = await start("a");
  const b = await start("b", [a.meshUrl!]);
  b.session().track("room", "bob");
  await Promise.all([a.whenReady(), b.whenReady()]);
  await eventually(async () => {
    const values = await scrape(a);
    expect(values.get("presently_ready")).toBe(1);
    expect(values.get('presently_replicas status="up"')).toBe(1);
    expect(values.get('presently_entries peer="b"')).toBe(1);
    expect(values.get("presently_topics")).toBe(1);
    expect(values.get('presently_peer_agrees peer="b"')).toBe(1);
    expect(values.get('presently_digest_agreement_age_seconds peer="b"')).toBeLessThan(5);
    expect(values.get('presently_link_received_bytes_total peer="b"')).toBeGreaterThan(0);
    expect(values.get("presently_divergences_total")).toBe(0);
    expect(values.get("nodejs_eventloop_lag_seconds")).toBeGreaterThanOrEqual(0);
  });
  const before = await scrape(a);
  a.session().track("room", "alice");
  a.session().track("hall", "alice");
  a.session().close();
  a.watch("room", () => undefined);
  a.session().track("room", "carol");
  const values = await scrape(a);
  expect(values.get("presently_sessions")! - before.get("presently_sessions")!).toBe(3);
  expect(values.get("presently_sessions_opened_total")).toBe(
    before.get("presently_sessions_opened_total")! + 4,
  );
  expect(values.get("presently_sessions_closed_total")).toBe(
    before.get("presently_sessions_closed_total")! + 1,
  );
  expect(values.get("presently_diffs_told_total")).toBe(before.get("presently_diffs_told_total")! + 1);
  expect(values.get("presently_topics")).toBe(2);
  expect(values.get('presently_entries peer="a"')).toBe(3);
});

test("a connection that was refused is counted by its reason", async () => {
  const a = await start("a");
  const stranger = await createNode({
    name: "stranger",
    secret: "another",
    logLevel: "silent",
    mesh: { port: 0, peers: [a.meshUrl!] },
  });
  nodes.push(stranger);
  await eventually(async () => {
    const refused = [...(await scrape(a))].filter(([name]) =>
      name.startsWith("presently_connections_refused"),
    );
    expect(refused.length).toBeGreaterThan(0);
    for (const [, count] of refused) expect(count).toBeGreaterThan(0);
  });
});
