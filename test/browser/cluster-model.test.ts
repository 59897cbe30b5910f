import { describe, expect, it } from "vitest";
import { type ClusterOnPage, pageModule } from "./page-modules.ts";

const { clusterModel } = await pageModule("cluster-model.js");

describe("the cluster panel", () => {
  const replica = (node: string, status: string, more: object = {}) => ({
    node,
    status,
    replica: `${node}@1`,
    entries: 1,
    heardAgoMs: 10,
    linked: status === "up",
    agrees: status === "up" ? true : null,
    ...more,
  });
  const report = (...others: object[]) => ({ node: "n1", replicas: [replica("n1", "self"), ...others] });
  const demo = (states: Record<string, string>, cuts: string[] = []) => ({
    nodes: Object.entries(states).map(([name, processState]) => ({
      name,
      state: processState,
      url: `http://${name}`,
    })),
    links: [
      { a: "n1", b: "n2", cut: cuts.includes("n1 n2") },
      { a: "n1", b: "n3", cut: cuts.includes("n1 n3") },
      { a: "n2", b: "n3", cut: cuts.includes("n2 n3") },
    ],
  });
  const statuses = ({ nodes }: ClusterOnPage) =>
    Object.fromEntries(nodes.map(({ name, status }) => [name, status]));
  const links = (model: ClusterOnPage) =>
    Object.fromEntries(model.links.map(({ a, b, status }) => [`${a} ${b}`, status]));
  const running = { n1: "running", n2: "running", n3: "running" };

  it("draws, without a demo, only the links that this node can know of", () => {
    const model = clusterModel(report(replica("n10", "up"), replica("n2", "down")), false, undefined);
    expect(model.nodes.map(({ name }) => name)).toEqual(["n1", "n2", "n10"]);
    expect(links(model)).toEqual({ "n1 n2": "down", "n1 n10": "up" });
  });

  it("tells a node that is heard through others from one that is gone", () => {
    const model = clusterModel(
      report(replica("n2", "up", { linked: false }), replica("n3", "suspect")),
      false,
      undefined,
    );
    expect(links(model)).toEqual({ "n1 n2": "indirect", "n1 n3": "down" });
  });

  it("shows the latest life of a node that is known by several", () => {
    const lives = [replica("n2", "down", { replica: "n2@1" }), replica("n2", "up", { replica: "n2@2" })];
    for (const replicas of [lives, lives.toReversed()]) {
      expect(statuses(clusterModel(report(...replicas), false, undefined))).toEqual({ n1: "up", n2: "up" });
    }
  });

  it("shows what was cut, and in a demo every link", () => {
    const model = clusterModel(
      report(replica("n2", "up"), replica("n3", "up")),
      false,
      demo(running, ["n2 n3"]),
    );
    expect(links(model)).toEqual({ "n1 n2": "up", "n1 n3": "up", "n2 n3": "cut" });
  });

  it("claims nothing of the others once its own node is silent, but what the supervisor knows", () => {
    const model = clusterModel(
      report(replica("n2", "up"), replica("n3", "up")),
      true,
      demo({ ...running, n1: "stopped" }),
    );
    expect(statuses(model)).toEqual({ n1: "stopped", n2: "unknown", n3: "unknown" });
    expect(links(model)).toEqual({ "n1 n2": "down", "n1 n3": "down", "n2 n3": "up" });
    expect(statuses(clusterModel(report(replica("n2", "up")), true, undefined))).toEqual({
      n1: "silent",
      n2: "unknown",
    });
  });

  it.each([
    ["whose last digest agreed", { agrees: true, agreedAgoMs: 10 }, true],
    ["that agreed a moment ago, while changes travel", { agrees: false, agreedAgoMs: 900 }, true],
    ["that has not agreed for a while", { agrees: false, agreedAgoMs: 9_000 }, false],
    ["that never agreed", { agrees: false, agreedAgoMs: null }, false],
    ["of which no digest came", { agrees: null, agreedAgoMs: null }, undefined],
    ["whose digests do not come here", { linked: false, agrees: true, agreedAgoMs: 10 }, undefined],
    ["that is down", { status: "down", linked: false, agrees: true, agreedAgoMs: 10 }, undefined],
  ])("gives of a node %s the right verdict", (_, digest, agrees) => {
    expect(clusterModel(report(replica("n2", "up", digest)), false, undefined).nodes[1]?.agrees).toBe(agrees);
  });
});
