import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NameWatch } from "./name-watch.ts";
import { parsePeerName, type Service } from "./peer-name.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A watch on a clock that is driven by hand; `answers` gives what a name server says, or throws. */
function setUp(peers: string[], answers: (host: string) => readonly (string | Service)[]) {
  const startMs = performance.now();
  const asked: [number, string][] = [];
  const changes: Record<string, string>[] = [];
  const said: string[] = [];
  const answer = async (host: string) => {
    asked.push([Math.round(performance.now() - startMs), host]);
    return answers(host) as never;
  };
  const watch = new NameWatch({
    names: peers.map((peer) => parsePeerName(peer)!),
    resolver: { addresses: answer, services: answer },
    intervalMs: 10_000,
    pauseMs: 1_000,
    addressesMax: 3,
    now: () => performance.now(),
    onChange: (addresses) => changes.push(Object.fromEntries(addresses)),
    onAnswer: (name, addresses) => said.push(`${name.text}: ${addresses.length}`),
    onFailure: (name, reason) => said.push(`${name.text} failed: ${reason}`),
  });
  return { watch, asked, changes, said };
}

describe("a watch on names", () => {
  test("asks again after the interval, and tells what changed only", async () => {
    let answer = ["10.0.0.2", "10.0.0.1"];
    const { watch, asked, changes } = setUp(["dns+ws://mesh:1"], () => answer);
    watch.soon();
    await vi.advanceTimersByTimeAsync(0);
    expect(changes).toEqual([{ "ws://10.0.0.1:1": "mesh", "ws://10.0.0.2:1": "mesh" }]);
    answer = ["10.0.0.1", "10.0.0.2", "10.0.0.1"];
    await vi.advanceTimersByTimeAsync(10_000);
    answer = ["10.0.0.3"];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked.map(([ms]) => ms)).toEqual([0, 10_000, 20_000]);
    expect(changes.slice(1)).toEqual([{ "ws://10.0.0.3:1": "mesh" }]);
  });

  test("keeps the last answer while there is none, and asks at the pace of the pause", async () => {
    let fails = false;
    const { watch, asked, changes, said } = setUp(["dns+ws://mesh:1"], () => {
      if (fails) throw new Error("SERVFAIL");
      return ["10.0.0.1"];
    });
    watch.soon();
    await vi.advanceTimersByTimeAsync(0);
    fails = true;
    await vi.advanceTimersByTimeAsync(12_000);
    expect(asked.map(([ms]) => ms)).toEqual([0, 10_000, 11_000, 12_000]);
    fails = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(changes).toHaveLength(1);
    const failure = "dns+ws://mesh:1 failed: SERVFAIL";
    expect(said).toEqual(["dns+ws://mesh:1: 1", failure, failure, failure]);
  });

  test.each([[[]], [["mesh"]]])("takes an answer without addresses (%j) for none", async (answer) => {
    const { watch, changes, said } = setUp(["dns+ws://mesh:1"], () => answer);
    watch.soon();
    await vi.advanceTimersByTimeAsync(0);
    expect([changes, said]).toEqual([[], ["dns+ws://mesh:1 failed: the answer holds no address to dial"]]);
  });

  test("asks soon when it is told to, but not more often than the pause, and one question at a time", async () => {
    const { watch, asked } = setUp(["dns+ws://mesh:1"], () => ["10.0.0.1"]);
    for (let times = 0; times < 4; times += 1) {
      watch.soon();
      await vi.advanceTimersByTimeAsync(400);
    }
    expect(asked.map(([ms]) => ms)).toEqual([0, 1_000]);
    await vi.advanceTimersByTimeAsync(400);
    expect(asked.map(([ms]) => ms)).toEqual([0, 1_000, 2_000]);
  });

  test("joins the answers of all names, and takes so many addresses of each", async () => {
    const answers: Record<string, (string | Service)[]> = {
      mesh: ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"],
      "_m._tcp.shop": [{ name: "n1.shop", port: 7 }],
    };
    const { watch, changes } = setUp(["dns+ws://mesh:1", "srv+wss://_m._tcp.shop"], (host) => answers[host]!);
    watch.soon();
    await vi.advanceTimersByTimeAsync(0);
    expect(changes.at(-1)).toEqual({
      "ws://10.0.0.1:1": "mesh",
      "ws://10.0.0.2:1": "mesh",
      "ws://10.0.0.3:1": "mesh",
      "wss://n1.shop:7": "n1.shop",
    });
  });

  test("stopped, asks and tells nothing more", async () => {
    const { watch, asked, changes, said } = setUp(["dns+ws://mesh:1"], () => ["10.0.0.1"]);
    watch.soon();
    vi.advanceTimersByTime(0);
    watch.stop();
    watch.soon();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([asked.length, changes, said]).toEqual([1, [], []]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
