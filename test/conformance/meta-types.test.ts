/**
 * Users say once what their metas are, and no line of theirs needs a cast: neither an `interface` without an index signature
 * on its way in, nor a field on its way out. `npm run typecheck` is what fails here; that the calls work is what runs.
 */
import { Cable } from "@presently/anycable";
import { createClient, type Person, type Room } from "@presently/client";
import { usePresence } from "@presently/client/react";
import { type PlayerRoster, PresentlyPresence } from "@presently/colyseus";
import type { FayePresence } from "@presently/faye";
import { PhoenixSocket, type PresenceMap } from "@presently/phoenix";
import type { SocketClusterPresence } from "@presently/socketcluster";
import {
  type AnyNode,
  type ByTopic,
  createNode,
  type Leave,
  type Meta,
  type Presence,
  type PresentlyNode,
  type Session,
  startWebhooks,
  type TopicChange,
  type Update,
  type Watcher,
} from "presently";
import { inCharge, openGate, rosterOf } from "presently/drop-in";
import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { WebSocket } from "ws";

interface Profile {
  readonly name: string;
  readonly status?: "away";
}

interface Guest {
  readonly from: string;
}

type Rooms = ByTopic<{ lobby: Guest; [room: `room:${string}`]: Profile }>;

const ada: Profile = { name: "Ada" };
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function ending<T extends { stop(): Promise<void> }>(node: T): T {
  ends.push(() => node.stop());
  return node;
}

describe("a node whose metas have one type", () => {
  test("takes it and gives it, in every call", async () => {
    const node = ending(await createNode<Profile>({ name: "n" }));
    expectTypeOf(node).toEqualTypeOf<PresentlyNode<Profile>>();
    const session = node.session();
    expectTypeOf(session).toEqualTypeOf<Session<Profile>>();
    const told: string[] = [];
    const watcher: Watcher<Profile> = (change) => {
      expectTypeOf(change).toEqualTypeOf<TopicChange<Profile>>();
      if (change.type === "state") told.push(...change.presences.map(({ meta }) => meta.name));
      else {
        for (const { meta } of change.joins) told.push(meta.name.toUpperCase());
        for (const { before, after } of change.updates)
          told.push(`${before.meta.name}: ${after.meta.status}`);
        for (const { presence } of change.leaves) told.push(`-${presence.meta.name}`);
      }
    };
    node.watch("room", watcher);
    node.watch("room", ({ type, number }) => void told.push(`${type} ${number}`))();
    session.track("room", "ada", ada);
    session.update("room", "ada", (previous) => ({ name: previous.name, status: "away" }));
    expect(node.list("room").map(({ meta }) => meta.name)).toEqual(["Ada"]);
    expectTypeOf(node.get("room", "ada")).toEqualTypeOf<readonly Presence<Profile>[]>();
    expectTypeOf(session.get("room", "ada")).toEqualTypeOf<Presence<Profile> | undefined>();
    session.onRemoved(({ meta }) => told.push(meta.name));
    const people = node.watchPeople("room", {}, (change) => {
      if (change.type === "state")
        told.push(...change.people.flatMap((one) => one.presences.map((it) => it.meta.name)));
    });
    expect(people.get("ada")?.presences[0]?.meta.status).toBe("away");
    session.close();
    expect(told).toEqual(["state 0", "ADA", "Ada: away", "Ada", "-Ada"]);
    expectTypeOf<Leave<Profile>["presence"]>().toEqualTypeOf<Presence<Profile>>();
    expectTypeOf<Update<Profile>["after"]>().toEqualTypeOf<Presence<Profile>>();
  });

  test("refuses another one", async () => {
    const node = ending(await createNode<Profile>({ name: "n" }));
    const session = node.session();
    // @ts-expect-error: a name is no number.
    session.track("room", "ada", { name: 5 });
    // @ts-expect-error: there is no name.
    session.track("room", "ada", {});
    // @ts-expect-error: a meta must be given, for it has a name.
    session.track("room", "ada");
    // @ts-expect-error: there is no such field.
    session.track("room", "ada", { name: "Ada", age: 36 });
    // @ts-expect-error: the function returns no profile.
    session.update("room", "ada", () => ({ from: "London" }));
    // @ts-expect-error: there is no such field.
    expect(node.list("room")[0]?.meta.age).toBe(undefined);
    const meta = node.list("room")[0]!.meta;
    const rename = () => {
      // @ts-expect-error: what is read is not to be changed, and is frozen.
      meta.name = "Bob";
    };
    expect(rename).toThrow(TypeError);
  });
});

