import type { ReplicaId } from "@presently/crdt";
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../../test/helpers/virtual-cluster.ts";
import { encodeMessage } from "../codec.ts";
import type { Messenger } from "./messenger.ts";

const C = "room:lobby";
const RELAY = 34;

/** Nodes that hear of each other, and what each has heard on C, with its sender's name. */
function connected(names: readonly string[], options: ConstructorParameters<typeof VirtualCluster>[1] = {}) {
  const cluster = new VirtualCluster(names, options);
  const heard = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const name of names) {
    const note = (kind: string) => (payload: unknown, from: ReplicaId) =>
      void heard.get(name)!.push(`${kind} ${from.split("@")[0]} ${payload}`);
    messengerOf(cluster, name).onBroadcast(C, note("all"));
    messengerOf(cluster, name).onMessage(C, note("one"));
    messengerOf(cluster, name).onRequest(C, (payload, from, responder) =>
      responder.reply(`${name} to ${from.split("@")[0]}: ${payload}`),
    );
  }
  cluster.time.advance(2_000);
  return { cluster, heard };
}

function messengerOf(cluster: VirtualCluster, name: string): Messenger {
  return cluster.node(name).endpoint.replica.messenger;
}

function idOf(cluster: VirtualCluster, name: string): ReplicaId {
  return cluster.node(name).endpoint.replica.id;
}

/** What became of a request, as the payload or a code. */
function ask(cluster: VirtualCluster, from: string, to: string, timeoutMs = 5_000): unknown[] {
  const ends: unknown[] = [];
  cluster
    .node(from)
    .endpoint.request(idOf(cluster, to), C, "question", timeoutMs, (answer) =>
      ends.push(answer.ok ? answer.payload : answer.error.code),
    );
  return ends;
}

describe("where the link between two nodes is cut, and both reach a third", () => {
  test("broadcasts, messages, requests and replies arrive once and in order", () => {
    const { cluster, heard } = connected(["a", "b", "c"]);
    cluster.cut("a", "b");
    cluster.time.advance(3_000);
    const a = messengerOf(cluster, "a");
    const sent: string[] = [];
    for (let index = 0; index < 20; index++) {
      a.broadcast(C, index);
      expect(a.send(idOf(cluster, "b"), C, index)).toBe(true);
      sent.push(`all a ${index}`, `one a ${index}`);
    }
    const ends = ask(cluster, "a", "b");
    const back = ask(cluster, "b", "a");
    cluster.time.advance(200);
    expect(heard.get("b")).toEqual(sent);
    expect(heard.get("c")).toEqual(sent.filter((line) => line.startsWith("all")));
    expect(ends).toEqual(["b to a: question"]);
    expect(back).toEqual(["a to b: question"]);
    expect(cluster.node("c").endpoint.replica.counters.messagesRelayed).toBe(44);
  });

  test("messages come from the moment of the cut, before anybody has vouched for anybody", () => {
    const { cluster, heard } = connected(["a", "b", "c"]);
    cluster.cut("a", "b");
    cluster.time.advance(1);
    messengerOf(cluster, "a").broadcast(C, 1);
    const ends = ask(cluster, "a", "b");
    cluster.time.advance(100);
    expect(heard.get("b")).toEqual(["all a 1"]);
    expect(ends).toEqual(["b to a: question"]);
  });

  test("a message to many goes to the third node once, and not at all where nobody lacks a link", () => {
    const { cluster, heard } = connected(["a", "b", "c", "d", "e"]);
    for (const name of ["b", "c", "d"]) cluster.cut("a", name);
    cluster.time.advance(3_000);
    messengerOf(cluster, "a").broadcast(C, 1);
    cluster.time.advance(200);
    cluster.bytes.clear();
    messengerOf(cluster, "a").broadcast(C, 2);
    const relayed = cluster.bytes.get(RELAY) ?? 0;
    expect(relayed).toBeGreaterThan(0);
    expect(relayed).toBeLessThan(100);
    cluster.bytes.clear();
    messengerOf(cluster, "e").broadcast(C, 3);
    cluster.time.advance(200);
    expect(cluster.bytes.has(RELAY)).toBe(false);
    for (const name of ["b", "c", "d"])
      expect(heard.get(name)!.toSorted()).toEqual(["all a 1", "all a 2", "all e 3"]);
  });

  test("another third node takes over when the first one loses its link, and requests under way are told", () => {
    const { cluster, heard } = connected(["a", "b", "c", "d"]);
    cluster.cut("a", "b");
    cluster.time.advance(3_000);
    messengerOf(cluster, "a").send(idOf(cluster, "b"), C, 1);
    cluster.time.advance(100);
    const via = ["c", "d"].find(
      (name) => cluster.node(name).endpoint.replica.counters.messagesRelayed === 1,
    )!;
    messengerOf(cluster, "b").onRequest("silent", () => undefined);
    const ends: unknown[] = [];
    cluster
      .node("a")
      .endpoint.request(idOf(cluster, "b"), "silent", 1, 60_000, (answer) =>
        ends.push(answer.ok ? answer.payload : answer.error.code),
      );
    cluster.time.advance(100);
    cluster.cut("b", via);
    cluster.time.advance(50);
    expect(ends).toEqual(["PEER_UNREACHABLE"]);
    messengerOf(cluster, "a").send(idOf(cluster, "b"), C, 2);
    cluster.time.advance(100);
    expect(heard.get("b")).toEqual(["one a 1", "one a 2"]);
  });

  test("the link is used again once it is back", () => {
    const { cluster, heard } = connected(["a", "b", "c"]);
    cluster.cut("a", "b");
    cluster.time.advance(3_000);
    messengerOf(cluster, "a").broadcast(C, 1);
    cluster.time.advance(100);
    cluster.mend("a", "b");
    cluster.time.advance(3_000);
    cluster.bytes.clear();
    messengerOf(cluster, "a").broadcast(C, 2);
    cluster.time.advance(100);
    expect(heard.get("b")).toEqual(["all a 1", "all a 2"]);
    expect(cluster.bytes.has(RELAY)).toBe(false);
  });
});

