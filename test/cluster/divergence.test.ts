import { Mesh } from "@presently/mesh";
import { encodeMessage, type Message, type ReplicaId, replicaId } from "@presently/replica";
import { createNode, type PresentlyNode, type Session } from "presently";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";

const T = "room:lobby";
const HEARTBEAT_MS = 400;

type ForgedDelta = Extract<Message, { type: "delta" }>["delta"];

let a: PresentlyNode;
let b: PresentlyNode;
let session: Session;
let forger: Mesh;
/** How many events `b` has made: each change below is one. */
let events: number;
const notices: string[] = [];

async function start(name: string, flushIntervalMs: number, ...peers: string[]): Promise<PresentlyNode> {
  return await createNode({
    name,
    mesh: { port: 0, peers },
    http: { port: 0 },
    heartbeatIntervalMs: HEARTBEAT_MS,
    flushIntervalMs,
    logLevel: "silent",
    onNotice: ({ type, level, message }) => {
      if (type === "divergence") notices.push(`${level} at ${name}: ${message}`);
    },
  });
}

beforeEach(async () => {
  notices.length = 0;
  a = await start("a", 0);
  // What b changes right after another change stays with b until its next heartbeat: time enough for a lie to come first.
  b = await start("b", HEARTBEAT_MS, a.meshUrl!);
  session = b.session();
  session.track(T, "alice", {});
  events = 1;
  await shown(["alice"]);
  const silent = { peerUp() {}, peerDown() {}, unreachable() {}, frame() {}, drained() {} };
  const self = { cluster: "presently", replica: replicaId("forger", 1), peerGossip: false };
  forger = new Mesh({ ...self, peers: [a.meshUrl!] }, silent);
  await forger.listen();
  await eventually(() => expect(forger.links()).toHaveLength(1));
});

afterEach(async () => {
  await forger.close();
  await Promise.all([a.stop(), b.stop()]);
});

const keysAt = (node: PresentlyNode) => node.list(T).map(({ key }) => key);

const shown = (keys: readonly string[]) =>
  eventually(() => {
    for (const node of [a, b]) expect(keysAt(node).sort(), node.name).toEqual([...keys].sort());
  });

const clusterAt = async (node: PresentlyNode) => (await send(node.httpUrl!, "/api/cluster")).body;

/** What a node says of the other one. */
async function reportAt(node: PresentlyNode, other: PresentlyNode) {
  const { replicas } = await clusterAt(node);
  return replicas.find((report: { replica: ReplicaId }) => report.replica === other.replica);
}

/** How long ago a heard of a node, in milliseconds. */
const heardOf = (node: PresentlyNode) =>
  a.cluster().find(({ replica }) => replica === node.replica)!.heardAgoMs;

/**
 * Has b make its next event by `change`, and tells a something else of that event before b does. From then on both have
 * seen the same events, and hold different states.
 */
async function corrupt(
  change: () => void,
  lie: (number: number) => Pick<ForgedDelta, "numbers" | "values">,
): Promise<void> {
  // Right after a heartbeat of b, so that the next one is far away.
  await eventually(() => expect(heardOf(b)).toBeLessThan(HEARTBEAT_MS / 4), { intervalMs: 1 });
  session.track("elsewhere", "bob", {});
  events += 1;
  await eventually(() => expect(a.count("elsewhere").entries).toBe(1), { intervalMs: 1 });
  const number = events + 1;
  const delta: ForgedDelta = { origin: b.replica, from: events, to: number, removals: [], ...lie(number) };
  change();
  events = number;
  forger.send(a.replica, encodeMessage({ type: "delta", delta }));
}

const divergences = async (): Promise<number> => {
  const answers = await Promise.all([clusterAt(a), clusterAt(b)]);
  return answers.reduce((sum, { counters }) => sum + counters.divergences, 0);
};

/** Waits until the alarm was raised and the damage is gone. */
async function detectedAndRepaired(keys: readonly string[]): Promise<void> {
  await eventually(async () => expect(await divergences()).toBeGreaterThan(0), { what: "the alarm" });
  expect(notices[0]).toMatch(/^error at [ab]: [ab]@\d+ has seen the same events and holds another state/);
  await shown(keys);
  await eventually(
    async () => {
      for (const [node, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const report = await reportAt(node, other);
        expect([report.agrees, report.status]).toEqual([true, "up"]);
        expect(report.agreedAgoMs).toBeLessThan(10 * HEARTBEAT_MS);
      }
    },
    { what: "both agree again" },
  );
  expect(keysAt(a).sort()).toEqual(keysAt(b).sort());
}

describe("a replica that was corrupted", () => {
  test("by losing an entry is found out by its hash, and gets the entry back without a blink at its owner", async () => {
    const leaves: string[] = [];
    b.watch(T, (change) => {
      if (change.type === "diff") leaves.push(...change.leaves.map(({ presence }) => presence.key));
    });
    await corrupt(
      () => session.track(T, "bob", { device: "phone" }),
      () => ({ numbers: [], values: [] }),
    );
    await detectedAndRepaired(["alice", "bob"]);
    expect(a.get(T, "bob").map(({ meta, node }) => [meta, node])).toEqual([[{ device: "phone" }, "b"]]);
    expect(leaves).toEqual([]);
    // The owner still has it in hand.
    session.untrack(T, "bob");
    await shown(["alice"]);
  });

  test("by an entry that nobody made, and one that should be gone, is found out by its hash, and loses both", async () => {
    const ghost = { topic: T, key: "ghost", meta: {}, previous: 0 };
    await corrupt(
      () => session.untrack(T, "alice"),
      (number) => ({
        numbers: [number],
        values: [{ ...ghost, root: number }] as unknown as ForgedDelta["values"],
      }),
    );
    await eventually(() => expect(keysAt(a).sort()).toEqual(["alice", "ghost"]), { intervalMs: 1 });
    await detectedAndRepaired([]);
    session.track(T, "carol", {});
    await shown(["carol"]);
  });
});
