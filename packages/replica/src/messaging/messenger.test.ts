import { type ReplicaId, replicaId } from "@presently/crdt";
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../../test/helpers/virtual-cluster.ts";
import { encodeMessage } from "../codec.ts";
import type { Messenger } from "./messenger.ts";
import type { Responder } from "./requests.ts";

const C = "room:lobby";

function listening(names: readonly string[]) {
  const cluster = new VirtualCluster(names);
  const heard = new Map<string, unknown[]>();
  for (const name of names) {
    const payloads: unknown[] = [];
    heard.set(name, payloads);
    cluster.node(name).endpoint.replica.onBroadcast(C, (payload) => payloads.push(payload));
  }
  cluster.time.advance(100);
  return { cluster, heard };
}

describe("broadcasts", () => {
  test("reach every node once and in order, the sender's own first of all", () => {
    const { cluster, heard } = listening(["a", "b", "c"]);
    for (let index = 0; index < 50; index++) cluster.node("a").endpoint.replica.broadcast(C, { index });
    expect(heard.get("a")).toHaveLength(50);
    cluster.time.advance(100);
    for (const payloads of heard.values())
      expect(payloads).toEqual(Array.from({ length: 50 }, (_, index) => ({ index })));
  });

  test("come after what was tracked before them", () => {
    const { cluster } = listening(["a", "b"]);
    const { replica } = cluster.node("b").endpoint;
    const there: number[] = [];
    replica.onBroadcast("news", () => there.push(replica.count(C).keys));
    cluster.node("a").endpoint.replica.session().track(C, "alice");
    cluster.node("a").endpoint.replica.broadcast("news", "alice is here");
    cluster.time.advance(100);
    expect(there).toEqual([1]);
  });

  test("carry bytes as they are", () => {
    const { cluster, heard } = listening(["a", "b"]);
    cluster.node("a").endpoint.replica.broadcast(C, new Uint8Array([1, 2, 255]));
    cluster.time.advance(100);
    expect([...(heard.get("b")![0] as Uint8Array)]).toEqual([1, 2, 255]);
  });

  test("reach every listener although one of them throws, and none that has ended", () => {
    const { cluster, heard } = listening(["a"]);
    const node = cluster.node("a");
    const { replica } = node.endpoint;
    const calls: string[] = [];
    const end = replica.onBroadcast("x", () => calls.push("ended"));
    replica.onBroadcast("x", () => {
      throw new Error("a fault of the application");
    });
    replica.onBroadcast("x", () => calls.push("heard"));
    end();
    replica.broadcast("x", 1);
    expect(calls).toEqual(["heard"]);
    expect(heard.get("a")).toEqual([]);
    expect(replica.counters.listenerErrors).toBe(1);
    expect(node.notices.at(-1)!.type).toBe("listener-error");
  });

  test("that cannot be sent are refused before anybody hears of them", () => {
    const { cluster, heard } = listening(["a", "b"]);
    const { replica } = cluster.node("a").endpoint;
    for (const payload of [undefined, () => 1, Number.NaN, new Map([[1, 2]])]) {
      expect(() => replica.broadcast(C, payload)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    }
    expect(() => replica.broadcast("", 1)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => replica.broadcast(C, "x".repeat(70_000))).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED" }),
    );
    cluster.time.advance(100);
    for (const payloads of heard.values()) expect(payloads).toEqual([]);
  });
});

describe("messages to one replica", () => {
  test("reach it and nobody else, in order, with the sender's id", () => {
    const cluster = new VirtualCluster(["a", "b", "c"]);
    cluster.time.advance(100);
    const heard: [string, unknown, ReplicaId][] = [];
    for (const name of ["a", "b", "c"])
      messengerOf(cluster, name).onMessage(C, (payload, from) => heard.push([name, payload, from]));
    const a = idOf(cluster, "a");
    for (let index = 0; index < 10; index++)
      expect(messengerOf(cluster, "a").send(idOf(cluster, "b"), C, index)).toBe(true);
    cluster.time.advance(100);
    expect(heard).toEqual(Array.from({ length: 10 }, (_, index) => ["b", index, a]));
  });

  test("are not sent where there is no link, and to ourselves they always are", () => {
    const cluster = new VirtualCluster(["a", "b"]);
    cluster.time.advance(100);
    const heard: unknown[] = [];
    messengerOf(cluster, "a").onMessage(C, (payload) => heard.push(payload));
    expect(messengerOf(cluster, "a").send(replicaId("stranger", 1), C, 1)).toBe(false);
    expect(messengerOf(cluster, "a").send(idOf(cluster, "a"), C, 2)).toBe(true);
    expect(heard).toEqual([2]);
  });
});

