import { ObservedRemoveSet, replicaId } from "@presently/crdt";
import { describe, expect, test } from "vitest";
import { loneReplica } from "../../../test/helpers/virtual-cluster.ts";
import { resolveReplicaOptions } from "./options.ts";
import { checkRemovals } from "./removal-bounds.ts";

const [A, B] = [replicaId("a", 1), replicaId("b", 1)];
const settings = resolveReplicaOptions({ name: "a", incarnation: 1, pendingMax: 10, replicasMax: 2 });
const removal = (name: string, ...numbers: number[]) => ({ origin: replicaId(name, 1), numbers });
const refused = expect.objectContaining({ code: "PENDING_MAX" });

describe("what a peer makes us remember of the unknown", () => {
  const silent = { inserted: () => undefined, deleted: () => undefined };

  test("is bounded in entries: by what waits already, and not by what is known", () => {
    const set = new ObservedRemoveSet<string>(A, silent);
    for (let number = 1; number <= 20; number++) set.add(`${number}`);
    set.takeDelta();
    const known = Array.from({ length: 20 }, (_, index) => index + 1);
    checkRemovals(set, [{ origin: A, numbers: known }], settings);
    checkRemovals(set, [removal("b", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)], settings);
    expect(() => checkRemovals(set, [removal("b", ...known.slice(0, 11))], settings)).toThrow(refused);
    set.apply({
      origin: B,
      from: 0,
      to: 1,
      numbers: [],
      values: [],
      removals: [removal("c", 1, 2, 3, 4, 5, 6)],
    });
    expect(set.pendingSize).toBe(6);
    checkRemovals(set, [removal("c", 7, 8, 9, 10)], settings);
    expect(() => checkRemovals(set, [removal("c", 7, 8, 9, 10, 11)], settings)).toThrow(refused);
  });

  test("is bounded in replicas", () => {
    const set = new ObservedRemoveSet<string>(A, silent);
    const named = Array.from({ length: 7 }, (_, index) => removal(`x${index}`, 1));
    checkRemovals(set, named.slice(0, 6), settings);
    expect(() => checkRemovals(set, named, settings)).toThrow(refused);
  });

  test("costs who names more its link, and changes nothing else", () => {
    const replica = loneReplica({ pendingMax: 3 });
    replica.peerUp(B, 0);
    const delta = {
      origin: B,
      from: 0,
      to: 1,
      numbers: [],
      values: [],
      removals: [removal("c", 1, 2, 3, 4)],
    };
    expect(() => replica.receive(B, { type: "delta", delta }, 1)).toThrow(refused);
    expect(replica.state.vectorOf(B)).toBe(0);
    replica.receive(B, { type: "delta", delta: { ...delta, removals: [removal("c", 1, 2, 3)] } }, 2);
    expect(replica.state.vectorOf(B)).toBe(1);
  });
});
