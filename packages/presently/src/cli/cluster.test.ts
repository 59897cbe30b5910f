import { expect, test } from "vitest";
import type { ClusterJson } from "../http/cluster-api.ts";
import { clusterText } from "./cluster.ts";
import { replicaNamed } from "./evict.ts";
import { CommandError } from "./failure.ts";

const other = {
  replica: "n2@2",
  node: "n2",
  status: "up",
  entries: 3,
  events: 12,
  heardAgoMs: 640,
  linked: true,
  agrees: true,
  agreedAgoMs: 900,
  address: "ws://127.0.0.1:7002",
};
const state = {
  node: "n1",
  replica: "n1@1",
  cluster: "shop",
  ready: true,
  replicas: [
    { ...other, replica: "n1@1", node: "n1", status: "self", linked: false, agrees: null, address: null },
    other,
    { ...other, replica: "n3@3", node: "n3", linked: false, agrees: null, agreedAgoMs: null, address: null },
    { ...other, replica: "n4@4", node: "n4", agrees: false, agreedAgoMs: 61_000 },
    {
      ...other,
      replica: "n4@3",
      node: "n4",
      status: "down",
      linked: false,
      agrees: false,
      heardAgoMs: 300_000,
    },
  ],
  links: [{ replica: "n4@4", bufferedBytes: 3_000_000 }],
  counters: { divergences: 0, nameConflicts: 0 },
  refused: {},
} as unknown as ClusterJson;

test("the table of the cluster says how far, how fresh and by which path", () => {
  expect(clusterText(state).split("\n")).toEqual([
    "NODE  REPLICA  STATUS  ENTRIES  EVENTS  HEARD       LINK                     AGREED            ADDRESS",
    "n1    n1@1     self    3        12      -           -                        -                 -",
    "n2    n2@2     up      3        12      640 ms ago  direct                   900 ms ago        ws://127.0.0.1:7002",
    "n3    n3@3     up      3        12      640 ms ago  through others           unknown           -",
    "n4    n4@4     up      3        12      640 ms ago  direct, 2930 KiB unsent  not since 61 s    ws://127.0.0.1:7002",
    "n4    n4@3     down    3        12      5 min ago   -                        not since 900 ms  ws://127.0.0.1:7002",
    "cluster shop, as n1 sees it; n1 is ready",
  ]);
});

test("a node that is not ready says why below the table of the cluster", () => {
  const text = clusterText({ ...state, ready: false, notReadyReason: "catching up with 1 peer" });
  expect(text.split("\n").at(-1)).toBe(
    "cluster shop, as n1 sees it; n1 is not ready: catching up with 1 peer",
  );
});

test("what had to be repaired or refused stands below the table of the cluster", () => {
  const text = clusterText({
    ...state,
    counters: { ...state.counters, divergences: 2 },
    refused: { SECRET: 3, "\u001b[31m": 1 },
  });
  expect(text.split("\n").slice(-2)).toEqual([
    "divergences found and repaired: 2",
    "refused connections by reason: SECRET 3, \\u{1b}[31m 1",
  ]);
});

test("a replica may be named by its node, if only one life of it is known", () => {
  expect(replicaNamed("n2", state).replica).toBe("n2@2");
  expect(replicaNamed("n4@3", state).replica).toBe("n4@3");
  expect(() => replicaNamed("n4", state)).toThrow(
    new CommandError('"n4" may be any of n4@4, n4@3: name one'),
  );
  expect(() => replicaNamed("n9", state)).toThrow(/^n1 knows no replica "n9"; it knows n1@1, n2@2, /);
});
