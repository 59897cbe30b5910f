import { createNode, type PresentlyNode } from "presently";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { TestCable } from "../test/sessions.ts";
import { JsonText } from "./json.ts";

const room = JSON.stringify({ channel: "$pubsub", stream_name: "room/42" });
const subscribe = JSON.stringify({ command: "subscribe", identifier: room });
const join = (id: string, info?: unknown) =>
  JSON.stringify({ command: "join", identifier: room, presence: { id, info } });

let node: PresentlyNode;
beforeAll(async () => {
  node = await createNode({ name: "alone" });
});
afterAll(() => node.stop());

let cable: TestCable;
function start(options: ConstructorParameters<typeof TestCable>[1] = {}): TestCable {
  cable = new TestCable(node, options);
  return cable;
}
afterEach(() => cable.close());

describe("time", () => {
  test("pings come after half an interval to one and a half, and then each interval", () => {
    const { session, outlet } = start().open();
    cable.now += 2_999;
    session.tick();
    expect(outlet.pings).toEqual([]);
    cable.now += 1;
    session.tick();
    session.tick();
    expect(outlet.frames.at(-1)).toEqual({ type: "ping", message: 1_700_000_004 });
    cable.now += 3_000;
    session.tick();
    expect(outlet.pings).toEqual([1, 2]);
    session.end();
  });

  test("a connection that answers no ping is cut off, however rare pings are; one that does is not", () => {
    start({ silentAfterMs: 30_000 });
    const rare = cable.open({ pingIntervalMs: 100_000 });
    cable.now += 99_000;
    rare.session.tick();
    expect(rare.session.connected).toBe(true);
    cable.now += 1_000;
    rare.session.tick();
    rare.session.pong(1);
    cable.now += 31_000;
    rare.session.tick();
    expect(rare.session.connected).toBe(true);
    cable.now += 100_000;
    rare.session.tick();
    cable.now += 30_001;
    rare.session.tick();
    expect(rare.session.connected).toBe(false);
    expect(rare.outlet.closed).toBe("terminated");
    rare.session.end();
  });

  test("a client without pongs is disconnected where they are asked for, and this process' own stalls are excused", () => {
    start({ pongTimeoutMs: 5_000 });
    const { session, outlet } = cable.open({ pingIntervalMs: 20_000 });
    // Nothing was asked before the first ping.
    cable.now += 20_000;
    session.tick();
    expect(outlet.frames.at(-1)).toMatchObject({ type: "ping" });
    cable.now += 5_000;
    session.tick();
    session.receive(JSON.stringify({ command: "pong" }));
    cable.now += 15_000;
    session.tick();
    cable.now += 5_001;
    session.excuse();
    session.tick();
    expect(session.connected).toBe(true);
    cable.now += 5_001;
    session.tick();
    expect(outlet.frames.at(-1)).toEqual({ type: "disconnect", reason: "no_pong", reconnect: true });
    expect(session.ended).toBe(true);
  });

  test("a session that is away is kept for so long; of the base protocol none is", () => {
    start({ resumeMs: 1_000 });
    const { session } = cable.open();
    session.lost();
    cable.now += 999;
    session.tick();
    expect(session.resumable).toBe(true);
    cable.now += 1;
    session.tick();
    expect(session.ended).toBe(true);
    const base = cable.open({ extended: false });
    base.session.lost();
    expect(base.session.ended).toBe(true);
  });
});

