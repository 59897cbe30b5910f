/** `presently start --faye`, as people run it, and the npm client against three such processes, one of which crashes. */
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { FayeTab } from "../conformance/faye-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { freePort, type RunningNode, startNode } from "../helpers/processes.ts";

const room = "/presence/room";

/** One place of the cluster, whose process may end and start again. */
class Seat {
  readonly words: readonly string[];
  readonly url: string;
  node: RunningNode | undefined;

  constructor(name: string, meshPort: number, httpPort: number, peers: readonly string[]) {
    const place = ["--mesh", `127.0.0.1:${meshPort}`, "--http", `127.0.0.1:${httpPort}`];
    const serve = ["--faye", "/live/bayeux", "--phoenix", "/socket"];
    this.words = ["--name", name, ...place, ...peers.flatMap((peer) => ["--peer", peer]), ...serve];
    this.url = `http://127.0.0.1:${httpPort}`;
  }

  async start(): Promise<void> {
    this.node = await startNode(this.words);
  }

  async kill(): Promise<void> {
    await this.node?.kill();
    this.node = undefined;
  }
}

const seats: Seat[] = [];
const tabs: FayeTab[] = [];

afterEach(async () => {
  for (const tab of tabs.splice(0)) tab.close();
  await Promise.all(seats.splice(0).map((seat) => seat.kill()));
});

async function startCluster(): Promise<[Seat, Seat, Seat]> {
  const ports = await Promise.all(Array.from({ length: 6 }, () => freePort()));
  const peers = ports.slice(0, 3).map((port) => `ws://127.0.0.1:${port}`);
  for (const [index, name] of ["a", "b", "c"].entries())
    seats.push(new Seat(name, ports[index]!, ports[index + 3]!, peers));
  await Promise.all(seats.map((seat) => seat.start()));
  return seats as [Seat, Seat, Seat];
}

async function open(seat: Seat, id: string): Promise<FayeTab> {
  const tab = new FayeTab(`${seat.url}/live/bayeux`, id);
  tabs.push(tab);
  return tab.join(room);
}

const allSee = (ids: readonly string[], who: readonly FayeTab[] = tabs) =>
  eventually(
    () => {
      const seen = who.map((tab) => `${tab.id} sees ${tab.ids(room)}`);
      expect(seen.join("; ")).toBe(who.map(({ id }) => `${id} sees ${[...ids].sort()}`).join("; "));
    },
    { what: `everybody sees ${ids}`, timeoutMs: 30_000 },
  );

test("a crashed process takes its people with it, and they are back when it is, without a phantom", async () => {
  const [a, b, c] = await startCluster();
  const alice = await open(a, "alice");
  const bob = await open(b, "bob");
  const carol = await open(c, "carol");
  // Bob has a second client, at the process that is going to crash: he does not go with it.
  await open(c, "bob");
  await allSee(["alice", "bob", "carol"]);

  const heard: unknown[] = [];
  await alice.client.subscribe("/chat", (text) => void heard.push(text));
  await eventually(async () => {
    await bob.client.publish("/chat", "hello");
    expect(heard).toContain("hello");
  });

  await c.kill();
  await allSee(["alice", "bob"], [alice, bob]);
  const { length } = alice.heard(room);
  expect(alice.heard(room).at(-1)).toEqual({ unsubscribe: { carol: null } });

  // The client does what it always does: connects again, is told that it is unknown, and subscribes anew.
  await c.start();
  await allSee(["alice", "bob", "carol"]);
  expect(alice.heard(room).slice(length)).toEqual([{ subscribe: { carol: { id: "carol" } } }]);

  // Beside Faye, everything at the address is there as before.
  const { body } = await send(b.url, `/api/topics/${encodeURIComponent(room)}`);
  expect(Object.keys(body.presences).sort()).toEqual(["alice", "bob", "carol"]);
  expect((await send(b.url, "/live/bayeux/client.js")).status).toBe(200);
  expect((await send(b.url, "/nowhere")).status).toBe(404);
  const stray = new WebSocket(`${b.url.replace("http", "ws")}/nowhere`);
  const refused = new Promise((resolve) => stray.on("error", resolve));
  expect(String(await refused)).toContain("404");

  // A process that stops in good order does so although clients are connected.
  carol.close();
  expect(await b.node!.stop()).toBe(0);
});
