/** Presence, as the npm client `@anycable/core` sees it, on clusters of real nodes in one process. */
import type { Channel, Cable as Client } from "@anycable/core";
import type { CableOptions } from "@presently/anycable";
import type { NodeOptions } from "presently";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import {
  type CableNode,
  type ClientOptions,
  connectClient,
  presenceEvents,
  startCableNodes,
} from "./anycable-client.ts";

vi.setConfig({ testTimeout: 60_000 });

const clients: Client[] = [];
const running: CableNode[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(running.splice(0).map((node) => node.stop()));
});

async function start(
  count: number,
  options: CableOptions<unknown> = {},
  nodeOptions: Partial<NodeOptions> = {},
): Promise<CableNode[]> {
  const names = ["a", "b", "c"].slice(0, count);
  const nodes = await startCableNodes(names, { publicStreams: true, ...options }, nodeOptions);
  running.push(...nodes);
  return nodes;
}

function client(node: CableNode, options: ClientOptions = {}) {
  const connected = connectClient(node.url, options);
  clients.push(connected);
  return connected;
}

/** A client in the room, with all that it hears of presence. */
async function enter(node: CableNode, stream = "room/42", options: ClientOptions = {}) {
  const cable = client(node, options);
  const channel = cable.streamFrom(stream);
  await channel.ensureSubscribed();
  return { cable, channel, events: presenceEvents(channel) };
}

const ids = async (channel: Channel) => Object.keys((await channel.presence.info()) ?? {}).sort();
const present = (node: CableNode, stream = "room/42") =>
  node.cable
    .presence(stream)
    .map(({ id }) => id)
    .sort();

test("the guide's room on three nodes: join, info, leave, and the events of all", async () => {
  const [a, b, c] = (await start(3)) as [CableNode, CableNode, CableNode];
  const [ann, bob, cyd] = [await enter(a), await enter(b), await enter(c)];
  const everybody = [ann, bob, cyd];
  // `watch` begins with the first `info`; before anybody is here it is empty.
  for (const { channel } of everybody) expect(await channel.presence.info()).toEqual({});
  await ann.channel.presence.join("7", { name: "Ann" });
  await eventually(() => {
    for (const { events } of everybody) expect(events).toEqual(["+7"]);
  });
  await bob.channel.presence.join(8, undefined as never);
  await eventually(async () => {
    for (const { channel } of everybody) expect(await ids(channel)).toEqual(["7", "8"]);
  });
  expect(await cyd.channel.presence.info()).toEqual({ 7: { name: "Ann" }, 8: undefined });
  await ann.channel.presence.leave();
  await eventually(async () => {
    for (const { events, channel } of everybody) {
      expect(events).toEqual(["+7", "+8", "-7"]);
      expect(await ids(channel)).toEqual(["8"]);
    }
  });
  // Somebody who comes now is told the same.
  const dan = await enter(a);
  expect(await dan.channel.presence.info()).toEqual({ 8: undefined });
});

test("two sessions of one id on two nodes are one person, with the info of the latest join, who leaves with the last", async () => {
  const [a, b, c] = (await start(3)) as [CableNode, CableNode, CableNode];
  const watcher = await enter(c);
  const [phone, laptop] = [await enter(a), await enter(b)];
  await phone.channel.presence.join("7", { device: "phone" });
  await eventually(() => expect(watcher.events).toEqual(["+7"]));
  await eventually(() => expect(laptop.events).toEqual(["+7"]));
  await laptop.channel.presence.join("7", { device: "laptop" });
  await eventually(async () => {
    for (const node of [a, b, c])
      expect(node.cable.presence("room/42")).toEqual([{ id: "7", info: { device: "laptop" } }]);
  });
  laptop.channel.disconnect();
  await eventually(() => expect(b.node.count("room/42").entries).toBe(1));
  // The info stays that of the latest join, also for a node that asks now.
  await eventually(() => {
    for (const node of [a, b, c])
      expect(node.cable.presence("room/42")).toEqual([{ id: "7", info: { device: "laptop" } }]);
  });
  await phone.channel.presence.leave();
  await eventually(() => expect(watcher.events).toEqual(["+7", "-7"]));
});

