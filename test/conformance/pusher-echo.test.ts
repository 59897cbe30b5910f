/** Laravel Echo over three nodes behaves as over one. */
import Echo from "laravel-echo";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { type PusherClient, PusherCluster } from "./pusher-cluster.ts";

let cluster: PusherCluster;
beforeAll(async () => {
  cluster = await PusherCluster.start(3);
});
afterAll(() => cluster.stop());

async function echoOf(at: number, id?: string): Promise<[Echo<"pusher">, PusherClient]> {
  const client = await cluster.connect(at, id === undefined ? undefined : { id, info: { id } });
  return [new Echo({ broadcaster: "pusher", client } as never), client];
}

test("PU40: here, joining, leaving, listen, whisper and toOthers work from node to node", async () => {
  const [ann, annClient] = await echoOf(0, "ann");
  const [ben, benClient] = await echoOf(1, "ben");
  const told: string[] = [];
  const idsOf = (members: { id: string }[]) => members.map(({ id }) => id).join(",");
  const room = ann
    .join("room")
    .here((members: { id: string }[]) => told.push(`here ${idsOf(members)}`))
    .joining(({ id }: { id: string }) => told.push(`joining ${id}`))
    .leaving(({ id }: { id: string }) => told.push(`leaving ${id}`))
    .listen("Ordered", ({ n }: { n: number }) => told.push(`ordered ${n}`))
    .listenForWhisper("typing", ({ who }: { who: string }) => told.push(`whisper ${who}`));
  await eventually(() => expect(told).toEqual(["here ann"]));
  const heardByBen: unknown[] = [];
  const here = new Promise<{ id: string }[]>((resolve) => {
    ben
      .join("room")
      .here(resolve)
      .listen("Ordered", (event: unknown) => heardByBen.push(event));
  });
  expect(idsOf(await here)).toBe("ann,ben");
  await eventually(() => expect(told.at(-1)).toBe("joining ben"));
  ben.join("room").whisper("typing", { who: "ben" });
  await eventually(() => expect(told.at(-1)).toBe("whisper ben"));
  // What Laravel does for toOthers(): the id of the sender's socket is in the header X-Socket-Id.
  const exceptBen = { socket_id: ben.socketId()! };
  await cluster.library(2).trigger("presence-room", "App\\Events\\Ordered", { n: 1 }, exceptBen);
  await eventually(() => expect(told.at(-1)).toBe("ordered 1"));
  expect(heardByBen).toEqual([]);
  benClient.disconnect();
  await eventually(() => expect(told.at(-1)).toBe("leaving ben"));
  expect(room).toBeDefined();
  annClient.disconnect();
});

test("PU10: a refusal reaches .error()", async () => {
  const [stranger] = await echoOf(2);
  const refused = new Promise((resolve) => {
    stranger.join("room").error(resolve);
  });
  expect(await refused).toMatchObject({ type: "AuthError" });
});