describe("a node whose metas differ by topic", () => {
  test("takes and gives those of the topic", async () => {
    const node = ending(await createNode<Rooms>({ name: "n" }));
    const session = node.session();
    session.track("lobby", "bob", { from: "Paris" });
    session.track("room:1", "ada", ada);
    const id = String(2);
    session.track(`room:${id}`, "ada", ada);
    session.track("elsewhere", "ada", { whatever: 1 });
    expectTypeOf(node.list("lobby")).toEqualTypeOf<readonly Presence<Guest>[]>();
    expectTypeOf(node.list(`room:${id}`)).toEqualTypeOf<readonly Presence<Profile>[]>();
    expectTypeOf(node.list("elsewhere")).toEqualTypeOf<readonly Presence<Meta>[]>();
    expectTypeOf(node.list(id)).toEqualTypeOf<readonly Presence<Meta>[]>();
    node.watch("room:1", (change) => expectTypeOf(change).toEqualTypeOf<TopicChange<Profile>>())();
    node.watch("lobby", (change) => expectTypeOf(change).toEqualTypeOf<TopicChange<Guest>>())();
    session.update("lobby", "bob", ({ from }) => ({ from: from.toLowerCase() }));
    expect(node.list("lobby")[0]?.meta.from).toBe("paris");
    expect(node.get(`room:${id}`, "ada")[0]?.meta.name).toBe("Ada");
    // @ts-expect-error: a guest is not in a room.
    session.track("room:1", "bob", { from: "Paris" });
    // @ts-expect-error: nor is a profile in the lobby.
    session.track("lobby", "ada", ada);
  });
});

describe("a node whose metas have no type", () => {
  test("takes every object, and gives fields that are looked at before they are used", async () => {
    const node = ending(await createNode({ name: "n" }));
    const session = node.session();
    session.track("room", "nobody");
    session.track("room", "ada", ada);
    session.update("room", "ada", ada);
    session.update("room", "ada", (previous) => ({ ...previous, status: "away" }));
    const [, presence] = node.list("room");
    expectTypeOf(presence!.meta.name).toEqualTypeOf<unknown>();
    expect(presence!.meta).toEqual({ name: "Ada", status: "away" });
    // @ts-expect-error: a text is no meta.
    expect(() => session.track("room", "bob", "phone")).toThrow("meta must be");
    // @ts-expect-error: nor is a list.
    expect(() => session.track("room", "bob", ["phone"])).toThrow("meta must be");
    // @ts-expect-error: nor what this function returns.
    expect(() => session.update("room", "ada", () => 5)).toThrow("meta must be");
    expectTypeOf<Awaited<ReturnType<typeof createNode>>>().toEqualTypeOf<PresentlyNode>();
  });

  test("is what serves a protocol, and so is one with types", async () => {
    const node = ending(await createNode<Profile>({ name: "n" }));
    const any: AnyNode = node;
    const byTopic: AnyNode = ending(await createNode<Rooms>({ name: "m" }));
    expect([any.name, byTopic.name]).toEqual(["n", "m"]);
    ends.push(...[new PhoenixSocket(node), new Cable(node)].map((served) => () => served.close()));
    const webhooks = startWebhooks(node, {
      url: "http://127.0.0.1:1",
      secret: "a secret of the tests, which is long enough",
      topics: ["room"],
    });
    ends.push(() => webhooks.close());
    openGate(node, { protocol: "http", onNotice: () => undefined });
    expect(inCharge(node, { subject: "room" })).toBe(node.replica);
    expect(rosterOf(node, { areSame: true, topicOf: String, keyOf: String } as never)).toBe(node);
  });
});

