/**
 * A peer that has proved itself, and then says what no node says: the nodes of the cluster go on, and go on to agree.
 *
 * Who knows the secret is trusted with what it tells of itself and of others, and can make people up as it can remove them.
 * What it cannot do is to stop a node, to make it forget who is connected to it, or to leave anything behind when it is gone.
 */
import { createRequire } from "node:module";
import { Mesh } from "@presently/mesh";
import {
  encodeMessage,
  type Message,
  type ReplicaId,
  replicaId,
  type TransportListener,
} from "@presently/replica";
import { createNode, type PresentlyNode } from "presently";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type EventuallyOptions, eventually as eventuallyEvery } from "../helpers/eventually.ts";
import { POISON, pollution } from "../helpers/hostile.ts";

// Real nodes and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const secret = "a secret that the attacker knows";
let a: PresentlyNode;
let b: PresentlyNode;
let attackers = 0;
let guests = 0;

beforeAll(async () => {
  const options = {
    cluster: "hostile",
    secret,
    logLevel: "silent" as const,
    replicasMax: 50,
  };
  a = await createNode({ ...options, name: "a", mesh: { port: 0, frameBytesMax: 65_536 } });
  b = await createNode({
    ...options,
    name: "b",
    mesh: { port: 0, peers: [a.meshUrl!], frameBytesMax: 65_536 },
  });
  await Promise.all([a.whenReady(), b.whenReady()]);
  a.session().track("room", "alice", { at: "a" });
  b.session().track("room", "bob", { at: "b" });
  await eventually(() => expect([keysOf(a), keysOf(b)]).toEqual([people, people]));
});

afterAll(() => Promise.all([a.stop({ handoffMs: 0 }), b.stop({ handoffMs: 0 })]));

afterEach(async () => {
  // Both are who they were, see each other's people and nobody else's, and hear of those who come and go.
  await eventually(() => expect([keysOf(a), keysOf(b)]).toEqual([people, people]), {
    what: "nobody is made up",
  });
  const key = `guest-${guests++}`;
  const session = a.session();
  session.track("room", key);
  await eventually(() => expect(keysOf(b)).toEqual([...people, key]));
  session.close();
  await eventually(() => expect(keysOf(b)).toEqual(people));
  expect(await a.request(b.replica, "ping", 1, { timeoutMs: 20_000 }).catch(({ code }) => code)).toBe(
    "REQUEST_UNHANDLED",
  );
  await eventually(() =>
    expect([a, b].map((node) => node.topics("").map(({ topic }) => topic))).toEqual([["room"], ["room"]]),
  );
  expect(pollution()).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
});

/** Each attack waits several times. */
const eventually = <T>(check: () => T | Promise<T>, options: EventuallyOptions = {}) =>
  eventuallyEvery(check, { intervalMs: 5, ...options });
const people = ["alice", "bob"];
const keysOf = (node: PresentlyNode) =>
  node
    .list("room")
    .map(({ key }) => key)
    .sort();
/** The serializer of the mesh, which is a dependency of nobody else here. */
const { Packr } = createRequire(new URL("../../packages/mesh/package.json", import.meta.url))("msgpackr");
const packr: { pack(value: unknown): Buffer } = new Packr({ useRecords: false, variableMapSize: true });
const many = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i));

/** A frame of the replicas' protocol with these fields. */
const frame = (type: number, fields: unknown) => Buffer.concat([Buffer.of(1, type), packr.pack(fields)]);

/** Links with node `a` as a member, and gives what sends frames and what says goodbye. */
async function join(): Promise<{
  id: ReplicaId;
  send: (...frames: readonly Uint8Array[]) => void;
  leave: () => Promise<void>;
  isUp: () => boolean;
}> {
  const id = replicaId(`evil-${attackers++}`, 1);
  const up = new Set<ReplicaId>();
  const ignore = () => undefined;
  const listener: TransportListener = {
    peerUp: (peer) => void up.add(peer),
    peerDown: (peer) => void up.delete(peer),
    unreachable: ignore,
    frame: ignore,
    drained: ignore,
  };
  const mesh = new Mesh(
    {
      cluster: "hostile",
      replica: id,
      secrets: [secret],
      peers: [a.meshUrl!],
      peerGossip: false,
      dialMinMs: 10,
      dialMaxMs: 50,
      log: ignore,
    },
    listener,
  );
  await mesh.listen();
  const target = () => [...up].find((peer) => peer.startsWith("a@"));
  await eventually(() => expect(target()).toBeDefined());
  return {
    id,
    send: (...frames) => {
      for (const bytes of frames) if (target() !== undefined) mesh.send(target()!, bytes);
    },
    isUp: () => target() !== undefined,
    leave: async () => {
      const last = target();
      if (last !== undefined) mesh.send(last, encodeMessage({ type: "leave", replica: id, handoffMs: 0 }));
      await mesh.close({ drainMs: 200 });
      // One that was cut off, and could not say goodbye, is not waited for.
      if (a.cluster().some(({ replica }) => replica === id)) await a.evict(id);
      if (b.cluster().some(({ replica }) => replica === id)) await b.evict(id);
    },
  };
}