describe("a connection that breaks", () => {
  test("and comes back to another node within the time to live was never away", async () => {
    const [a, b, c] = (await start(3, { presenceTtlMs: 10_000 })) as [CableNode, CableNode, CableNode];
    const watcher = await enter(c);
    const ann = await enter(a, "room/42", {
      transportConfigurator: async (transport, { initial }) => {
        // As a load balancer does that sends it elsewhere.
        if (!initial) transport.setURL(transport.url.replace(a.url, b.url));
      },
    });
    await ann.channel.presence.join("7", { name: "Ann" });
    await eventually(() => expect(watcher.events).toEqual(["+7"]));
    const reconnected = new Promise<{ restored: boolean }>((resolve) => {
      ann.cable.on("connect", (event) => resolve(event as { restored: boolean }));
    });
    ann.cable.cut();
    expect((await reconnected).restored).toBe(true);
    await eventually(() => expect(c.node.get("room/42", "7").map(({ node }) => node)).toEqual(["b"]));
    expect(b.cable.connections).toBe(1);
    // It is there for good: leaving is told at once, by the node that has it now.
    await ann.channel.presence.leave();
    await eventually(() => expect(watcher.events).toEqual(["+7", "-7"]));
    expect(present(a)).toEqual([]);
  });

  test("is a leave for everybody after the time to live, and a join when it comes back", async () => {
    const [a, b] = (await start(2, { presenceTtlMs: 300 })) as [CableNode, CableNode];
    const watcher = await enter(b);
    let waits = true;
    const ann = await enter(a, "room/42", {
      transportConfigurator: async (_, { initial }) => {
        if (!initial) await eventually(() => expect(waits).toBe(false));
      },
    });
    await ann.channel.presence.join("7", { name: "Ann" });
    await eventually(() => expect(watcher.events).toEqual(["+7"]));
    ann.cable.cut();
    await eventually(() => expect(watcher.events).toEqual(["+7", "-7"]));
    waits = false;
    await eventually(() => expect(watcher.events).toEqual(["+7", "-7", "+7"]));
    expect(present(a)).toEqual(["7"]);
  });

  test("knows, when it resumes, who came and went meanwhile, at its own node and at another", async () => {
    const [a, b, c] = (await start(3)) as [CableNode, CableNode, CableNode];
    for (const target of [a, b]) {
      const stream = `room/${target.node.name}`;
      let waits = true;
      const ann = await enter(a, stream, {
        transportConfigurator: async (transport, { initial }) => {
          if (initial) return;
          await eventually(() => expect(waits).toBe(false));
          transport.setURL(transport.url.replace(a.url, target.url));
        },
      });
      const [old, fresh] = [await enter(c, stream), await enter(c, stream)];
      await old.channel.presence.join("old", {});
      await eventually(() => expect(ann.events).toEqual(["+old"]));
      expect(await ids(ann.channel)).toEqual(["old"]);
      ann.cable.cut();
      await eventually(() => expect(a.cable.connections).toBe(0));
      await old.channel.presence.leave();
      await fresh.channel.presence.join("fresh", { n: 1 });
      for (const node of [a, b]) await eventually(() => expect(present(node, stream)).toEqual(["fresh"]));
      const restored = new Promise((resolve) => {
        ann.cable.on("connect", (event) => resolve((event as { restored: boolean }).restored));
      });
      waits = false;
      expect(await restored).toBe(true);
      // The client answers from its cache: no new list is asked for after a resumption.
      await eventually(async () => expect(await ann.channel.presence.info()).toEqual({ fresh: { n: 1 } }));
      ann.cable.disconnect();
      await eventually(() => expect(target.cable.connections).toBe(0));
    }
  });
});

test("ids of every kind come back as they are, and numbers as texts", async () => {
  const [a, b] = (await start(2)) as [CableNode, CableNode];
  const names = ["7", "🙂", "ключ", "constructor", "toString", "a b/c", "__proto__"];
  const people = [];
  for (const name of names) {
    const person = await enter(a);
    await person.channel.presence.join(name, { name });
    people.push(person);
  }
  const seven = await enter(a);
  await seven.channel.presence.join(7 as never, { name: "7" });
  await eventually(() => expect(present(b)).toEqual([...names].sort()));
  for (const { id, info } of b.cable.presence("room/42")) expect(info).toEqual({ name: id });
});

