/** Presence, as the npm client's `Presence` sees it, on clusters of real nodes in one process. */
import type { PhoenixNotice, PhoenixSocket, PhoenixSocketOptions, PresenceMap } from "@presently/phoenix";
import type { Channel, Presence, Socket } from "phoenix";
import type { NodeOptions } from "presently";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import {
  connectClient,
  countsOf,
  disconnect,
  join,
  listOf,
  listOfNode,
  type PhoenixNode,
  push,
  startPhoenixNodes,
} from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

interface Assigns {
  readonly userId: string;
}

const clients: Socket[] = [];
const running: PhoenixNode<Assigns>[] = [];
const notices: PhoenixNotice[] = [];
afterEach(async () => {
  notices.length = 0;
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(running.splice(0).map((node) => node.stop()));
});

/** The three lines of the guide: everybody who joins a room is tracked under its user id. */
const guide = (socket: PhoenixSocket<Assigns>) =>
  void socket.channel("room:*", { presence: { key: (channel) => channel.assigns.userId } });

async function start(
  names: readonly string[],
  serve: (socket: PhoenixSocket<Assigns>) => void = guide,
  nodeOptions: Partial<NodeOptions> = {},
): Promise<PhoenixNode<Assigns>[]> {
  const options: PhoenixSocketOptions<Assigns> = {
    connect: (params) => (typeof params.user_id === "string" ? { userId: params.user_id } : null),
    onNotice: (notice) => void notices.push(notice),
  };
  const nodes = await startPhoenixNodes<Assigns>(names, serve, options, nodeOptions);
  running.push(...nodes);
  return nodes;
}

function client(node: PhoenixNode<Assigns>, userId: string): Socket {
  const socket = connectClient(node.url, { params: { user_id: userId } });
  clients.push(socket);
  return socket;
}

/** Opens a tab: a client of its own, in the lobby. */
async function openTab(node: PhoenixNode<Assigns>, userId: string, topic = "room:lobby") {
  const socket = client(node, userId);
  return { socket, ...(await join(socket, topic)) };
}

test("two tabs as Alice and one as Bob, on three nodes: the guide's room", async () => {
  const [a, b, c] = (await start(["a", "b", "c"])) as [
    PhoenixNode<Assigns>,
    PhoenixNode<Assigns>,
    PhoenixNode<Assigns>,
  ];
  const tabs = [await openTab(a, "Alice"), await openTab(b, "Alice"), await openTab(c, "Bob")];
  const allSee = (counts: Record<string, number>) =>
    eventually(() => {
      for (const { socket, presence } of tabs)
        if (socket.isConnected()) expect(countsOf(presence)).toEqual(counts);
    });
  await allSee({ Alice: 2, Bob: 1 });
  await disconnect(tabs[0]!.socket);
  await allSee({ Alice: 1, Bob: 1 });
  await disconnect(tabs[1]!.socket);
  await allSee({ Bob: 1 });
  for (const { node } of [a, b, c])
    await eventually(() => expect(Object.keys(listOfNode(node, "room:lobby"))).toEqual(["Bob"]));
});

describe("the client's callbacks", () => {
  test("tell who came and went, with what was and what is", async () => {
    const [a] = (await start(["a"])) as [PhoenixNode<Assigns>];
    const { presence, socket } = await openTab(a, "bob");
    await eventually(() => expect(countsOf(presence)).toEqual({ bob: 1 }));
    const told: unknown[] = [];
    let synced = 0;
    presence.onJoin(
      (key, current, joined) => void told.push([`+${key}`, current?.metas.length, joined.metas.length]),
    );
    presence.onLeave(
      (key, current, left) => void told.push([`-${key}`, current.metas.length, left.metas.length]),
    );
    presence.onSync(() => void synced++);
    const first = await openTab(a, "alice");
    const second = await openTab(a, "alice");
    await disconnect(first.socket);
    await eventually(() => expect(told).toHaveLength(3));
    await disconnect(second.socket);
    await eventually(() => expect(told).toHaveLength(4));
    expect(told).toEqual([
      ["+alice", undefined, 1],
      ["+alice", 1, 1],
      ["-alice", 1, 1],
      ["-alice", 0, 1],
    ]);
    expect(synced).toBe(4);
    expect(socket.isConnected()).toBe(true);
  });

  test("are not needed: the client's functions make the same list of the bare messages", async () => {
    const { Presence } = await import("phoenix");
    const [a] = (await start(["a"])) as [PhoenixNode<Assigns>];
    a.node.session().track("room:1", "robot", { a: 1 });
    const channel = client(a, "alice").channel("room:1");
    let state = {};
    channel.on("presence_state", (whole) => {
      state = Presence.syncState(state, whole);
    });
    channel.on("presence_diff", (diff) => {
      state = Presence.syncDiff(state, diff);
    });
    channel.join();
    await openTab(a, "bob", "room:1");
    await eventually(() => {
      const keys = Presence.list(state, (key: string) => key) as unknown as string[];
      expect(keys.toSorted()).toEqual(["alice", "bob", "robot"]);
    });
  });

  test("come under other event names too", async () => {
    const { Presence } = await import("phoenix");
    const [a] = (await start(["a"], (socket) =>
      socket.channel("room:*", {
        presence: {},
        handleOut: {
          presence_diff: (payload, channel) => channel.push("my_diff", payload),
        },
        join: (_, channel) => void channel.list().then((state) => channel.push("my_state", state)),
      }),
    )) as [PhoenixNode<Assigns>];
    const socket = client(a, "alice");
    const channel = socket.channel("room:1");
    const presence = new Presence(channel, { events: { state: "my_state", diff: "my_diff" } });
    let synced = 0;
    presence.onSync(() => void synced++);
    channel.join();
    await eventually(() => expect(synced).toBe(1));
    a.node.session().track("room:1", "robot", { a: 1 });
    await eventually(() => expect(countsOf(presence)).toEqual({ robot: 1 }));
  });
});

