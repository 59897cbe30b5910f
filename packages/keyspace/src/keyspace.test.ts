import type { ReplicaId } from "presently";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { aloneMessenger } from "./alone.ts";
import { Keyspace } from "./keyspace.ts";
import type { KeyspaceOptions } from "./options.ts";

const open: Keyspace[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((keyspace) => keyspace.stop()));
});

function alone(options: KeyspaceOptions = {}, environment = {}): Keyspace {
  const keyspace = new Keyspace(aloneMessenger(), options, environment);
  open.push(keyspace);
  return keyspace;
}

const codeOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
};

describe("a key space alone", () => {
  test("frees what it no longer holds, and reaches its bounds again", async () => {
    const keyspace = alone({ keysMax: 3, listLengthMax: 2 });
    for (let round = 0; round < 3; round++) {
      keyspace.setText("s", "x");
      keyspace.setField("h", "f", "x");
      keyspace.addMembers("m", ["x", "y"]);
      expect(codeOf(() => keyspace.setText("fourth", "x"))).toBe("LIMIT_REACHED");
      keyspace.setText("s", "over");
      keyspace.delete("s");
      keyspace.deleteField("h", "f");
      keyspace.removeMembers("m", ["x", "y"]);
      expect(keyspace.size).toEqual({ keys: 0, bytes: 0 });
    }
    await keyspace.push("l", "tail", ["a", "b"]);
    await expect(keyspace.push("l", "tail", ["c"])).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    expect(keyspace.elements("l")).toEqual(["a", "b"]);
    expect(await keyspace.pop("none", "head")).toBeNull();
  });

  test("refuses what is too long or malformed, and changes nothing", () => {
    const keyspace = alone({ keyBytesMax: 4, valueBytesMax: 8, bytesMax: 200 });
    expect(codeOf(() => keyspace.setText("", "x"))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => keyspace.setText("\ud800", "x"))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => keyspace.setText("k", "\udc00"))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => keyspace.setText("k", 1 as never))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => keyspace.setText("12345", "x"))).toBe("LIMIT_REACHED");
    expect(codeOf(() => keyspace.addMembers("k", ["12345", "6789"]))).toBe("LIMIT_REACHED");
    expect(codeOf(() => keyspace.expire("k", Number.NaN))).toBe("INVALID_ARGUMENT");
    expect(keyspace.size.keys).toBe(0);
    for (const key of ["a", "b", "c"]) keyspace.setText(key, "x");
    expect(codeOf(() => keyspace.setText("d", "12345678"))).toBe("LIMIT_REACHED");
    expect(keyspace.size.keys).toBe(3);
  });

  test("counts within the integers that a number holds exactly", async () => {
    const keyspace = alone();
    keyspace.setText("n", "9007199254740990");
    expect(await keyspace.increment("n")).toBe(9_007_199_254_740_991);
    await expect(keyspace.increment("n")).rejects.toMatchObject({ code: "NOT_AN_INTEGER" });
    expect(() => keyspace.incrementField("h", "f", 0.5)).toThrow("0.5");
    expect(keyspace.getText("n")).toBe("9007199254740991");
    expect(keyspace.has("h")).toBe(false);
  });

  test("tells watchers of each change, and goes on when one of them throws", () => {
    const errors: unknown[] = [];
    const keyspace = alone({}, { onError: (error: unknown) => errors.push(error) });
    const changes: string[] = [];
    keyspace.watch(() => {
      throw new Error("a watcher's own");
    });
    const end = keyspace.watch(({ type, item }) => changes.push(`${type} ${item.key} ${item.value}`));
    keyspace.setText("k", "1");
    keyspace.setText("k", "2");
    end();
    keyspace.delete("k");
    expect(changes).toEqual(["inserted k 1", "inserted k 2", "deleted k 1"]);
    expect(errors).toHaveLength(4);
  });

  test("tells watchers of each change, though others reject and onError throws", async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown) => {
      errors.push(error);
      throw new Error("onError is broken as well");
    };
    const keyspace = alone({}, { onError });
    const fault = new Error("a watcher's own");
    keyspace.watch(async () => {
      throw fault;
    });
    const changes: string[] = [];
    keyspace.watch(({ type }) => changes.push(type));
    keyspace.setText("k", "1");
    await eventually(() => expect(errors).toEqual([fault]));
    expect(changes).toEqual(["inserted"]);
  });

  test("writes nothing after it has stopped, and can still be read", async () => {
    const keyspace = alone();
    keyspace.setText("k", "x");
    keyspace.setText("mine", "x", { bound: true });
    const waiting = keyspace.popWaiting(["l"], 60_000);
    await keyspace.stop();
    expect(await waiting).toBeNull();
    expect([keyspace.getText("k"), keyspace.has("mine")]).toEqual(["x", false]);
    expect(codeOf(() => keyspace.setText("k", "y"))).toBe("CLOSED");
    await expect(keyspace.increment("n")).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("what a peer sends", () => {
  const item = [0, "k", "", "x", 0, 1, 0];
  test.each([
    ["no message", 7],
    ["of an unknown form", ["delta"]],
    ["from no replica", ["delta", ["nobody", 0, 1, [1], [item], []]]],
    ["with more numbers than items", ["delta", ["b@1", 0, 2, [1, 2], [item], []]]],
    ["backwards", ["delta", ["b@1", 2, 1, [], [], []]]],
    ["with an item of an unknown kind", ["delta", ["b@1", 0, 1, [1], [[99, "k", "", "x", 0, 1, 0]], []]]],
    ["with a number that is none", ["delta", ["b@1", 0, 1, [1], [[0, "k", "", "x", null, 1, 0]], []]]],
    ["with removals of nobody", ["delta", ["b@1", 0, 1, [], [], [["", [1]]]]]],
    ["a digest of an unknown state", ["digest", "sleeping", "b@1", "hash"]],
  ])("is told of and changes nothing, if it is %s", (_, message) => {
    const errors: { code?: unknown }[] = [];
    let hear: (payload: unknown, from: ReplicaId) => void = () => undefined;
    const messenger = {
      ...aloneMessenger(),
      onBroadcast: (_channel: string, listener: typeof hear) => {
        hear = listener;
        return () => undefined;
      },
    };
    const keyspace = new Keyspace(messenger, {}, { onError: (error) => errors.push(error as never) });
    open.push(keyspace);
    hear(message, "b@1" as ReplicaId);
    expect(errors).toMatchObject([{ code: "MALFORMED_KEYSPACE_MESSAGE" }]);
    expect(keyspace.size.keys).toBe(0);
    hear(["delta", ["b@1", 0, 1, [1], [item], []]], "b@1" as ReplicaId);
    expect(keyspace.getText("k")).toBe("x");
    hear(["of a later version", 1], "b@1" as ReplicaId);
    expect(errors).toHaveLength(1);
  });
});