describe("a resumed session", () => {
  test("whose client does not ask for history gets what it missed after a while, and then everything", async () => {
    start();
    const { session } = cable.open();
    session.receive(subscribe);
    await cable.services.streams.publish("room/42", new JsonText("1"));
    session.lost();
    await cable.services.streams.publish("room/42", new JsonText("2"));
    const outlet = cable.resume(session);
    expect(outlet.take()).toEqual([{ type: "welcome", sid: "sid2", restored: true, restored_ids: [room] }]);
    await cable.services.streams.publish("room/42", new JsonText("3"));
    cable.services.streams.whisper("room/42", new JsonText('"now"'), undefined);
    expect(outlet.take().map(({ message }) => message)).toEqual(["now"]);
    cable.now += 250;
    session.tick();
    await cable.services.streams.publish("room/42", new JsonText("4"));
    expect(outlet.take().map(({ message }) => message)).toEqual([2, 3, 4]);
    // Asked for late, the history is what those did not have.
    const history = { since: 1, streams: {} };
    session.receive(JSON.stringify({ command: "history", identifier: room, history }));
    await eventually(() => expect(outlet.frames.at(-1)).toMatchObject({ type: "confirm_history" }));
    expect(outlet.take().flatMap(({ message }) => message ?? [])).toEqual([1]);
    session.end();
  });

  test("whose client does not join again is present for the time to live only, and can leave or change its id before", async () => {
    start({ presenceTtlMs: 300 });
    const ids = () => node.list("room/42").map(({ key }) => key);
    const heard: string[] = [];
    const watcher = cable.open();
    watcher.session.receive(subscribe);
    const sessions = ["stays", "leaves", "moves", "forgets"].map((id) => {
      const { session } = cable.open();
      session.receive(subscribe);
      session.receive(join(id));
      session.lost();
      cable.resume(session);
      return session;
    });
    expect(ids().sort()).toEqual(["forgets", "leaves", "moves", "stays"]);
    watcher.outlet.take();
    sessions[0]!.receive(join("stays"));
    sessions[1]!.receive(JSON.stringify({ command: "leave", identifier: room }));
    sessions[2]!.receive(join("moved"));
    const told = () => {
      for (const { message } of watcher.outlet.take()) heard.push(`${message.type} ${message.id}`);
      return heard;
    };
    expect(told()).toEqual(["leave leaves", "leave moves", "join moved"]);
    await eventually(() =>
      expect(told()).toEqual(["leave leaves", "leave moves", "join moved", "leave forgets"]),
    );
    expect(ids().sort()).toEqual(["moved", "stays"]);
    for (const session of [...sessions, watcher.session]) session.end();
  });

  test("hears nothing of its own leave once it has unsubscribed", () => {
    const { session, outlet } = start().open();
    session.receive(subscribe);
    session.receive(join("7"));
    outlet.take();
    session.receive(JSON.stringify({ command: "unsubscribe", identifier: room }));
    expect(outlet.take()).toEqual([]);
    expect(node.count("room/42").keys).toBe(0);
    session.end();
  });

  test("is told of the ids of which it may not have heard, and of no others", () => {
    start();
    const { session } = cable.open();
    const other = cable.open();
    for (const { session: one } of [{ session }, other]) one.receive(subscribe);
    other.session.receive(join("known"));
    cable.now += 3_000;
    session.tick();
    session.pong(1);
    const third = cable.open();
    third.session.receive(subscribe);
    third.session.receive(join("uncertain", 1));
    session.lost();
    third.session.receive(JSON.stringify({ command: "leave", identifier: room }));
    const fourth = cable.open();
    fourth.session.receive(subscribe);
    fourth.session.receive(join("fresh", 2));
    const outlet = cable.resume(session);
    expect(outlet.take().slice(1)).toEqual([
      { type: "presence", identifier: room, message: { type: "leave", id: "uncertain" } },
      { type: "presence", identifier: room, message: { type: "join", id: "fresh", info: 2 } },
    ]);
    for (const { session: one } of [{ session }, other, third, fourth]) one.end();
  });

  test("of which too much was missed subscribes anew", () => {
    start({ limits: { commandsPerSecondMax: 100_000 } });
    const { session } = cable.open();
    session.receive(subscribe);
    session.lost();
    const noisy = cable.open();
    noisy.session.receive(subscribe);
    for (let round = 0; round < 1_100; round++) {
      noisy.session.receive(join("7"));
      noisy.session.receive(JSON.stringify({ command: "leave", identifier: room }));
    }
    expect(cable.resume(session).take()).toEqual([
      { type: "welcome", sid: "sid3", restored: true, restored_ids: [] },
    ]);
    session.end();
    noisy.session.end();
  });

  test("does not move with presence of more people than it can say", () => {
    start();
    const crowd = node.session();
    const { session } = cable.open();
    session.receive(subscribe);
    session.lost();
    expect(session.export().subscriptions).toHaveLength(1);
    for (let key = 0; key < 501; key++) crowd.track("room/42", String(key));
    expect(session.export().subscriptions).toEqual([]);
    crowd.close();
    session.end();
  });

  test("goes on with what another node had: streams, state, presence, and names to leave it out by", () => {
    start();
    cable.channels.set("Chat", {
      subscribe: (subscription) => {
        subscription.streamFrom("chat", { whisper: true });
        subscription.presenceFrom("people");
        subscription.state.seen = 1;
        subscription.join("7", { name: "Ann" });
      },
    });
    const identifier = JSON.stringify({ channel: "Chat", room: 1 });
    const { session } = cable.open();
    session.receive(JSON.stringify({ command: "subscribe", identifier }));
    session.lost();
    const state = JSON.parse(JSON.stringify(session.export()));
    session.abandon();
    expect(node.count("people").keys).toBe(1);
    const fresh = cable.open().session;
    fresh.import(state);
    const outlet = cable.resume(fresh);
    // No ping was answered since the join, so that the client may not have heard of it.
    expect(outlet.take()).toEqual([
      { type: "welcome", sid: expect.any(String), restored: true, restored_ids: [identifier] },
      { type: "presence", identifier, message: { type: "join", id: "7", info: { name: "Ann" } } },
    ]);
    expect(fresh.isSelf("sid1")).toBe(true);
    expect(node.list("people").map(({ key, meta }) => [key, meta.info])).toEqual([["7", { name: "Ann" }]]);
    fresh.lost();
    expect(fresh.export().subscriptions[0]).toMatchObject({
      identifier,
      params: { room: 1 },
      state: { seen: 1 },
      streams: ["chat"],
      whisperStream: "chat",
    });
    fresh.end();
    expect(node.count("people").keys).toBe(1);
  });
});