test("metas, updates and decorations reach every node's clients", async () => {
  const fetch = async (_: string, presences: PresenceMap) => {
    const entries = Object.entries(presences);
    return Object.fromEntries(entries.map(([key, entry]) => [key, { ...entry, name: key.toUpperCase() }]));
  };
  const [a, b] = (await start(["a", "b"], (socket) =>
    socket.channel("room:*", {
      presence: { key: (channel) => channel.assigns.userId, meta: () => ({ typing: false }), fetch },
      handleIn: {
        typing: (payload, channel) => {
          const ref = channel.update(channel.assigns.userId, (previous) => ({
            ...previous,
            typing: payload,
          }));
          return { ok: { ref } };
        },
      },
    }),
  )) as [PhoenixNode<Assigns>, PhoenixNode<Assigns>];
  const alice = await openTab(a, "alice");
  const bob = await openTab(b, "bob");
  const metaOf = (presence: Presence, wanted: string) =>
    presence.list((key, entry) => ({ key, ...entry })).find(({ key }) => key === wanted);
  await eventually(() => expect(metaOf(bob.presence, "alice")?.metas[0].typing).toBe(false));
  const before = metaOf(bob.presence, "alice").metas[0].phx_ref;
  const [, response] = await push(alice.channel, "typing", { at: 1 });
  await eventually(() =>
    expect(metaOf(bob.presence, "alice")).toEqual({
      key: "alice",
      name: "ALICE",
      metas: [{ typing: { at: 1 }, phx_ref: (response as { ref: string }).ref, phx_ref_prev: before }],
    }),
  );
  expect(listOf(bob.presence)).toEqual(listOfNode(b.node, "room:lobby"));
});

test("a client that reconnects, or whose channel crashes, is present again and sees the right list", async () => {
  const [a, b] = (await start(["a", "b"], (socket) =>
    socket.channel("room:*", {
      presence: { key: (channel) => channel.assigns.userId },
      handleIn: {
        crash: () => {
          throw new Error("asked to crash");
        },
      },
    }),
  )) as [PhoenixNode<Assigns>, PhoenixNode<Assigns>];
  const alice = await openTab(a, "alice");
  const bob = await openTab(b, "bob");
  let errors = 0;
  alice.channel.onError(() => void errors++);
  const agree = (counts: Record<string, number>) =>
    eventually(() => {
      expect(alice.channel.state).toBe("joined");
      for (const { presence } of [alice, bob]) {
        expect(countsOf(presence)).toEqual(counts);
        expect(listOf(presence)).toEqual(listOfNode(a.node, "room:lobby"));
      }
    });
  await agree({ alice: 1, bob: 1 });
  alice.channel.push("crash", {});
  await eventually(() => expect(errors).toBe(1));
  await agree({ alice: 1, bob: 1 });
  // The connection breaks, and the client comes back by itself, to a room that has changed meanwhile.
  (alice.socket as unknown as { conn: { terminate(): void } }).conn.terminate();
  b.node.session().track("room:lobby", "carol");
  await eventually(() => expect(errors).toBeGreaterThan(1));
  await agree({ alice: 1, bob: 1, carol: 1 });
});

