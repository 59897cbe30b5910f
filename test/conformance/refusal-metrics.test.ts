/** What drop-ins refuse is in the metrics of their node, by the protocol and the reason. */
import { Cable } from "@presently/anycable";
import { serveEndpoint } from "@presently/phoenix";
import { createNode, type PresentlyNode } from "presently";
import { afterEach, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { endHostiles, RawClient } from "../helpers/hostile.ts";
import { accessByToken, tokenOf } from "../helpers/tokens.ts";
import { connectClient, join } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

const ends: (() => unknown)[] = [];
afterEach(async () => {
  endHostiles();
  for (const end of ends.splice(0).reverse()) await end();
});

/** `protocol reason` → count, of those that are not 0; and the protocols that there are. */
async function refusals({ httpUrl }: PresentlyNode) {
  const headers = { authorization: `Bearer ${tokenOf("operator", ["inspect:metrics"])}` };
  const text = await (await fetch(`${httpUrl}/metrics`, { headers })).text();
  const series = text.matchAll(
    /^presently_drop_in_refused_total\{.*protocol="(\w+)",reason="([\w-]+)".*\} (\d+)$/gm,
  );
  const counts: Record<string, number> = {};
  const protocols = new Set<string>();
  for (const [, protocol, reason, count] of series) {
    protocols.add(protocol!);
    if (count !== "0") counts[`${protocol} ${reason}`] = Number(count);
  }
  return { protocols: [...protocols], counts };
}

async function statusOf(node: PresentlyNode, token: string): Promise<number | undefined> {
  const raw = await RawClient.upgrade(`${node.httpUrl}/socket/websocket`, {
    query: `vsn=2.0.0&token=${token}`,
  });
  const { status } = raw;
  raw.destroy();
  return status;
}

test("a client that is refused is counted, and so is what one that is in may not do", async () => {
  const node = await createNode({
    name: "a",
    http: { port: 0 },
    access: accessByToken(),
    logLevel: "silent",
  });
  ends.push(() => node.stop({ handoffMs: 0 }));
  expect(await refusals(node)).toEqual({ protocols: [], counts: {} });
  const socket = serveEndpoint(node, { limits: { connectionsPerAddressMax: 1 } });
  const cable = new Cable(node);
  ends.push(() => cable.close());
  expect(await refusals(node)).toEqual({ protocols: ["phoenix", "anycable"], counts: {} });

  for (let number = 0; number < 2; number++) expect(await statusOf(node, "made-up")).toBe(403);
  const url = `${node.httpUrl!.replace("http", "ws")}/socket`;
  const client = connectClient(url, { authToken: tokenOf("bob", ["watch:room:1"]) });
  ends.push(() => client.disconnect());
  await join(client, "room:1");
  expect(await statusOf(node, tokenOf("alice"))).toBe(429);
  // A channel that is refused joins again after a second, unless it is left.
  const refused = client.channel("room:2");
  await new Promise<void>((told) =>
    refused.join().receive("error", () => {
      refused.leave();
      told();
    }),
  );
  // Bob may watch his room, and not be present there.
  const counts = { "phoenix unauthenticated": 2, "phoenix too-many": 1, "phoenix forbidden": 2 };
  expect((await refusals(node)).counts).toEqual(counts);

  client.disconnect();
  socket.close();
  serveEndpoint(node, { path: "/socket" });
  await eventually(async () => {
    // Another drop-in of the protocol goes on counting where the first one ended.
    expect(await statusOf(node, "made-up")).toBe(403);
    const { counts: now } = await refusals(node);
    expect(now["phoenix unauthenticated"]).toBeGreaterThan(2);
  });
});
