/**
 * A Phoenix, an AnyCable, a Faye, a SocketCluster and a Colyseus client, each on a node of its own of one cluster, each with
 * its own name for the room: they are on one topic, and see each other come and go. Clients and servers are those of npm.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import {
  AnyCablePerson,
  ColyseusPerson,
  FayePerson,
  type Person,
  PhoenixPerson,
  SocketClusterPerson,
} from "./one-roster-people.ts";
import { CABLE_ID, Cluster, Door, ROOM, type Served, startGame, TOPIC } from "./one-roster-sites.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const EVERYBODY = ["ann", "ben", "cid", "dan", "eve"];

let cluster: Cluster;
let game: Awaited<ReturnType<typeof startGame>>;
const doors: Door[] = [];
let people: Person[];
let eve: ColyseusPerson;

beforeAll(async () => {
  cluster = await Cluster.start(["a", "b", "c", "d", "e"]);
  game = await startGame(cluster.sites[4]!.node);
  const door = async (site: number, protocol: Served) => {
    const opened = await Door.open(cluster.sites[site]!.ports[protocol]);
    doors.push(opened);
    return opened.port;
  };
  eve = new ColyseusPerson("eve", game.port);
  people = [
    new PhoenixPerson("ann", await door(0, "phoenix")),
    new AnyCablePerson("ben", await door(1, "anycable")),
    new FayePerson("cid", await door(2, "faye")),
    new SocketClusterPerson("dan", await door(3, "socketcluster")),
    eve,
  ];
  // One after the other: what those who are here are told of it is the first thing that is looked at.
  for (const [index, person] of people.entries()) {
    await person.come();
    await allSee(EVERYBODY.slice(0, index + 1), people.slice(0, index + 1));
  }
});

afterAll(async () => {
  for (const person of people ?? []) await person.close();
  for (const door of doors) door.close();
  await game?.stop();
  await cluster?.stop();
});

/** Waits until each of `who` sees exactly these. */
async function allSee(ids: readonly string[], who: readonly Person[]): Promise<void> {
  for (const person of who)
    await eventually(async () => expect(await person.people(), `seen by ${person.id}`).toEqual(ids));
}

const others = (person: Person) => people.filter((other) => other !== person);
const without = (person: Person) => EVERYBODY.filter((id) => id !== person.id);

/** Waits until each of `who` was told just this of the others, and nothing else. What one is told of oneself is left out. */
async function allTold(lines: readonly string[], who: readonly Person[]): Promise<void> {
  for (const person of who) {
    const told: string[] = [];
    await eventually(() => {
      told.push(...person.told().filter((line) => line.slice(1) !== person.id));
      // In which order it is told of two who go with one node is open.
      expect([...told].sort(), `told to ${person.id}`).toEqual([...lines].sort());
    });
  }
}

test("everybody who came is told of those who come after them, once, and all see all five by their ids", async () => {
  for (const [index, person] of people.entries()) {
    const later = EVERYBODY.slice(index + 1).map((id) => `+${id}`);
    await allTold(later, [person]);
  }
  await allSee(EVERYBODY, people);
  for (const { node } of cluster.sites) {
    const keys = node.list(TOPIC).map(({ key }) => key);
    expect(keys.sort()).toEqual(EVERYBODY);
  }
});

test("each is shown what the others say of themselves, in the shape of its own protocol", async () => {
  const saysAll = {
    ann: { by: "phoenix" },
    ben: { by: "anycable" },
    cid: { by: "faye" },
    eve: { by: "colyseus" },
  };
  const [phoenix, anycable, fayePerson, sc, colyseus] = people as [Person, Person, Person, Person, Person];
  for (const [id, said] of Object.entries(saysAll)) {
    expect(phoenix.shown(id)).toEqual([said]);
    expect(await anycable.shown(id)).toEqual(said);
    expect(fayePerson.shown(id)).toEqual({ id, data: said });
    expect(sc.shown(id)).toEqual({ id, connections: 1 });
    expect(colyseus.shown(id)).toEqual([said]);
  }
  // A SocketCluster client says who it is, and no more.
  expect(phoenix.shown("dan")).toEqual([{}]);
  expect(await anycable.shown("dan")).toBeUndefined();
  expect(fayePerson.shown("dan")).toEqual({ id: "dan" });
  expect(sc.shown("dan")).toEqual({ id: "dan", connections: 1 });
  expect(colyseus.shown("dan")).toEqual([{}]);
});

test("who leaves by the means of their protocol is gone for all, and back for all, each told once", async () => {
  for (const person of people) {
    await person.leave();
    await allTold([`-${person.id}`], others(person));
    await allSee(without(person), others(person));
    await person.come();
    await allTold([`+${person.id}`], others(person));
    await allSee(EVERYBODY, people);
    person.told();
  }
});

test("a node that crashes takes its clients with it, who are back once they are elsewhere, each told once", async () => {
  const served: readonly Served[] = ["phoenix", "anycable", "faye", "socketcluster"];
  /** At which site each person is. */
  const home = [0, 1, 2, 3, 4];
  for (const crashed of [0, 1, 2, 3, 4]) {
    const gone = people.filter((_, index) => home[index] === crashed);
    const rest = people.filter((person) => !gone.includes(person));
    const lines = (sign: string) => gone.map(({ id }) => sign + id);
    const doorOf = (person: Person) => doors[people.indexOf(person)];
    for (const person of gone) doorOf(person)?.shut();
    await cluster.cut(crashed);
    if (gone.includes(eve)) await game.stop();
    await cluster.sites[crashed]!.stop();
    await allTold(lines("-"), rest);
    await allSee(
      rest.map(({ id }) => id),
      rest,
    );

    const elsewhere = (crashed + 4) % 5;
    const site = cluster.sites[elsewhere]!;
    for (const person of gone) {
      const index = people.indexOf(person);
      home[index] = elsewhere;
      doorOf(person)?.leadTo(site.ports[served[index]!]);
    }
    if (gone.includes(eve)) {
      // A game's client joins anew, at another process of the game.
      game = await startGame(site.node);
      eve.port = game.port;
      await eve.come();
    }
    await allTold(lines("+"), rest);
    await allSee(EVERYBODY, people);
    for (const person of gone) person.told();
    // That a node is back with nobody on it is nothing to tell; the next round would show it.
    await cluster.restart(crashed);
  }
  await allTold([], people);
  for (const { node } of cluster.sites) expect(node.count(TOPIC)).toEqual({ keys: 5, entries: 5 });
});

test("the picture on the first page shows these people, at these nodes, in these rooms", () => {
  const picture = readFileSync(
    new URL("../../packages/presently/docs/one-roster.svg", import.meta.url),
    "utf8",
  );
  const texts = [...picture.matchAll(/<(?:text|tspan)[^>]*>([^<]+)</g)].map(([, text]) => text);
  const ids = EVERYBODY.map((id) => (id === "ben" ? CABLE_ID + id : id));
  const nodes = cluster.sites.map(({ node }) => node.name);
  expect(texts).toEqual(
    expect.arrayContaining([...Object.values(ROOM), ...ids, ...nodes, ...EVERYBODY, TOPIC]),
  );
});
