/** What the dashboard asks for besides what programs do: who sees whom, and what happens. */
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { openEventsAt, send } from "../../../../test/helpers/http.ts";
import { createNode, type PresentlyNode } from "../node.ts";
import type { HttpOptions } from "../node-options.ts";
import { NoticeBoard } from "./notice-board.ts";

let nodes: PresentlyNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  nodes = [];
});

async function start(name: string, http: Partial<HttpOptions> | undefined = {}): Promise<PresentlyNode> {
  const peers = nodes.map((node) => node.meshUrl!);
  const node = await createNode({
    name,
    logLevel: "silent",
    mesh: { port: 0, peers },
    ...(http === undefined ? {} : { http: { port: 0, ...http } }),
  });
  nodes.push(node);
  await node.whenReady();
  return node;
}

describe("a survey of the cluster", () => {
  test("says how far each linked node is, what it runs, whom it sees and how long it took to ask", async () => {
    const a = await start("a");
    const b = await start("b");
    a.session().track("room", "ada");
    await eventually(async () => {
      const { status, body } = await send(b.httpUrl!, "/api/cluster/peers");
      expect([status, body.version]).toEqual([200, expect.stringMatching(/^\d+\.\d+\.\d+/)]);
      expect(body.peers).toEqual([
        {
          ...{ replica: a.replica, node: "a", failure: null },
          roundTripMs: expect.any(Number),
          askedAgoMs: expect.any(Number),
          outlook: {
            ...{ version: body.version, ready: true, sync: null },
            sees: [
              { replica: a.replica, status: "self", linked: false, events: 1 },
              { replica: b.replica, status: "up", linked: true, events: 0 },
            ],
          },
        },
      ]);
    });
  });

  test("names whoever cannot say, and still knows how long the way is", async () => {
    const quiet = await createNode({ name: "quiet", logLevel: "silent", mesh: { port: 0 } });
    nodes.push(quiet);
    const a = await start("a");
    const { body } = await send(a.httpUrl!, "/api/cluster/peers");
    expect(body.peers).toMatchObject([{ node: "quiet", failure: "REQUEST_UNHANDLED", outlook: null }]);
    expect(body.peers[0].roundTripMs).toBeGreaterThan(0);
  });

  test("believes no answer of another shape", async () => {
    const odd = await createNode({ name: "odd", logLevel: "silent", mesh: { port: 0 } });
    odd.onRequest("presently/outlook", () => ({ version: 7, ready: "yes", sees: {} }));
    nodes.push(odd);
    const a = await start("a");
    const { body } = await send(a.httpUrl!, "/api/cluster/peers");
    expect(body.peers).toMatchObject([{ node: "odd", failure: "REQUEST_FAILED", outlook: null }]);
  });
});

describe("the stream of notices", () => {
  test("starts with what happened, and tells what happens, numbered", async () => {
    const a = await start("a");
    const b = await start("b");
    const stream = await openEventsAt(a.httpUrl!, "/api/cluster/notices");
    const state = (await stream.at(0)).data;
    expect(state.notices).toContainEqual(
      expect.objectContaining({ type: "replica-up", level: "info", message: `${b.replica} is up` }),
    );
    await b.stop();
    nodes.pop();
    await eventually(() => expect(stream.events.map(({ data }) => data.type)).toContain("replica-evicted"));
    const numbers = stream.events.slice(1).map(({ data }) => data.number);
    expect(numbers).toEqual(numbers.map((_, index) => state.number + 1 + index));
    stream.close();
  });

  test("counts among the event streams of the node, and ends with it", async () => {
    const a = await start("a", { streamsMax: 1 });
    const stream = await openEventsAt(a.httpUrl!, "/api/cluster/notices");
    const refused = await send(a.httpUrl!, "/api/cluster/notices");
    expect([refused.status, refused.body.error.code]).toEqual([429, "LIMIT_REACHED"]);
    await a.stop();
    await eventually(() => expect(stream.ended).toBe(true));
  });

  test("keeps a bounded number, and says how many of a flood it left out", () => {
    let nowMs = 1_000_000;
    const board = new NoticeBoard(() => nowMs);
    const post = (type: string, facts: object = {}) =>
      board.post({ type, level: "info", message: type, ...facts });
    for (let index = 0; index < 1_000; index++) post("flood");
    nowMs += 1_000;
    post("after");
    for (let index = 0; index < 500; index++) {
      nowMs += 1_000;
      post("slow", { big: "x".repeat(5_000) });
    }
    let sent = "";
    board.add({ begin: (event: Uint8Array) => (sent = Buffer.from(event).toString()) } as never);
    const { notices } = JSON.parse(sent.slice(sent.indexOf("{")));
    expect(notices).toHaveLength(200);
    expect(notices.at(-1)).toMatchObject({ number: 541, type: "slow", facts: {}, skipped: 0 });
    expect(sent.length).toBeLessThan(200 * 2_500);

    const flooded = new NoticeBoard(() => nowMs);
    for (let index = 0; index < 100; index++)
      flooded.post({ type: "flood", level: "warn", message: "flood" });
    nowMs += 1_000;
    flooded.post({ type: "after", level: "warn", message: "after", cycle: flooded, amount: 1n });
    flooded.add({ begin: (event: Uint8Array) => (sent = Buffer.from(event).toString()) } as never);
    const kept = JSON.parse(sent.slice(sent.indexOf("{"))).notices;
    expect(kept).toHaveLength(41);
    expect(kept.at(-1)).toMatchObject({ type: "after", facts: {}, skipped: 60 });
  });
});
