/**
 * Clients whose token has expired must not become a load: each stops, or waits longer and longer. What is counted is how often
 * the node's `authenticate` is asked; pauses are measured against those that the client has by its own options, which a slow
 * machine can only lengthen. `access-faye.test.ts` and `anycable-secret.test.ts` have those of Faye and AnyCable.
 */
import { createClient } from "@presently/client";
import { serveEndpoint } from "@presently/phoenix";
import { LongPoll, Socket } from "phoenix";
import { type Access, createNode } from "presently";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { handmadeToken, secondsFromNow } from "../helpers/hostile.ts";
import { accessByToken, TOKEN_SECRET } from "../helpers/tokens.ts";
import { Sites } from "./socketcluster-cluster.ts";

vi.setConfig({ testTimeout: 60_000 });

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** When it was asked who somebody is. */
class Door implements Access {
  readonly askedAt: number[] = [];
  readonly #inner = accessByToken();
  readonly authorize = this.#inner.authorize;

  authenticate(credentials: Parameters<Access["authenticate"]>[0]) {
    this.askedAt.push(performance.now());
    return this.#inner.authenticate(credentials);
  }
}

const expired = handmadeToken({ sub: "ann", presently: ["*"], exp: secondsFromNow(-60) }, TOKEN_SECRET);

/** Waits until it was asked once more than there are pauses, and looks at each of them. A timer may be a little early. */
async function expectPauses({ askedAt }: Door, pausesMs: readonly number[]): Promise<void> {
  await eventually(() => expect(askedAt.length).toBeGreaterThan(pausesMs.length));
  for (const [index, pauseMs] of pausesMs.entries())
    expect(askedAt[index + 1]! - askedAt[index]!).toBeGreaterThanOrEqual(pauseMs - 5);
}

async function servePhoenix(access: Access): Promise<string> {
  const node = await createNode({ name: "a", http: { port: 0 }, access, logLevel: "silent" });
  ends.push(() => node.stop());
  serveEndpoint(node);
  return `${node.httpUrl!.replace("http", "ws")}/socket`;
}

test.each([
  ["WebSocket", WebSocket],
  ["long-polling", LongPoll],
])("phoenix.js waits longer from attempt to attempt, over %s", async (_, transport) => {
  const door = new Door();
  const socket = new Socket(await servePhoenix(door), {
    transport: transport as never,
    authToken: expired,
  } as object);
  ends.push(() => new Promise<void>((closed) => socket.disconnect(closed)));
  socket.connect();
  await expectPauses(door, [10, 50, 100, 150, 200, 250]);
});

test("@presently/client stops after a few attempts, until it is told to go on", async () => {
  const door = new Door();
  const client = createClient(await servePhoenix(door), { token: expired, transport: WebSocket });
  ends.push(() => client.close());
  await expect(client.join("room").whenJoined()).rejects.toMatchObject({
    code: "UNAUTHORIZED",
    temporary: false,
  });
  expect(client.status).toBe("refused");
  // Two attempts, and the question why; perhaps one more attempt while that was asked.
  expect(door.askedAt.length).toBeLessThanOrEqual(4);
});

test("socketcluster-client waits longer from attempt to attempt", async () => {
  const door = new Door();
  const sites = new Sites();
  ends.push(() => sites.stop());
  const [site] = await sites.start(["a"], { node: { access: door } });
  void sites.connect(site!);
  // By the options of the helper: 50 ms, growing by half up to 200.
  await expectPauses(door, [50, 75, 112, 168, 200, 200]);
});
