import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { eventually } from "../../../../../test/helpers/eventually.ts";
import { keysOn, send } from "../../../../../test/helpers/http.ts";
import { freePort } from "../../../../../test/helpers/processes.ts";
import { createNode, type PresentlyNode } from "../../node.ts";
import { Affinity } from "./affinity.ts";
import { Relay } from "./relay.ts";
import { attachSwitchboard } from "./switchboard.ts";

const directory = mkdtempSync(join(tmpdir(), "presently-"));
afterAll(() => rmSync(directory, { recursive: true }));
const nodes: PresentlyNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop({ handoffMs: 0 })));
});

async function member(
  peer: string | undefined,
): Promise<{ node: PresentlyNode; tellGroup: (text?: string) => void }> {
  const node = await createNode({
    name: "n-1",
    secret: "s",
    logLevel: "silent",
    readyGraceMs: 60_000,
    mesh: { port: 0, peers: peer === undefined ? [] : [peer] },
    http: { port: 0 },
  });
  nodes.push(node);
  let notReady: string | undefined;
  const relay = new Relay({ directory, slot: 1, server: () => node.httpServer, answer: async () => [] });
  await relay.listen();
  const affinity = new Affinity({ processes: 1, phoenix: undefined, faye: undefined, addressOf: () => "" });
  attachSwitchboard({ node, slot: 1, affinity, relay, groupNotReady: () => notReady });
  void node.whenStopping.then(() => relay.close());
  return {
    node,
    tellGroup: (text) => {
      notReady = text;
    },
  };
}

test("what comes before the node has caught up waits until it has, and sees everybody", async () => {
  const port = await freePort();
  const { node } = await member(`ws://127.0.0.1:${port}`);
  const answers: string[][] = [];
  const asked = keysOn(node.httpUrl!, "room").then((keys) => void answers.push(keys));
  const put = send(node.httpUrl!, "/api/topics/room/presences/bob", {
    method: "PUT",
    body: { meta: { n: 1 } },
  });
  expect((await send(node.httpUrl!, "/readyz")).status).toBe(503);
  expect((await send(node.httpUrl!, "/healthz")).status).toBe(200);
  expect(answers).toEqual([]);
  const other = await createNode({ name: "n-2", secret: "s", logLevel: "silent", mesh: { port } });
  nodes.push(other);
  other.session().track("room", "alice");
  await asked;
  expect(answers[0]).toContain("alice");
  expect((await put).status).toBe(201);
  expect(node.get("room", "bob")[0]?.meta).toEqual({ n: 1 });
});

test("what waits when the node stops is refused", async () => {
  const { node } = await member(`ws://127.0.0.1:${await freePort()}`);
  const asked = send(node.httpUrl!, "/api/topics/room");
  await eventually(async () => {
    const open = await new Promise<number>((resolve) =>
      node.httpServer!.getConnections((_, count) => resolve(count)),
    );
    expect(open).toBeGreaterThan(0);
  });
  // The request itself comes in the same turn as its connection, or a turn later.
  await send(node.httpUrl!, "/healthz");
  await node.stop();
  expect((await asked).status).toBe(503);
});

test("a node that is ready is not, as long as its group is not", async () => {
  const { node, tellGroup } = await member(undefined);
  await node.whenReady();
  tellGroup("process 2 of 2 is not ready");
  const { status, body } = await send(node.httpUrl!, "/readyz");
  expect([status, body.error]).toEqual([503, { code: "NOT_READY", message: "process 2 of 2 is not ready" }]);
  tellGroup();
  expect((await send(node.httpUrl!, "/readyz")).status).toBe(200);
});
