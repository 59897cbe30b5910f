/** The documented exchange, frame by frame: what faye-presence 0.0.3 answers and publishes, and what this plug-in does. */
import { expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { FayeNode } from "./faye-client.ts";
import { startOriginal } from "./faye-original.ts";
import { WireClient } from "./faye-wire.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const room = "/presence/room";

/** Takes out what differs by chance: the ids of clients, and those that the publishing client gives its messages. */
function comparable(message: object): object {
  const { clientId, id, ...rest } = message as Record<string, unknown>;
  const isPublished = "data" in rest;
  return {
    ...rest,
    ...(clientId === undefined ? {} : { clientId: "some client" }),
    ...(id === undefined ? {} : { id: isPublished ? "some id" : id }),
  };
}

/** Everything that the server said in the exchange, by client: replies at once, published messages until there are enough. */
async function exchange(url: string): Promise<object[]> {
  const frames: object[] = [];
  const note = (step: string, messages: readonly object[]) =>
    void frames.push({ step, messages: messages.map(comparable) });
  const pushed = async (client: WireClient, count: number) => {
    const messages: object[] = [];
    await eventually(async () => {
      messages.push(...(await client.poll()));
      expect(messages.length).toBeGreaterThanOrEqual(count);
    });
    return messages;
  };

  const watcher = await WireClient.open(url);
  const tab = await WireClient.open(url);
  const phone = await WireClient.open(url);
  const guest = await WireClient.open(url);
  note("no ext", [await guest.subscribe(room)]);
  note("no presence", [await guest.say("/meta/subscribe", { subscription: room, ext: { token: 1 } })]);
  note("no id", [await guest.subscribe(room, { data: { name: "x" } })]);
  note("an empty id", [await guest.subscribe(room, { id: "" })]);
  note("another channel", [await guest.subscribe("/chat/room")]);

  note("the first", [await watcher.subscribe(room, { id: "watcher" })]);
  note("it hears of itself", await pushed(watcher, 1));
  note("one with data", [await tab.subscribe(room, { id: "alice", data: { name: "Alice" }, more: [1] })]);
  note("the newcomer hears of itself", await pushed(tab, 1));
  note("the first hears of it", await pushed(watcher, 1));
  note("the same id again", [await phone.subscribe(room, { id: "alice", data: { name: "Alice 2" } })]);
  note("one of two leaves", [await tab.unsubscribe(room)]);
  note("a number", [await tab.subscribe(room, { id: 7 })]);
  note("only the number was news", await pushed(watcher, 1));
  note("it leaves by disconnecting", [await tab.say("/meta/disconnect")]);
  note("the last of an id leaves", [await phone.unsubscribe(room)]);
  note("both are gone", await pushed(watcher, 2));
  note("a repeated subscription", [await watcher.subscribe(room, { id: "watcher", data: { again: true } })]);
  note("nothing was said of that", await watcher.poll());
  note("an unknown way", [await watcher.say("/meta/unsubscribe", {})]);
  note("a pattern", [await guest.subscribe("/presence/*", { id: "guest" })]);
  note("an ordinary message", [await guest.say("/chat/room", { data: "hello" })]);
  note("it arrives", await pushed(guest, 1));
  note("the only one leaves", [await watcher.unsubscribe(room)]);
  note("who listens to all channels hears it", await pushed(guest, 1));
  return frames;
}

test("the exchange is that of the original, to the frame", async () => {
  const original = await startOriginal();
  const ours = await FayeNode.start({ name: "a", logLevel: "silent" });
  try {
    const expected = await exchange(original.url);
    const frames = await exchange(ours.url);
    expect(frames).toEqual(expected);
    // What is compared is what the dossier describes: a change of the original, or of the exchange, shows here.
    expect(frames).toContainEqual({
      step: "one with data",
      messages: [
        {
          channel: "/meta/subscribe",
          clientId: "some client",
          id: "2",
          subscription: room,
          successful: true,
          ext: {
            presence: {
              subscribe: {
                watcher: { id: "watcher" },
                alice: { id: "alice", data: { name: "Alice" }, more: [1] },
              },
            },
          },
        },
      ],
    });
    expect(frames).toContainEqual({
      step: "the first hears of it",
      messages: [
        {
          channel: room,
          id: "some id",
          data: { subscribe: { alice: { id: "alice", data: { name: "Alice" }, more: [1] } } },
        },
      ],
    });
  } finally {
    await original.stop();
    await ours.stop();
  }
});