describe("drop-ins", () => {
  test("of Phoenix: metas of a channel's topics", async () => {
    const node = ending(await createNode({ name: "n" }));
    const socket = new PhoenixSocket<{ name: string }>(node, { connect: () => ({ name: "Ada" }) });
    ends.push(() => socket.close());
    socket.channel<Profile>("room:*", {
      presence: {
        key: ({ assigns }) => assigns.name,
        meta: ({ assigns }) => ({ name: assigns.name }),
        fetch: (_, presences) => {
          for (const { metas } of Object.values(presences))
            expectTypeOf(metas[0]!.name).toEqualTypeOf<string>();
          return presences;
        },
        init: () => undefined,
        handleMetas: (_, { joins }, presences) => {
          expectTypeOf(joins.ada!.metas[0]!.name).toEqualTypeOf<string>();
          expectTypeOf(presences.ada![0]!.phx_ref).toEqualTypeOf<string>();
        },
      },
      async join(_, channel) {
        channel.update("ada", ({ name }) => ({ name, status: "away" }));
        expectTypeOf(await channel.list()).toEqualTypeOf<PresenceMap<Profile>>();
        // @ts-expect-error: there is no name.
        channel.track("ada", {});
        // @ts-expect-error: a meta must be given, for it has a name.
        channel.track("ada");
      },
    });
    socket.channel<Profile>("other:*", {
      // @ts-expect-error: the function returns no profile.
      presence: { meta: () => ({ from: "London" }) },
    });
    socket.channel("free:*", { join: (_, channel) => void channel.track("ada", ada) });
    socket.presence.track({}, "room:1", "ada", ada);
    expect((await socket.presence.list<Profile>("room:1")).ada?.metas[0]?.name).toBe("Ada");
    expectTypeOf((await socket.presence.list("room:1")).ada!.metas[0]!.name).toEqualTypeOf<unknown>();
  });

  test("of Colyseus: metas of a roster", async () => {
    const presence = new PresentlyPresence();
    ends.push(() => presence.shutdown());
    const roster = await presence.roster<Profile>("room");
    expectTypeOf(roster).toEqualTypeOf<PlayerRoster<Profile>>();
    roster.track("s1", "ada", ada);
    const told: string[] = [];
    roster.watch(({ metas }) => told.push(...metas.map(({ name }) => name)));
    expect([told, roster.list()[0]?.metas[0]?.name]).toEqual([["Ada"], "Ada"]);
    // @ts-expect-error: there is no name.
    roster.track("s2", "bob", {});
    const untyped = await presence.roster("room");
    untyped.track("s3", "eve", ada);
  });

  test("of AnyCable and Faye: what a join says", async () => {
    const cable = new Cable(ending(await createNode({ name: "n" })));
    ends.push(() => cable.close());
    expect(cable.presence<Profile>("room").map(({ info }) => info?.name)).toEqual([]);
    expectTypeOf(() => cable.presence("room")[0]!.info).returns.toEqualTypeOf<unknown>();
    expectTypeOf<FayePresence["list"]>().toBeCallableWith("/presence/room");
    const values = (presence: FayePresence) => presence.list<Profile>("/presence/room");
    expectTypeOf<Awaited<ReturnType<typeof values>>>().toEqualTypeOf<Readonly<Record<string, Profile>>>();
    // Its rosters count connections, and have no metas.
    expectTypeOf<ReturnType<SocketClusterPresence["roster"]>["users"][number]>().toHaveProperty(
      "connections",
    );
  });
});

describe("@presently/client", () => {
  test("rooms, people and events", () => {
    const client = createClient("ws://127.0.0.1:1/socket", { transport: WebSocket });
    ends.push(() => client.close());
    const room = client.join<Profile>("room:1", { meta: ada });
    expectTypeOf(room).toEqualTypeOf<Room<Profile>>();
    expectTypeOf(client.room<Profile>("room:1")).toEqualTypeOf<Room<Profile> | undefined>();
    room.on("join", (person) => expectTypeOf(person).toEqualTypeOf<Person<Profile>>());
    room.on("update", ({ meta }, previous) => expectTypeOf(previous.meta).toEqualTypeOf(meta));
    const update = () => room.update((previous) => ({ ...previous, status: "away" }));
    expectTypeOf(update).returns.resolves.toBeBoolean();
    // @ts-expect-error: there is no name.
    const incomplete = () => room.update({ status: "away" });
    // @ts-expect-error: the function returns no profile.
    const wrong = () => room.update(() => ({ from: "London" }));
    expect([incomplete, wrong]).toHaveLength(2);
    expect(room.people.map(({ meta }) => meta.name)).toEqual([]);
    expect(room.meta.name).toBe("Ada");
  });

  test("hooks", () => {
    const hook = () => usePresence<Profile>("room:1", { meta: ada });
    expectTypeOf(hook).returns.toHaveProperty("people").toEqualTypeOf<readonly Person<Profile>[]>();
    expectTypeOf<ReturnType<typeof hook>["self"]>().toEqualTypeOf<Person<Profile> | undefined>();
    // @ts-expect-error: there is no name.
    expectTypeOf(() => usePresence<Profile>("room:1", { meta: {} })).toBeFunction();
  });
});
