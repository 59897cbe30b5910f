import { afterEach, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { createNode, type PresentlyNode } from "../index.ts";
import { Barrier } from "./barrier.ts";

const nodes: PresentlyNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop({ handoffMs: 0 })));
});

async function start(count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const mesh = { port: 0, peers: nodes.map(({ meshUrl }) => meshUrl!) };
    const name = `n${index}`;
    // Changes wait: without the barrier they would come much later.
    const options = { name, cluster: "barrier", secret: "mesh", mesh, flushIntervalMs: 1_000 };
    nodes.push(await createNode({ ...options, logLevel: "silent" }));
  }
  await Promise.all(nodes.map((node) => node.whenReady()));
  await eventually(() => {
    for (const node of nodes)
      expect(node.cluster().filter(({ linked, status }) => linked && status === "up")).toHaveLength(
        count - 1,
      );
  });
}

test("behind the barrier everything is known that the others had done before", async () => {
  await start(3);
  const barrier = new Barrier(nodes[0]!);
  const sessions = nodes.slice(1).map((node) => node.session());
  for (let round = 1; round <= 20; round++) {
    for (const session of sessions) session.track("room", `${round}`);
    await Promise.all([barrier.passed(), barrier.passed()]);
    expect(nodes[0]!.count("room")).toEqual({ keys: round, entries: 2 * round });
  }
});

test("one that is asked for while another is under way does not settle with that one", async () => {
  const asked: (() => void)[] = [];
  const barrier = new Barrier({
    cluster: () => [{ replica: "b@1", linked: true, status: "up" }] as never,
    request: () => new Promise<unknown>((resolve) => asked.push(() => resolve(null))),
  });
  const settled: string[] = [];
  void barrier.passed().then(() => settled.push("first"));
  await eventually(() => expect(asked).toHaveLength(1));
  void barrier.passed().then(() => settled.push("second"));
  void barrier.passed().then(() => settled.push("third"));
  asked[0]!();
  await eventually(() => expect(asked).toHaveLength(2));
  expect(settled).toEqual(["first"]);
  asked[1]!();
  await eventually(() => expect(settled).toEqual(["first", "second", "third"]));
  expect(asked).toHaveLength(2);
});

test("nobody is waited for where nobody is, or who does not answer", async () => {
  await new Barrier({ cluster: () => [], request: () => Promise.reject(new Error("never")) }).passed();
  await new Barrier({
    cluster: () => [{ replica: "b@1", linked: true, status: "up" }] as never,
    request: () => Promise.reject(new Error("too late")),
  }).passed();
});