test("a node that stops with a hand-off is no leave for anybody", async () => {
  const [a, b] = (await start(["a", "b"])) as [PhoenixNode<Assigns>, PhoenixNode<Assigns>];
  const bob = await openTab(b, "bob");
  let urls = [a.url];
  const { Presence, Socket } = await import("phoenix");
  const { WebSocket } = await import("ws");
  // A load balancer would choose; here the client's transport does.
  class Balanced extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address.replace(/^.*?\/socket/, urls[0]!), protocols);
    }
  }
  const socket = new Socket(a.url, {
    transport: Balanced as never,
    params: { user_id: "alice" },
    reconnectAfterMs: () => 20,
    rejoinAfterMs: () => 20,
  });
  clients.push(socket);
  socket.connect();
  const channel: Channel = socket.channel("room:lobby");
  const presence = new Presence(channel);
  channel.join();
  await eventually(() => expect(countsOf(bob.presence)).toEqual({ alice: 1, bob: 1 }));
  const absences: unknown[] = [];
  bob.presence.onSync(() => {
    if (!("alice" in countsOf(bob.presence))) absences.push(countsOf(bob.presence));
  });
  urls = [b.url];
  await a.socket.drain();
  running.splice(running.indexOf(a), 1);
  await a.stop(20_000);
  await eventually(() => expect(channel.state).toBe("joined"));
  await eventually(() => {
    expect(countsOf(bob.presence)).toEqual({ alice: 1, bob: 1 });
    expect(listOf(presence)).toEqual(listOfNode(b.node, "room:lobby"));
  });
  expect(absences).toEqual([]);
});

test("a node that stops without a hand-off takes its people with it at once", async () => {
  // Nobody waits for it to be thought dead.
  const [a, b] = (await start(["a", "b"], undefined, { downAfterMs: 600_000 })) as [
    PhoenixNode<Assigns>,
    PhoenixNode<Assigns>,
  ];
  const alice = await openTab(a, "alice");
  const bob = await openTab(b, "bob");
  await eventually(() => expect(countsOf(bob.presence)).toEqual({ alice: 1, bob: 1 }));
  alice.socket.onClose(() => alice.socket.disconnect());
  running.splice(running.indexOf(a), 1);
  await a.stop();
  await eventually(() => expect(countsOf(bob.presence)).toEqual({ bob: 1 }));
  expect(listOf(bob.presence)).toEqual(listOfNode(b.node, "room:lobby"));
});

test("whatever clients do, each ends with the list of its node", async () => {
  const topics = ["room:1", "room:2"];
  const nodes = await start(["a", "b", "c"], (socket) =>
    socket.channel("room:*", {
      presence: {
        key: (channel) => channel.assigns.userId,
        // Sometimes slow, so that what is sent could come out of order.
        fetch: (_, presences) =>
          Object.keys(presences).length % 2 === 0
            ? presences
            : new Promise((resolve) => setTimeout(() => resolve(presences), 3)),
      },
      handleIn: {
        update: (payload, channel) => void channel.update(channel.assigns.userId, { payload }),
        more: (payload, channel) => {
          const { key } = payload as { key: string };
          channel.untrack(key);
          channel.track(key, { payload });
        },
        less: (payload, channel) => channel.untrack((payload as { key: string }).key),
      },
    }),
  );
  const tabs: {
    node: PhoenixNode<Assigns>;
    topic: string;
    socket: Socket;
    channel: Channel;
    presence: Presence;
  }[] = [];
  // A small generator with a fixed seed: a failure repeats.
  let seed = 20_260;
  const pick = (count: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * count);
  };
  for (let step = 0; step < 250; step++) {
    const tab = tabs[pick(tabs.length)];
    const action = pick(10);
    if (tab === undefined || action < 3) {
      const node = nodes[pick(nodes.length)]!;
      const topic = topics[pick(topics.length)]!;
      tabs.push({ node, topic, ...(await openTab(node, `user ${pick(8)}`, topic)) });
    } else if (action < 5 && tabs.length > 10) {
      tabs.splice(tabs.indexOf(tab), 1);
      if (pick(2) === 0) (tab.socket as unknown as { conn: { terminate(): void } }).conn.terminate();
      tab.socket.disconnect();
    } else if (action < 7) tab.channel.push("update", { step });
    else if (action < 9) tab.channel.push("more", { key: `robot ${pick(4)}` });
    else tab.channel.push("less", { key: `robot ${pick(4)}` });
  }
  await eventually(
    () => {
      for (const topic of topics) {
        const [first, ...others] = nodes.map(({ node }) => listOfNode(node, topic));
        for (const other of others) expect(other).toEqual(first);
      }
      for (const { node, topic, presence } of tabs)
        expect(listOf(presence)).toEqual(listOfNode(node.node, topic));
    },
    { what: "every client shows what its node lists" },
  );
  expect(notices).toEqual([]);
});