describe("requests", () => {
  /** Node a asks b on C; what became of it, as a code or the payload. */
  function asking(cluster: VirtualCluster, to = idOf(cluster, "b"), timeoutMs = 1_000) {
    const ends: unknown[] = [];
    cluster.node("a").endpoint.request(to, C, { question: 1 }, timeoutMs, (answer) => {
      ends.push(answer.ok ? answer.payload : answer.error.code);
    });
    return ends;
  }

  function pair() {
    const cluster = new VirtualCluster(["a", "b"]);
    cluster.time.advance(100);
    return cluster;
  }

  test("are answered once, whatever the handler says afterwards", () => {
    const cluster = pair();
    messengerOf(cluster, "b").onRequest(C, (payload, from, responder) => {
      responder.reply({ asked: payload, from });
      responder.reply("again");
      responder.fail("too late");
    });
    const ends = asking(cluster);
    cluster.time.advance(5_000);
    expect(ends).toEqual([{ asked: { question: 1 }, from: idOf(cluster, "a") }]);
  });

  test("to ourselves are answered like any other", () => {
    const cluster = pair();
    messengerOf(cluster, "a").onRequest(C, (_, __, responder) => responder.reply(7));
    expect(asking(cluster, idOf(cluster, "a"))).toEqual([7]);
  });

  test("find what was tracked before them", () => {
    const cluster = pair();
    const { replica } = cluster.node("b").endpoint;
    replica.messenger.onRequest(C, (_, __, responder) => responder.reply(replica.count(C).keys));
    cluster.node("a").endpoint.replica.session().track(C, "alice");
    const ends = asking(cluster);
    cluster.time.advance(100);
    expect(ends).toEqual([1]);
  });

  test("end with a code that says why there is no answer", () => {
    const cluster = pair();
    const nowhere = asking(cluster, replicaId("stranger", 1));
    const unhandled = asking(cluster);
    cluster.time.advance(100);
    const end = messengerOf(cluster, "b").onRequest(C, () => {
      throw new Error("out of paper");
    });
    const failed = asking(cluster);
    cluster.time.advance(100);
    end();
    messengerOf(cluster, "b").onRequest(C, () => undefined);
    const late = asking(cluster, undefined, 300);
    cluster.time.advance(299);
    expect(late).toEqual([]);
    cluster.time.advance(100);
    expect([nowhere, unhandled, failed, late]).toEqual([
      ["PEER_UNREACHABLE"],
      ["REQUEST_UNHANDLED"],
      ["REQUEST_FAILED"],
      ["REQUEST_TIMEOUT"],
    ]);
  });

  test("whose link is lost end at once, and a late answer is nobody's", () => {
    const cluster = pair();
    const responders: Responder[] = [];
    messengerOf(cluster, "b").onRequest(C, (_, __, responder) => responders.push(responder));
    const ends = asking(cluster, undefined, 60_000);
    cluster.time.advance(100);
    cluster.cut("a", "b");
    cluster.time.advance(100);
    expect(ends).toEqual(["PEER_UNREACHABLE"]);
    cluster.mend("a", "b");
    cluster.time.advance(5_000);
    expect(responders).toHaveLength(1);
    responders[0]!.reply("late");
    cluster.time.advance(100);
    expect(ends).toEqual(["PEER_UNREACHABLE"]);
  });

  test("that are open end when the node says goodbye", () => {
    const cluster = pair();
    messengerOf(cluster, "b").onRequest(C, () => undefined);
    const ends = asking(cluster, undefined, 60_000);
    cluster.node("a").endpoint.leave(0);
    expect(ends).toEqual(["PEER_UNREACHABLE"]);
  });

  test("beyond requestsMax are refused, here and there, until others have ended", () => {
    const cluster = new VirtualCluster(["a", "b"], { replica: { requestsMax: 3 } });
    cluster.time.advance(100);
    const responders: Responder[] = [];
    messengerOf(cluster, "b").onRequest(C, (_, __, responder) => responders.push(responder));
    const open = [asking(cluster), asking(cluster), asking(cluster)];
    expect(asking(cluster)).toEqual(["REQUESTS_MAX"]);
    cluster.time.advance(100);
    responders[0]!.reply(1);
    cluster.time.advance(100);
    expect(open).toEqual([[1], [], []]);
    expect(asking(cluster)).toEqual([]);
  });

  test("have one handler for each channel", () => {
    const messenger = messengerOf(pair(), "a");
    const end = messenger.onRequest(C, () => undefined);
    expect(() => messenger.onRequest(C, () => undefined)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    end();
    messenger.onRequest(C, () => undefined);
  });

  test("whose answer cannot be sent stay open for another one", () => {
    const cluster = pair();
    messengerOf(cluster, "b").onRequest(C, (_, __, responder) => {
      expect(() => responder.reply(undefined)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      responder.fail("it has no form");
    });
    const ends = asking(cluster);
    cluster.time.advance(100);
    expect(ends).toEqual(["REQUEST_FAILED"]);
  });
});

describe("what is delivered", () => {
  /** What became of it: true, or a code. */
  function delivering(cluster: VirtualCluster, timeoutMs = 5_000) {
    const ends: unknown[] = [];
    cluster
      .node("a")
      .endpoint.deliver(idOf(cluster, "b"), C, 1, timeoutMs, (answer) =>
        ends.push(answer.ok || answer.error.code),
      );
    return ends;
  }

  test("is heard by the listeners of messages, and settles then", () => {
    const cluster = new VirtualCluster(["a", "b"]);
    cluster.time.advance(100);
    const heard: unknown[] = [];
    messengerOf(cluster, "b").onMessage(C, (payload, from) => heard.push([payload, from]));
    const ends = delivering(cluster);
    expect(ends).toEqual([]);
    cluster.time.advance(100);
    expect(heard).toEqual([[1, idOf(cluster, "a")]]);
    expect(ends).toEqual([true]);
  });

  test("and may not have arrived is told: its link is lost, it is suspected, or nothing is heard in time", () => {
    const cluster = new VirtualCluster(["a", "b"]);
    cluster.time.advance(100);
    cluster.stall("a", "b");
    const late = delivering(cluster, 500);
    cluster.time.advance(600);
    expect(late).toEqual(["REQUEST_TIMEOUT"]);
    const suspected = delivering(cluster, 60_000);
    cluster.stall("b", "a");
    cluster.time.advance(4_000);
    expect(suspected).toEqual(["PEER_SUSPECT"]);
    cluster.mend("a", "b");
    cluster.time.advance(5_000);
    const lost = delivering(cluster, 60_000);
    cluster.cut("a", "b");
    cluster.time.advance(10);
    expect(lost).toEqual(["PEER_UNREACHABLE"]);
  });
});

describe("a question to several", () => {
  const NAMES = ["a", "b", "c", "d", "e"];

  /** What became of it at each, with the time. */
  function askingAll(cluster: VirtualCluster, names: readonly string[], timeoutMs: number) {
    const ends = new Map<string, unknown>();
    const since = cluster.time.now;
    cluster.node("a").endpoint.requestAll(
      names.map((name) => idOf(cluster, name)),
      C,
      "who?",
      timeoutMs,
      (replica, answer) => {
        const name = replica.split("@")[0]!;
        expect(ends.has(name)).toBe(false);
        ends.set(name, answer.ok ? answer.payload : answer.error.code);
        if (cluster.time.now - since > timeoutMs + 100) throw new Error("it took longer than it may");
      },
    );
    return ends;
  }

  test("is answered by each, ourselves included, and costs one encoding", () => {
    const cluster = new VirtualCluster(NAMES);
    cluster.time.advance(100);
    for (const name of NAMES)
      messengerOf(cluster, name).onRequest(C, (payload, _, responder) =>
        responder.reply(`${name} ${payload}`),
      );
    const frames = new Set<Uint8Array>();
    cluster.observe({ sent: (_, frame) => void (frame[1] === 26 && frames.add(frame)) });
    const ends = askingAll(cluster, [...NAMES, "b"], 1_000);
    cluster.time.advance(100);
    expect(Object.fromEntries(ends)).toEqual(Object.fromEntries(NAMES.map((name) => [name, `${name} who?`])));
    expect(frames.size).toBe(1);
  });

  test("ends for each by its answer, the loss of its link, suspicion, or the bound", () => {
    const cluster = new VirtualCluster(NAMES);
    cluster.time.advance(2_000);
    messengerOf(cluster, "b").onRequest(C, (_, __, responder) => responder.reply("here"));
    for (const name of ["c", "d", "e"]) messengerOf(cluster, name).onRequest(C, () => undefined);
    const ends = askingAll(cluster, ["b", "c", "d", "e"], 6_000);
    cluster.time.advance(100);
    expect([...ends]).toEqual([["b", "here"]]);
    cluster.crash("c");
    cluster.time.advance(100);
    expect([...ends.keys()]).toEqual(["b", "c"]);
    cluster.pause("d");
    cluster.time.advance(5_600);
    expect([...ends.keys()].toSorted()).toEqual(["b", "c", "d"]);
    cluster.time.advance(400);
    expect(Object.fromEntries(ends)).toEqual({
      b: "here",
      c: "PEER_UNREACHABLE",
      d: expect.stringMatching(/^PEER_/),
      e: "REQUEST_TIMEOUT",
    });
  });

  test("of more than requestsMax answers is not asked at all", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { replica: { requestsMax: 1 } });
    cluster.time.advance(100);
    expect(Object.fromEntries(askingAll(cluster, ["b", "c"], 1_000))).toEqual({
      b: "REQUESTS_MAX",
      c: "REQUESTS_MAX",
    });
  });

  test("to nobody asks nobody, and one that cannot be sent is refused at the call", () => {
    const cluster = new VirtualCluster(["a"]);
    expect(askingAll(cluster, [], 1_000).size).toBe(0);
    const { endpoint } = cluster.node("a");
    for (const [replicas, payload, timeoutMs] of [
      ["b@1", 1, 1_000],
      [[1], 1, 1_000],
      [["b@1"], undefined, 1_000],
      [["b@1"], 1, 0],
    ] as const)
      expect(() =>
        endpoint.requestAll(replicas as never, C, payload, timeoutMs, () => expect.unreachable()),
      ).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("answers", () => {
  test("count from the replica that was asked, and from nobody else", () => {
    const cluster = new VirtualCluster(["a", "b", "c"]);
    cluster.time.advance(2_000);
    messengerOf(cluster, "b").onRequest(C, () => undefined);
    const ends: unknown[] = [];
    cluster
      .node("a")
      .endpoint.request(idOf(cluster, "b"), C, 1, 2_000, (answer) =>
        ends.push(answer.ok ? answer.payload : answer.error.code),
      );
    const forge = (name: string) => {
      for (let id = 0; id < 10; id++) {
        const reply = encodeMessage({ type: "reply", id, outcome: "ok", payload: `of ${name}`, number: 0 });
        cluster.node(name).transport.send(idOf(cluster, "a"), reply);
      }
    };
    forge("c");
    cluster.time.advance(500);
    expect(ends).toEqual([]);
    forge("b");
    cluster.time.advance(500);
    expect(ends).toEqual(["of b"]);
  });
});

describe("a topic that broadcasts are wanted of", () => {
  test.each([false, true])(
    "is wanted until it is not any more, while the link lasts (full meanwhile: %s)",
    (isFull) => {
      const { cluster, heard } = listening(["a", "b"]);
      const publish = () => {
        messengerOf(cluster, "a").broadcast(C, "on the topic", { topics: ["news"] });
        cluster.time.advance(100);
        return heard.get("b")!.splice(0).length;
      };
      const both = ["news", "weather"].map((topic) => messengerOf(cluster, "b").subscribe(C, topic));
      cluster.time.advance(100);
      expect(publish()).toBe(1);
      if (isFull) cluster.congest("b", "a");
      for (const { end } of both) end();
      cluster.time.advance(100);
      if (isFull) cluster.drain("b", "a");
      cluster.time.advance(100);
      expect(publish()).toBe(0);
      const again = messengerOf(cluster, "b").subscribe(C, "news");
      cluster.time.advance(100);
      expect(publish()).toBe(1);
      again.end();
      cluster.time.advance(100);
      expect(publish()).toBe(0);
    },
  );
});

describe("whoever follows the replicas", () => {
  test("hears what is believed of each, after the presences of that change", () => {
    const cluster = new VirtualCluster(["a", "b"]);
    const { replica } = cluster.node("a").endpoint;
    const b = idOf(cluster, "b");
    const told: string[] = [];
    const end = replica.onReplica((change) => {
      if (change.replica === b) told.push(`${change.status} ${change.linked} ${replica.count(C).keys}`);
    });
    cluster.time.advance(100);
    cluster.node("b").endpoint.replica.session().track(C, "bob");
    cluster.time.advance(100);
    cluster.cut("a", "b");
    cluster.time.advance(10_000);
    cluster.mend("a", "b");
    cluster.time.advance(5_000);
    expect(told[0]).toBe("up true 0");
    expect(told).toContain("down false 0");
    expect(told.at(-1)).toBe("up true 1");
    const before = told.length;
    end();
    cluster.cut("a", "b");
    cluster.time.advance(10_000);
    expect(told).toHaveLength(before);
  });
});

function messengerOf(cluster: VirtualCluster, name: string): Messenger {
  return cluster.node(name).endpoint.replica.messenger;
}

function idOf(cluster: VirtualCluster, name: string): ReplicaId {
  return cluster.node(name).endpoint.replica.id;
}
