/** Large messages and third nodes, over the real mesh and NATS: frames stay small, nobody is suspected, nothing else waits. */
import { nats } from "@presently/nats";
import { createNode, type NodeOptions, Packet, type PresentlyNode, type ReplicaId } from "presently";
import { LinkProxy } from "presently/demo";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { NatsServer } from "../helpers/nats.ts";
import { has } from "../helpers/programs.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const NAMES = ["a", "b", "c"] as const;
const MB = 1_048_576;
const C = "large";
/** Less than the smallest message here that goes in parts. */
const FRAME_BYTES_MAX = 65_536;
const ANSWER = { timeoutMs: 30_000 };

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

type Link = (earlier: readonly PresentlyNode[], name: string) => Promise<Partial<NodeOptions>>;

/** The first two reach each other through a proxy that can be cut, and the third directly. */
function overMesh(proxies: LinkProxy[]): Link {
  return async (earlier, name) => {
    const peers = earlier.map(({ meshUrl }) => meshUrl!);
    if (name === "b") {
      const proxy = await LinkProxy.listen({ targetPort: Number(new URL(peers[0]!).port) });
      proxies.push(proxy);
      endings.push(() => proxy.close());
      peers[0] = `ws://127.0.0.1:${proxy.port}`;
    }
    const mesh = { port: 0, peers, peerGossip: false, frameBytesMax: FRAME_BYTES_MAX };
    return { secret: "a secret that only these tests share", mesh };
  };
}

async function overNats(): Promise<Link> {
  const server = await NatsServer.start("max_payload: 131072");
  endings.push(() => server.stop());
  return async () => ({ transport: nats({ servers: [server.url] }) });
}

/** Three nodes, each linked with both others, and what was said of any of them. */
async function three(link: Link): Promise<{ nodes: PresentlyNode[]; notices: string[] }> {
  const nodes: PresentlyNode[] = [];
  const notices: string[] = [];
  for (const name of NAMES) {
    const node = await createNode({
      name,
      logLevel: "silent",
      broadcastBytesMax: 4 * MB,
      onNotice: ({ type }) => notices.push(type),
      ...(await link(nodes, name)),
    });
    endings.push(() => node.stop({ handoffMs: 0 }));
    nodes.push(node);
  }
  await eventually(() => {
    for (const node of nodes) expect(linkedOf(node)).toHaveLength(2);
  });
  return { nodes, notices };
}

function linkedOf(node: PresentlyNode): ReplicaId[] {
  return node.cluster().flatMap(({ linked, replica }) => (linked ? [replica] : []));
}

function cases(link: () => Promise<Link>): void {
  test("16 MB arrive at all, as bytes, with a header, and back again; JSON as large as its bound; nobody is suspected", async () => {
    const { nodes, notices } = await three(await link());
    const [a, b, c] = nodes as [PresentlyNode, PresentlyNode, PresentlyNode];
    const large = Buffer.alloc(16 * MB, "presently");
    const json = { text: "x".repeat(3 * MB) };
    const heard = new Map<string, unknown[]>();
    for (const node of [b, c]) {
      const own: unknown[] = [];
      heard.set(node.name, own);
      node.onBroadcast(C, (payload) => own.push(payload));
      node.onMessage(C, (payload) => own.push(payload));
      node.onRequest(C, (payload) => payload);
    }
    a.broadcast(C, large);
    a.broadcast(C, json);
    a.broadcast(C, "last");
    await a.deliver(b.replica, C, "for b", ANSWER);
    const packet = new Packet({ nsp: "/" }, [large.subarray(0, 5 * MB), new Uint8Array([7])]);
    const { answers, unanswered } = await a.requestAll(
      [b.replica, c.replica, "gone@1" as ReplicaId],
      C,
      packet,
      ANSWER,
    );
    expect([...unanswered].map(([replica, { code }]) => `${replica} ${code}`)).toEqual([
      "gone@1 PEER_UNREACHABLE",
    ]);
    for (const node of [b, c]) {
      const [bytes, text, last, ...others] = heard.get(node.name)!;
      expect(Buffer.compare(bytes as Uint8Array, large)).toBe(0);
      expect([text, last, others]).toEqual([json, "last", node === b ? ["for b"] : []]);
      const { header, buffers } = answers.get(node.replica) as Packet;
      expect(header).toEqual({ nsp: "/" });
      expect(buffers.map(({ length }) => length)).toEqual([5 * MB, 1]);
      expect(Buffer.compare(buffers[0]!, packet.buffers[0]!)).toBe(0);
    }
    expect(notices.filter((type) => /suspect|unlinked|refused/.test(type))).toEqual([]);
  });

  test("presence does not wait for a large message", async () => {
    const { nodes } = await three(await link());
    const [a, b] = nodes as [PresentlyNode, PresentlyNode];
    const order: string[] = [];
    b.onMessage(C, () => order.push("message"));
    b.watch("room", ({ type }) => type === "diff" && order.push("join"));
    expect(a.send(b.replica, C, new Uint8Array(16 * MB))).toBe(true);
    a.session().track("room", "alice");
    await eventually(() => expect(order).toEqual(["join", "message"]));
  });
}

describe("over the mesh", () => {
  cases(async () => overMesh([]));

  test("what two nodes without a link send each other goes over the third, whatever its size", async () => {
    const proxies: LinkProxy[] = [];
    const { nodes } = await three(overMesh(proxies));
    const [a, b, c] = nodes as [PresentlyNode, PresentlyNode, PresentlyNode];
    proxies[0]!.cut();
    await eventually(() => expect([linkedOf(a), linkedOf(b)]).toEqual([[c.replica], [c.replica]]));
    await eventually(() => expect(a.cluster().map(({ status }) => status)).toEqual(["self", "up", "up"]));
    b.onRequest(C, (payload) => payload);
    const large = Buffer.alloc(2 * MB, "presently");
    expect(Buffer.compare((await a.request(b.replica, C, large, ANSWER)) as Uint8Array, large)).toBe(0);
    const heard: unknown[] = [];
    b.onBroadcast(C, (payload) => heard.push(payload));
    for (let n = 0; n < 20; n++) a.broadcast(C, n);
    proxies[0]!.restore();
    for (let n = 20; n < 200; n++) {
      a.broadcast(C, n);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => expect(linkedOf(a)).toHaveLength(2));
    for (let n = 200; n < 220; n++) a.broadcast(C, n);
    await eventually(() => expect(heard).toEqual(Array.from({ length: 220 }, (_, n) => n)));
    expect(c.counters.messagesRelayed).toBeGreaterThan(20);
  });
});

describe.runIf(has("nats-server"))("over NATS, whose payloads are smaller", () => cases(overNats));
