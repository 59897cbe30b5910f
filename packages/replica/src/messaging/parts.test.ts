import type { ReplicaId } from "@presently/crdt";
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../../test/helpers/virtual-cluster.ts";
import { Packet } from "../packet.ts";
import type { Messenger } from "./messenger.ts";

const C = "room:lobby";
const MB = 1_048_576;
const PART = 36;
const PART_ACK = 37;

function messengerOf(cluster: VirtualCluster, name: string): Messenger {
  return cluster.node(name).endpoint.replica.messenger;
}

function idOf(cluster: VirtualCluster, name: string): ReplicaId {
  return cluster.node(name).endpoint.replica.id;
}

/** Bytes that are not alike anywhere. */
function bytesOf(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = length;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** What was heard, by node: a number as it is, bytes by their length and whether they are what `bytesOf` makes. */
function listening(names: readonly string[], options: ConstructorParameters<typeof VirtualCluster>[1] = {}) {
  const cluster = new VirtualCluster(names, options);
  const heard = new Map<string, unknown[]>(names.map((name) => [name, []]));
  for (const name of names) {
    const note = (payload: unknown) => void heard.get(name)!.push(shortly(payload));
    messengerOf(cluster, name).onBroadcast(C, note);
    messengerOf(cluster, name).onMessage(C, note);
    messengerOf(cluster, name).onRequest(C, (payload, _, responder) => {
      note(payload);
      responder.reply(payload);
    });
  }
  cluster.time.advance(2_000);
  return { cluster, heard };
}

function shortly(payload: unknown): unknown {
  if (payload instanceof Packet) return [payload.header, ...payload.buffers.map(shortly)];
  if (!(payload instanceof Uint8Array)) return payload;
  return Buffer.compare(payload, bytesOf(payload.length)) === 0 ? payload.length : "spoilt";
}

/** What became of a request: what was answered, shortly, or a code. */
function ask(
  cluster: VirtualCluster,
  from: string,
  to: string,
  payload: unknown,
  timeoutMs = 60_000,
): unknown[] {
  const ends: unknown[] = [];
  cluster
    .node(from)
    .endpoint.request(idOf(cluster, to), C, payload, timeoutMs, (answer) =>
      ends.push(answer.ok ? shortly(answer.payload) : answer.error.code),
    );
  return ends;
}

/** Does not send frames of a node that the test says so of. */
function losing(cluster: VirtualCluster, name: string, isLost: (frame: Uint8Array) => boolean): void {
  const { transport } = cluster.node(name);
  const send = transport.send.bind(transport);
  transport.send = (peer, frame) => {
    if (!isLost(frame)) send(peer, frame);
  };
}

describe("large messages", () => {
  test("of 16 MB arrive unchanged, in frames of bounded size, and whatever follows comes behind them", () => {
    const { cluster, heard } = listening(["a", "b", "c"]);
    const a = messengerOf(cluster, "a");
    a.broadcast(C, bytesOf(16 * MB));
    a.broadcast(C, "after");
    expect(a.send(idOf(cluster, "b"), C, 7)).toBe(true);
    cluster.time.advance(10_000);
    expect(heard.get("b")).toEqual([16 * MB, "after", 7]);
    expect(heard.get("c")).toEqual([16 * MB, "after"]);
    expect(cluster.largestFrame).toBeLessThan(49_152);
  });

  test("are cut and encoded once for all receivers", () => {
    const { cluster, heard } = listening(["a", "b", "c", "d"]);
    const parts = new Set<Uint8Array>();
    cluster.observe({ sent: (_, frame) => void (frame[1] === PART && parts.add(frame)) });
    messengerOf(cluster, "a").broadcast(C, bytesOf(200_000));
    cluster.time.advance(1_000);
    for (const name of ["b", "c", "d"]) expect(heard.get(name)).toEqual([200_000]);
    expect(parts.size).toBe(6);
  });

  test("go with requests and answers", () => {
    const { cluster } = listening(["a", "b"]);
    const ends = ask(cluster, "a", "b", bytesOf(3 * MB));
    cluster.time.advance(5_000);
    expect(ends).toEqual([3 * MB]);
  });

  test("hold up neither heartbeats nor presences on a slow link", () => {
    const { cluster, heard } = listening(["a", "b"], { bytesPerMs: 1_000, topics: ["room"] });
    messengerOf(cluster, "a").broadcast(C, bytesOf(16 * MB));
    const a = cluster.node("a").endpoint.replica;
    const b = cluster.node("b").endpoint.replica;
    const session = a.session();
    const waits: number[] = [];
    for (let round = 0; round < 10; round++) {
      session.track("room", `user ${round}`);
      const since = cluster.time.now;
      while (b.count("room").keys <= round) cluster.time.advance(10);
      waits.push(cluster.time.now - since);
      cluster.time.advance(1_000);
    }
    expect(heard.get("b")).toEqual([]);
    expect(Math.max(...waits)).toBeLessThan(500);
    cluster.time.advance(20_000);
    expect(heard.get("b")).toEqual([16 * MB]);
    const doubts = ["a", "b"].flatMap((name) =>
      cluster.node(name).notices.filter(({ type }) => type === "replica-suspect"),
    );
    expect(doubts).toEqual([]);
  });

  test("go over a third node where the link is cut, and over the link again in their order when it is back", () => {
    const { cluster, heard } = listening(["a", "b", "c"]);
    cluster.cut("a", "b");
    cluster.time.advance(3_000);
    const a = messengerOf(cluster, "a");
    a.broadcast(C, bytesOf(4 * MB));
    a.broadcast(C, 1);
    cluster.time.advance(20);
    cluster.mend("a", "b");
    for (let index = 2; index < 300; index++) {
      a.broadcast(C, index);
      cluster.time.advance(5);
    }
    cluster.time.advance(5_000);
    const numbers = Array.from({ length: 299 }, (_, index) => index + 1);
    expect(heard.get("b")).toEqual([4 * MB, ...numbers]);
    expect(cluster.node("a").endpoint.cluster()[1]).toMatchObject({ linked: true });
  });

  test("beyond the bounds are refused at the call", () => {
    const { cluster, heard } = listening(["a", "b"], { replica: { messageBytesMax: 100_000 } });
    const a = messengerOf(cluster, "a");
    const limit = (option: string) => expect.objectContaining({ code: "LIMIT_REACHED", option });
    expect(() => a.broadcast(C, bytesOf(100_001))).toThrow(limit("messageBytesMax"));
    expect(() => a.send(idOf(cluster, "b"), C, new Packet({}, [bytesOf(60_000), bytesOf(60_000)]))).toThrow(
      limit("messageBytesMax"),
    );
    expect(() => a.broadcast(C, new Packet("x".repeat(70_000), []))).toThrow(limit("broadcastBytesMax"));
    a.broadcast(C, bytesOf(100_000));
    cluster.time.advance(1_000);
    expect(heard.get("b")).toEqual([100_000]);
  });
});

describe("a large message of which something is lost", () => {
  test.each([
    ["a part", PART],
    ["the acknowledgements", PART_ACK],
  ])("is lost as a whole and its sender is told: %s", (_, type) => {
    const { cluster, heard } = listening(["a", "b"]);
    let parts = 0;
    let isBad = true;
    losing(cluster, type === PART ? "a" : "b", (frame) => frame[1] === type && ++parts > 3 && isBad);
    const ends = ask(cluster, "a", "b", bytesOf(2 * MB));
    cluster.time.advance(30_000);
    expect(ends).toEqual(["REQUEST_LOST"]);
    expect(heard.get("b")).toEqual([]);
    isBad = false;
    const others = ask(cluster, "a", "b", bytesOf(2 * MB));
    cluster.time.advance(30_000);
    expect(others).toEqual([2 * MB]);
  });

  test("as its answer ends the request", () => {
    const { cluster } = listening(["a", "b"]);
    messengerOf(cluster, "b").onRequest("large", (_, __, responder) => responder.reply(bytesOf(MB)));
    let parts = 0;
    losing(cluster, "b", (frame) => frame[1] === PART && ++parts === 5);
    const ends: unknown[] = [];
    cluster
      .node("a")
      .endpoint.request(idOf(cluster, "b"), "large", 1, 60_000, (answer) =>
        ends.push(answer.ok || answer.error.code),
      );
    cluster.time.advance(5_000);
    expect(ends).toEqual(["REQUEST_LOST"]);
  });

  test("with its link ends at once, and with it what waits behind it", () => {
    const { cluster, heard } = listening(["a", "b"], { bytesPerMs: 100 });
    const ends = [ask(cluster, "a", "b", bytesOf(2 * MB)), ask(cluster, "a", "b", 1)];
    cluster.time.advance(1_000);
    cluster.cut("a", "b");
    cluster.time.advance(50);
    expect(ends).toEqual([["PEER_UNREACHABLE"], ["PEER_UNREACHABLE"]]);
    cluster.mend("a", "b");
    cluster.time.advance(5_000);
    const again = ask(cluster, "a", "b", 2);
    cluster.time.advance(1_000);
    expect(again).toEqual([2]);
    expect(heard.get("b")).toEqual([2]);
  });

  test("because its relay has no room for it is told to its sender", () => {
    const { cluster } = listening(["a", "b", "c"]);
    cluster.cut("a", "b");
    cluster.time.advance(3_000);
    ask(cluster, "a", "b", 1);
    cluster.time.advance(100);
    const ends = ask(cluster, "a", "b", bytesOf(4 * MB));
    cluster.time.advance(20);
    cluster.congest("c", "b");
    cluster.time.advance(100);
    expect(ends).toEqual(["PEER_UNREACHABLE"]);
  });

  test("because there is no room for it is told so: several at a time, beyond messagePartsBytesMax", () => {
    const { cluster, heard } = listening(["a", "b", "c"], {
      bytesPerMs: 1_000,
      replica: { messagePartsBytesMax: 3 * MB },
    });
    const ends = [ask(cluster, "a", "c", bytesOf(2 * MB)), ask(cluster, "b", "c", bytesOf(2 * MB))];
    cluster.time.advance(10_000);
    expect(ends.flat().toSorted()).toEqual([2 * MB, "REQUEST_REFUSED"]);
    expect(heard.get("c")).toEqual([2 * MB]);
    const later = ask(cluster, "b", "c", bytesOf(2 * MB));
    cluster.time.advance(10_000);
    expect(later).toEqual([2 * MB]);
  });

  test("as more waits than messagesWaitingBytesMax is told at the call", () => {
    const { cluster, heard } = listening(["a", "b"], { replica: { messagesWaitingBytesMax: 3 * MB } });
    const sent = Array.from({ length: 4 }, () =>
      messengerOf(cluster, "a").send(idOf(cluster, "b"), C, bytesOf(MB)),
    );
    expect(sent).toEqual([true, true, false, false]);
    cluster.time.advance(5_000);
    expect(heard.get("b")).toEqual([MB, MB]);
  });
});

describe("packets", () => {
  test("carry a header and buffers as they are, there and back, and empty ones too", () => {
    const { cluster, heard } = listening(["a", "b"]);
    const packet = new Packet({ type: 2, nsp: "/" }, [bytesOf(10), new Uint8Array(), bytesOf(100_000)]);
    const short = [{ type: 2, nsp: "/" }, 10, 0, 100_000];
    const ends = ask(cluster, "a", "b", packet);
    messengerOf(cluster, "a").broadcast(C, new Packet(null, []));
    cluster.time.advance(1_000);
    expect(ends).toEqual([short]);
    expect(heard.get("b")).toEqual([short, [null]]);
    expect(heard.get("a")).toEqual([[null]]);
  });

  test.each([10, 100_000])("and bytes are what they were at the call, there and here: %s bytes", (length) => {
    const { cluster, heard } = listening(["a", "b"]);
    const bytes = bytesOf(length);
    const ends = ["a", "b"].map((name) => ask(cluster, "a", name, new Packet([1], [bytes])));
    messengerOf(cluster, "a").broadcast(C, bytes);
    messengerOf(cluster, "a").send(idOf(cluster, "b"), C, bytes);
    bytes.fill(0);
    cluster.time.advance(1_000);
    expect(ends).toEqual([[[[1], length]], [[[1], length]]]);
    expect(heard.get("a")).toEqual([[[1], length], length]);
    expect(heard.get("b")).toEqual([[[1], length], length, length]);
  });

  test("are each listener's own, and what is done to them after the call changes nothing", () => {
    const cluster = new VirtualCluster(["a"]);
    const seen: string[] = [];
    for (const name of ["one", "two"])
      messengerOf(cluster, "a").onBroadcast(C, (payload) => {
        const { header, buffers } = payload as Packet;
        seen.push(`${name} ${buffers[0]![0]} ${Object.isFrozen(header)}`);
        buffers[0]!.fill(0);
      });
    messengerOf(cluster, "a").broadcast(C, new Packet({}, [new Uint8Array([5])]));
    expect(seen).toEqual(["one 5 true", "two 5 true"]);
  });

  test.each([undefined, "bytes", [1], [new ArrayBuffer(1)]])(
    "of what is no list of bytes are refused: %j",
    (buffers) => {
      expect(() => new Packet({}, buffers as never)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    },
  );
});
