/** Thousands of phoenix.js clients on real sockets, in one room of two nodes. */
import type { Channel, Presence, Socket } from "phoenix";
import { afterEach, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import {
  connectClient,
  join,
  listOf,
  listOfNode,
  type PhoenixNode,
  startPhoenixNodes,
} from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

const CLIENTS = 2_000;
/** One in so many is present; the others look on. A state of everybody for everybody is work for the clients, not for us. */
const PRESENT_EACH = 20;
const AT_A_TIME = 100;

interface Assigns {
  readonly userId: string | undefined;
}

interface Tab {
  readonly node: PhoenixNode<Assigns>;
  readonly socket: Socket;
  readonly channel: Channel;
  readonly presence: Presence;
  readonly userId: string | undefined;
}

let nodes: PhoenixNode<Assigns>[] = [];
const tabs: Tab[] = [];
afterEach(async () => {
  for (const { socket } of tabs.splice(0)) socket.disconnect();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

test("thousands of clients come, change and go, and each shows what its node lists", async () => {
  const notices: unknown[] = [];
  nodes = await startPhoenixNodes<Assigns>(
    ["a", "b"],
    (socket) =>
      socket.channel("room:*", {
        presence: { key: (channel) => channel.assigns.userId },
        handleIn: { away: (payload, channel) => void channel.update(channel.assigns.userId!, { payload }) },
      }),
    {
      connect: ({ user_id }) => ({ userId: typeof user_id === "string" ? user_id : undefined }),
      onNotice: (notice) => notices.push(notice),
    },
  );
  const topic = "room:crowd";
  const listsAgree = () =>
    eventually(
      () => {
        const [list, other] = nodes.map(({ node }) => listOfNode(node, topic));
        const present = new Set(tabs.flatMap(({ userId }) => (userId === undefined ? [] : [userId])));
        expect(new Set(Object.keys(list!))).toEqual(present);
        expect(other).toEqual(list);
        const wanted = JSON.stringify(list);
        const isRight = ({ presence }: Tab) => JSON.stringify(listOf(presence)) === wanted;
        // The first that is wrong is enough to try again.
        expect(tabs.every(isRight)).toBe(true);
      },
      { what: "every client shows what the nodes list", timeoutMs: 120_000, intervalMs: 500 },
    );

  let diffs = 0;
  const open = async (index: number) => {
    const node = nodes[index % nodes.length]!;
    const userId = index % PRESENT_EACH === 0 ? `user ${index}` : undefined;
    const socket = connectClient(node.url, { params: userId === undefined ? {} : { user_id: userId } });
    const joined = await join(socket, topic);
    if (index === 1) joined.channel.on("presence_diff", () => void diffs++);
    tabs.push({ node, socket, userId, ...joined });
  };
  for (let first = 0; first < CLIENTS; first += AT_A_TIME)
    await Promise.all(Array.from({ length: AT_A_TIME }, (_, index) => open(first + index)));
  await listsAgree();

  // Everybody who is present changes at once: as many changes as are present, and far fewer diffs.
  const present = tabs.filter(({ userId }) => userId !== undefined);
  diffs = 0;
  for (const { channel } of present) channel.push("away", { since: 1 });
  await eventually(() => {
    for (const { node } of nodes)
      for (const { meta } of node.list(topic)) expect(meta).toEqual({ payload: { since: 1 } });
  });
  await listsAgree();
  expect(diffs).toBeGreaterThan(0);
  expect(diffs).toBeLessThan(present.length / 2);

  // Half of all leave at once.
  for (const { socket } of tabs.splice(0, CLIENTS / 2)) socket.disconnect();
  await listsAgree();
  expect(notices).toEqual([]);
});