describe("nothing is passed on", () => {
  test("more than once: not over a fourth node", () => {
    const { cluster, heard } = connected(["a", "b", "c", "d"]);
    for (const [one, other] of [
      ["a", "c"],
      ["a", "d"],
      ["b", "d"],
    ] as const)
      cluster.cut(one, other);
    cluster.time.advance(3_000);
    messengerOf(cluster, "a").broadcast(C, 1);
    const ends = ask(cluster, "a", "d");
    cluster.time.advance(2_000);
    expect([heard.get("b"), heard.get("c"), heard.get("d")]).toEqual([["all a 1"], ["all a 1"], []]);
    expect(ends).toEqual(["PEER_UNREACHABLE"]);
  });

  test("to a node that is down, and what waits for it is told so", () => {
    const { cluster } = connected(["a", "b", "c"]);
    cluster.crash("b", { vanish: true });
    cluster.time.advance(30_000);
    const ends: unknown[] = [];
    const b = cluster
      .node("a")
      .endpoint.cluster()
      .find(({ node }) => node === "b")!;
    expect(b.status).toBe("down");
    cluster
      .node("a")
      .endpoint.request(b.replica, C, 1, 5_000, (answer) => ends.push(answer.ok || answer.error.code));
    expect(ends).toEqual(["PEER_UNREACHABLE"]);
    expect(messengerOf(cluster, "a").send(b.replica, C, 1)).toBe(false);
  });

  test("over a link that is full: its sender is told, and uses it again when it has drained", () => {
    const { cluster, heard } = connected(["a", "b", "c"]);
    cluster.cut("a", "b");
    cluster.time.advance(3_000);
    const ends = [ask(cluster, "a", "b")];
    cluster.time.advance(100);
    cluster.congest("c", "b");
    ends.push(ask(cluster, "a", "b"));
    cluster.time.advance(100);
    cluster.drain("c", "b");
    cluster.time.advance(100);
    ends.push(ask(cluster, "a", "b"));
    cluster.time.advance(100);
    expect(ends).toEqual([["b to a: question"], ["PEER_UNREACHABLE"], ["b to a: question"]]);
    expect(heard.get("b")).toEqual([]);
  });

  test("of what waits for a route, beyond messagesWaitingBytesMax", () => {
    const { cluster, heard } = connected(["a", "b", "c"], { replica: { messagesWaitingBytesMax: 2_000 } });
    cluster.cut("a", "b");
    cluster.time.advance(1);
    const sent = Array.from({ length: 5 }, () =>
      messengerOf(cluster, "a").send(idOf(cluster, "b"), C, "x".repeat(900)),
    );
    expect(sent).toEqual([true, true, false, false, false]);
    cluster.time.advance(100);
    expect(heard.get("b")).toHaveLength(2);
  });
});

describe("what is passed on", () => {
  test("costs its bearer nothing if it is no message, and is nobody's if its sender is not known", () => {
    const { cluster, heard } = connected(["a", "b"]);
    const [a, b] = ["a", "b"].map((name) => cluster.node(name));
    const message = (number: number) =>
      encodeMessage({ type: "broadcast", channel: C, payload: number, number });
    const relayed = (from: ReplicaId, frame: Uint8Array) =>
      a!.transport.send(b!.id, encodeMessage({ type: "relayed", from, frame }));
    relayed(a!.id, new Uint8Array([1, 2, 3]));
    relayed(a!.id, new Uint8Array());
    relayed("stranger@1" as ReplicaId, message(1));
    relayed(b!.id, message(1));
    relayed(a!.id, encodeMessage({ type: "leave", replica: a!.id, handoffMs: 0 }));
    relayed(a!.id, message(7));
    relayed(a!.id, message(7));
    relayed(a!.id, message(6));
    cluster.time.advance(100);
    expect(heard.get("b")).toEqual(["all a 7"]);
    expect(b!.endpoint.cluster()[1]).toMatchObject({ linked: true, status: "up" });
  });
});
