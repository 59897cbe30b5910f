/** Silent clients, and servers that send their clients away. */
import { afterEach, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { PusherCluster, RawClient } from "./pusher-cluster.ts";

let cluster: PusherCluster;
afterEach(() => cluster.stop());

test("PU4: a mute client is pinged, and closed with 4201; a ping is answered", async () => {
  cluster = await PusherCluster.start(1, { activityTimeoutMs: 300, pongTimeoutMs: 300 });
  const mute = await new RawClient(cluster.sites[0]!.port).open();
  mute.say("pusher:ping", {});
  await mute.told("pusher:pong");
  await mute.told("pusher:ping");
  expect(await mute.end()).toBe(4201);
});

test("PU5, PU6: a drain closes with 4200, a stop with 4100", async () => {
  cluster = await PusherCluster.start(2);
  const [drained, stopped] = await Promise.all(cluster.sites.map(({ port }) => new RawClient(port).open()));
  await cluster.sites[0]!.node.drain();
  expect(await drained!.end()).toBe(4200);
  expect(await new RawClient(cluster.sites[0]!.port).end()).toBe(4100);
  await cluster.sites[1]!.node.stop({ handoffMs: 0 });
  await eventually(() => expect(stopped!.closed?.code).toBe(4100));
});
