/** `presently start --anycable --webhook`, as people run it: three processes that crash and are cut off. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cable, Channel } from "@anycable/core";
import { apiSecretFrom, signStream } from "@presently/anycable";
import { verifyWebhook } from "presently";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connectClient, presenceEvents } from "../conformance/anycable-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { ProcessCluster } from "../helpers/process-cluster.ts";
import { runCommand } from "../helpers/processes.ts";

const directory = mkdtempSync(join(tmpdir(), "presently-"));
const secretFile = join(directory, "secret");
const secret = "a secret of signer and server";
const receipts: string[] = [];
let receiver: Server;
let cluster: ProcessCluster | undefined;
const clients: Cable[] = [];

beforeAll(async () => {
  writeFileSync(secretFile, `${secret}\n`);
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const header = String(request.headers["presently-signature"]);
      if (verifyWebhook(secret, { header, body }))
        for (const { type, key } of JSON.parse(body).events)
          if (type === "join" || type === "leave") receipts.push(`${type === "join" ? "+" : "-"}${key}`);
      response.end();
    });
  });
  await new Promise<void>((listening) => receiver.listen(0, "127.0.0.1", listening));
});
afterAll(() => {
  receiver.closeAllConnections();
  receiver.close();
  rmSync(directory, { recursive: true });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await cluster?.close();
  cluster = undefined;
});

interface Person {
  readonly cable: Cable & { cut(): void };
  readonly channel: Channel;
  readonly events: string[];
  /** Where it connects next. */
  moveTo(node: string): void;
}

/** A client in the room; it comes back to the node that it was moved to. */
async function enter(node: string): Promise<Person> {
  const url = (name: string) => `${cluster!.node(name).url.replace("http", "ws")}/cable`;
  let place = url(node);
  const cable = connectClient(place, {
    transportConfigurator: async (transport) => {
      transport.setURL(place + new URL(transport.url).search);
    },
  });
  clients.push(cable);
  const channel = cable.streamFromSigned(signStream(secret, "room/42"));
  await channel.ensureSubscribed();
  return {
    cable,
    channel,
    events: presenceEvents(channel),
    moveTo: (next) => {
      place = url(next);
    },
  };
}

async function listed(node: string): Promise<string[]> {
  const headers = { authorization: `Bearer ${apiSecretFrom(secret)}` };
  const { status, body } = await send(cluster!.node(node).url, "/api/presence/room%2F42/users", { headers });
  expect(status).toBe(200);
  return (body.records ?? []).map(({ id }: { id: string }) => id).sort();
}

test("people of a crashed node who come back elsewhere were never away; a cut-off one shows the same again", async () => {
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const words = ["--anycable", "/cable", "--anycable-secret-file", secretFile, "--anycable-noauth"];
  const hooks = ["--webhook", url, "--webhook-secret-file", secretFile, "--webhook-topic", "room/*"];
  cluster = await ProcessCluster.start(3, { words: [...words, ...hooks] });
  const [ann, bob, watcher] = [await enter("n1"), await enter("n2"), await enter("n3")];
  await ann.channel.presence.join("ann", { name: "Ann" });
  await eventually(() => expect(watcher.events).toEqual(["+ann"]));
  await bob.channel.presence.join("bob", {});
  const all = ["+ann", "+bob"];
  await eventually(() => expect(watcher.events).toEqual(all));
  await eventually(() => expect(receipts).toEqual(all));
  expect(Object.keys((await watcher.channel.presence.info()) ?? {}).sort()).toEqual(["ann", "bob"]);

  // A crash: its client comes back to another node within the time to live.
  ann.moveTo("n2");
  await cluster.kill("n1");
  for (const name of ["n2", "n3"])
    await eventually(async () => {
      const { body } = await send(cluster!.node(name).url, "/api/topics/room%2F42");
      expect(Object.keys(body.presences).sort()).toEqual(["ann", "bob"]);
    });
  for (const name of ["n2", "n3"]) expect(await listed(name)).toEqual(["ann", "bob"]);
  expect(watcher.events).toEqual(all);
  expect(receipts).toEqual(all);

  // A cut between the two that are left, shorter than the time to live: nobody is told of anything.
  cluster.link("n2", "n3").cut();
  await eventually(async () => {
    const { body } = await send(cluster!.node("n3").url, "/api/topics/room%2F42");
    expect(body.presences).toEqual({});
  });
  expect(await listed("n3")).toEqual(["ann", "bob"]);
  cluster.link("n2", "n3").restore();
  await cluster.heal();
  await cluster.whole();
  for (const name of cluster.names) expect(await listed(name)).toEqual(["ann", "bob"]);
  expect(watcher.events).toEqual(all);

  await ann.channel.presence.leave();
  await eventually(() => expect(watcher.events).toEqual([...all, "-ann"]));
  await eventually(() => expect(receipts).toEqual([...all, "-ann"]));
});

test("a command that would let nobody in is refused before it starts", async () => {
  const { code, stderr } = await runCommand(["start", "--name", "a", "--anycable", "/cable"]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("--anycable-public")]);
});
