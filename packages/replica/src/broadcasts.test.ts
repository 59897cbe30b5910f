import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";

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