test("callbacks that fail, or take too long, reject the subscription, and the next command is carried out", async () => {
  start({ limits: { callbackTimeoutMs: 20 } });
  const ended: string[] = [];
  cable.channels.set("Slow", { subscribe: () => new Promise(() => undefined) });
  cable.channels.set("Throws", {
    subscribe: () => {
      throw new Error("on purpose");
    },
  });
  cable.channels.set("Good", { unsubscribe: () => void ended.push("good") });
  const { session, outlet } = cable.open();
  const names = ["Slow", "Throws", "Good"].map((channel) => JSON.stringify({ channel }));
  for (const identifier of names) session.receive(JSON.stringify({ command: "subscribe", identifier }));
  await new Promise<void>((done) => {
    const look = () => (outlet.frames.length > 3 ? done() : setTimeout(look, 5));
    look();
  });
  expect(outlet.take().slice(1)).toEqual([
    { type: "reject_subscription", identifier: names[0] },
    { type: "reject_subscription", identifier: names[1] },
    { type: "confirm_subscription", identifier: names[2] },
  ]);
  expect(cable.notices.map(({ type }) => type)).toEqual(["callback-failed", "callback-failed"]);
  session.end();
  expect(ended).toEqual(["good"]);
});

test("who asks again and again is told who is present after every change, also of an info alone", () => {
  const { session: asking, outlet } = start().open();
  const { session: other } = cable.open();
  for (const session of [asking, other]) session.receive(subscribe);
  const ask = () => {
    asking.receive(JSON.stringify({ command: "presence", identifier: room }));
    return outlet.frames.at(-1).message;
  };
  for (let round = 0; round < 2; round++) {
    expect(ask()).toEqual({ type: "info", total: 0 });
    other.receive(join("7", { n: 1 }));
    expect(ask()).toEqual({ type: "info", total: 1, records: [{ id: "7", info: { n: 1 } }] });
    other.receive(join("7", { n: 2 }));
    expect(ask()).toEqual(ask());
    expect(ask()).toEqual({ type: "info", total: 1, records: [{ id: "7", info: { n: 2 } }] });
    other.receive(JSON.stringify({ command: "leave", identifier: room }));
  }
  for (const session of [asking, other]) session.end();
});

test("bytes of commands that wait for a slow callback cost the connection", () => {
  start({ limits: { commandsWaitingBytesMax: 5_000 } });
  const never = new Promise<never>(() => undefined);
  cable.channels.set("Slow", { subscribe: () => never });
  const { session, outlet } = cable.open();
  session.receive(JSON.stringify({ command: "subscribe", identifier: JSON.stringify({ channel: "Slow" }) }));
  const big = JSON.stringify({ command: "whisper", identifier: room, data: "x".repeat(1_000) });
  for (let sent = 0; sent < 10; sent++) session.receive(big);
  expect(outlet.closed).toMatch(/^1008 more than 5000 bytes/);
});