const big = Number.MAX_SAFE_INTEGER;
const deep = (levels: number) => Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.of(0xc0)]);
const entry = (origin: ReplicaId, number: number, key: string): Message => ({
  type: "delta",
  delta: {
    origin,
    from: number - 1,
    to: number,
    numbers: [number],
    values: [{ topic: "room", key, meta: {} }] as never,
    removals: [],
  },
});

/** What the attacker sends, given who it is. */
const attacks: readonly (readonly [what: string, make: (own: ReplicaId) => readonly Uint8Array[]])[] = [
  ["fields of no kind", () => many(16, (index) => frame(16 + index, [null, {}, -1, [[]], "x"]))],
  ["no fields", () => many(16, (index) => frame(16 + index, []))],
  ["depth", () => many(16, (index) => Buffer.concat([Buffer.of(1, 16 + index), deep(60_000)]))],
  [
    "a list that claims to be long",
    () => [Buffer.of(1, 16, 0xdd, 0xff, 0xff, 0xff, 0xff), Buffer.of(1, 19, 0xdf, 0xff, 0xff, 0xff, 0xff)],
  ],
  [
    "a prototype in a meta, a payload and a message",
    (own) => [
      frame(24, [
        "news",
        JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
      ]),
      ...POISON.map((name) => frame(24, [name, { [name]: 1 }])),
      ...POISON.map((name) => frame(26, [1, name, name])),
      encodeMessage(entry(own, 1, "__proto__")),
    ],
  ],
  ["incarnations that are none", () => [frame(23, [1e300]), frame(23, [-1]), frame(23, ["9"])]],
  [
    "heartbeats of thousands of nodes that are none",
    () => [frame(17, [1, many(2_000, (index) => [`ghost-${index}@1`, index, 0]), 0, null])],
  ],
  [
    "counters beyond all numbers",
    () => [
      frame(17, [big, [["b@1", big, 0]], big, [["b@1", big, big]]]),
      frame(17, [big, [], big, many(500, (index) => [`ghost-${index}@1`, big, 0])]),
    ],
  ],
  ["the goodbye of others", () => [frame(22, ["ghost@1", big])]],
  [
    "answers to nothing",
    () => [
      frame(19, [7, true, true, [], [], [], [], 0]),
      frame(27, [1, 0, "x"]),
      frame(27, [big, 9, {}]),
      frame(21, ["b@1", big, 0, true]),
    ],
  ],
  ["pulls without end", () => many(1_000, (index) => frame(18, [index, [], [], true]))],
  ["requests without end", () => many(1_500, (index) => frame(26, [index, "nothing", index]))],
  ["broadcasts without end", () => many(3_000, () => frame(24, ["nothing", "x".repeat(100)]))],
  ["events of node a itself, to node a", () => [encodeMessage(entry(a.replica, 1_000_000, "ghost"))]],
  [
    "events that were never made, before those that are missing",
    (own) => [encodeMessage(entry(own, big - 1, "ghost"))],
  ],
  [
    "thousands of people of its own",
    (own) => many(300, (index) => encodeMessage(entry(own, index + 1, `ghost-${index}`))),
  ],
  ["frames of its transport", () => [Buffer.of(1, 0), Buffer.of(1, 5, 0x80), Buffer.of(2, 16)]],
  ["a frame that is too large", () => [Buffer.concat([Buffer.of(1, 24), Buffer.alloc(100_000)])]],
];

test.each(attacks)("%s", async (_what, make) => {
  const replicas = [a.replica, b.replica];
  const attacker = await join();
  attacker.send(...make(attacker.id));
  // Dealt with, or refused; in both cases it is a member like others when it comes back.
  await eventually(() => expect(attacker.isUp()).toBe(true));
  attacker.send(frame(20, ["b@1"]));
  await attacker.leave();
  await eventually(() => expect(a.cluster().map(({ replica }) => replica)).not.toContain(attacker.id));
  expect([nameIn(a.replica), nameIn(b.replica)]).toEqual(replicas.map(nameIn));
});

const nameIn = (replica: string) => replica.slice(0, replica.lastIndexOf("@"));