test("a base-protocol client hears presence, and stays present for as long as it is connected", async () => {
  const [a, b] = (await start(2, { presenceTtlMs: 200 })) as [CableNode, CableNode];
  const base = client(a, { protocol: "actioncable-v1-json" as never });
  const channel = base.streamFrom("room/42");
  const heard: unknown[] = [];
  channel.on("message", (message) => void heard.push(message));
  await channel.ensureSubscribed();
  const ann = await enter(b);
  await ann.channel.presence.join("7", { name: "Ann" });
  await eventually(() => expect(heard).toEqual([{ type: "join", id: "7", info: { name: "Ann" } }]));
});

test("a node that drains sends its clients elsewhere, where they go on with their sessions", async () => {
  const [a, b, c] = (await start(3)) as [CableNode, CableNode, CableNode];
  const watcher = await enter(c);
  const ann = await enter(a, "room/42", {
    transportConfigurator: async (transport, { initial }) => {
      if (!initial) transport.setURL(transport.url.replace(a.url, b.url));
    },
  });
  await ann.channel.presence.join("7", { name: "Ann" });
  await eventually(() => expect(watcher.events).toEqual(["+7"]));
  const restored = new Promise((resolve) => {
    ann.cable.on("connect", (event) => resolve((event as { restored: boolean }).restored));
  });
  await a.cable.drain();
  expect(await restored).toBe(true);
  await eventually(() => expect(c.node.get("room/42", "7").map(({ node }) => node)).toEqual(["b"]));
  expect(watcher.events).toEqual(["+7"]);
});

test("graceful stops hand their people over: who is back in time was never away", async () => {
  const [a, b, c] = (await start(3)) as [CableNode, CableNode, CableNode];
  const watcher = await enter(c);
  const ann = await enter(a, "room/42", {
    transportConfigurator: async (transport, { initial }) => {
      if (!initial) transport.setURL(transport.url.replace(a.url, b.url));
    },
  });
  await ann.channel.presence.join("7", { name: "Ann" });
  await eventually(() => expect(watcher.events).toEqual(["+7"]));
  running.splice(running.indexOf(a), 1);
  await a.stop(10_000);
  await eventually(() => expect(c.node.get("room/42", "7").map(({ node }) => node)).toEqual(["b"]));
  await ann.channel.presence.leave();
  await eventually(() => expect(watcher.events).toEqual(["+7", "-7"]));
});

test("channels of the application say where presence lives, and join on a client's behalf", async () => {
  const [a, b] = await start(2, { authenticate: ({ params }) => ({ user: params.get("user") ?? "nobody" }) });
  for (const { cable } of [a!, b!])
    cable.channel("ChatChannel", {
      subscribe: (subscription) => {
        const { room } = subscription.params;
        if (room === "secret") return false;
        subscription.streamFrom(`chat:${room}`);
        subscription.presenceFrom(`people:${room}`);
        subscription.state.room = room;
        const { user } = subscription.identifiers as { user: string };
        if (user !== "nobody") subscription.join(user, { online: true });
        return undefined;
      },
      actions: {
        speak: async ({ text }, subscription) => {
          await cable.broadcast(`chat:${subscription.state.room}`, { text }, { except: subscription.sid });
          subscription.transmit({ sent: text });
        },
        away: (_, subscription) => subscription.leave(),
        fail: () => {
          throw new Error("on purpose");
        },
      },
    });
  const watcher = client(b!).subscribeTo("ChatChannel", { room: "1" });
  await watcher.ensureSubscribed();
  const events = presenceEvents(watcher);
  const heard: unknown[] = [];
  watcher.on("message", (message) => void heard.push(message));
  const annCable = connectClient(`${a!.url}?user=ann`);
  clients.push(annCable);
  const ann = annCable.subscribeTo("ChatChannel", { room: "1" });
  const told: unknown[] = [];
  ann.on("message", (message) => void told.push(message));
  await ann.ensureSubscribed();
  await eventually(() => expect(events).toEqual(["+ann"]));
  expect(await watcher.presence.info()).toEqual({ ann: { online: true } });
  await ann.perform("speak", { text: "hello" });
  await eventually(() => expect([heard, told]).toEqual([[{ text: "hello" }], [{ sent: "hello" }]]));
  await ann.perform("away");
  await eventually(() => expect(events).toEqual(["+ann", "-ann"]));
  const refused = client(a!).subscribeTo("ChatChannel", { room: "secret" });
  await expect(refused.ensureSubscribed()).rejects.toThrow(/rejected/i);
});
