/** What becomes, in each protocol, of rooms and ids that the option `roster` gives no topic or key, or no good one. */
import { Cable } from "@presently/anycable";
import { PresentlyPresence } from "@presently/colyseus";
import { setup } from "@presently/faye";
import { PhoenixSocket } from "@presently/phoenix";
import { attach } from "@presently/socketcluster";
import { createNode } from "presently";
import type { RosterOptions } from "presently/drop-in";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { CableNode, connectClient as connectCable } from "./anycable-client.ts";
import { FayeNode, FayeTab } from "./faye-client.ts";
import { connectClient as connectPhoenix, disconnect, join, PhoenixNode } from "./phoenix-client.ts";
import { Sites } from "./socketcluster-cluster.ts";

vi.setConfig({ testTimeout: 60_000 });

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** Two rooms would be one: `Lobby` and `lobby`. */
const lower = (name: string) => name.toLowerCase();
/** Rooms and ids that begin with an x stand for nothing; those with capitals for what does not lead back. */
const known = (name: string) => (/(^|[:/])x/.test(name) ? undefined : lower(name));
const roster: RosterOptions = {
  topics: { toTopic: known, fromTopic: lower },
  ids: { toKey: known, fromKey: lower },
};

/** What notices say: the code of the error. */
const codes: string[] = [];
const onNotice = (notice: object) => {
  const { code, error } = notice as { code?: string; error?: { code?: string } };
  const told = code ?? error?.code;
  if (told !== undefined) codes.push(told);
};
afterEach(() => void codes.splice(0));

const quiet = { name: "a", logLevel: "silent" } as const;

describe("an option that is no mapping", () => {
  test("is refused by every drop-in when it is made, by its name", async () => {
    const node = await createNode(quiet);
    endings.push(() => node.stop());
    const options = { roster: { topics: { prefix: "room:" } } } as never;
    const nothing = () => undefined;
    const server = { emitWarning: nothing, listener: nothing, pingInterval: 8_000 } as never;
    const fayeServer = {
      addExtension: nothing,
      removeExtension: nothing,
      on: nothing,
      removeListener: nothing,
    } as never;
    const fayeClient = { publish: nothing } as never;
    for (const make of [
      () => new PhoenixSocket(node, options),
      () => new Cable(node, options),
      () => setup(fayeServer, fayeClient, { node, ...(options as object) }),
      () => attach(server, { node, ...(options as object) }),
      () => new PresentlyPresence(node, options),
    ])
      expect(make).toThrow(
        expect.objectContaining({
          code: "INVALID_ARGUMENT",
          message: expect.stringContaining("roster.topics"),
        }),
      );
  });
});

describe("a room or an id without a counterpart", () => {
  test("has no presence in Phoenix, and crashes the channel that tracks there", async () => {
    const { socket, node, url, stop } = await startPhoenix();
    endings.push(stop);
    const client = connectPhoenix(url, { params: { user: "ann" } });
    endings.push(() => disconnect(client));
    // Two names for one topic are not taken for one.
    await expect(join(client, "room:Lobby")).rejects.toThrow("join crashed");
    expect(codes).toEqual(["NAME_MAPPING_BROKEN"]);
    // Where nobody tracks there is a room, with nobody in it.
    const { presence } = await join(client, "quiet:x");
    await eventually(() => expect(presence.inPendingSyncState()).toBe(false));
    expect(() => socket.presence.track({}, "quiet:x", "ann")).toThrow(
      expect.objectContaining({ code: "NAME_NOT_MAPPED", option: "roster.topics" }),
    );
    expect(() => socket.presence.track({}, "quiet:1", "xavier")).toThrow(
      expect.objectContaining({ code: "NAME_NOT_MAPPED", option: "roster.ids" }),
    );
    expect(node.topics()).toEqual([]);
  });

  test("is rejected or ignored by AnyCable, with a notice", async () => {
    const cable = await CableNode.start(quiet, { publicStreams: true, roster, onNotice });
    endings.push(() => cable.stop());
    const client = connectCable(cable.url);
    endings.push(() => client.disconnect());
    await expect(client.streamFrom("Lobby").ensureSubscribed()).rejects.toThrow();
    expect(codes).toContain("NAME_MAPPING_BROKEN");
    const lobby = client.streamFrom("lobby");
    await lobby.ensureSubscribed();
    await lobby.presence.join("xavier", {});
    await eventually(() => expect(codes).toContain("NAME_NOT_MAPPED"));
    expect(await lobby.presence.info()).toEqual({});
    expect(cable.node.topics()).toEqual([]);
  });

  test("is an error of the subscription in Faye", async () => {
    const faye = await FayeNode.start(quiet, { setup: { roster, onNotice } });
    endings.push(() => faye.stop());
    for (const [channel, id, code] of [
      ["/presence/Lobby", "ann", "NAME_MAPPING_BROKEN"],
      ["/presence/x", "ann", "NAME_NOT_MAPPED"],
      ["/presence/lobby", "xavier", "NAME_NOT_MAPPED"],
    ] as const) {
      const tab = new FayeTab(faye.url, id);
      endings.push(() => tab.close());
      await expect(tab.join(channel)).rejects.toMatchObject({
        message: "An error occurred subscribing to presence channel",
      });
      expect(codes.splice(0)).toEqual([code]);
    }
    expect(faye.node.topics()).toEqual([]);
  });

  test("leaves a SocketCluster subscriber out, with a warning unless the room has no topic", async () => {
    const sites = new Sites();
    endings.push(() => sites.stop());
    const [site] = await sites.start(["a"], { presence: { roster } });
    const ann = await sites.connect(site!, "ann");
    for (const channel of ["Lobby", "xroom", "lobby"])
      await ann.subscribe(channel).listener("subscribe").once();
    const xavier = await sites.connect(site!, "xavier");
    await xavier.subscribe("lobby").listener("subscribe").once();
    await eventually(() =>
      expect(site!.presence.roster("lobby").users).toEqual([{ id: "ann", connections: 1 }]),
    );
    await eventually(() => expect(site!.warnings).toHaveLength(2));
    expect(site!.warnings[0]).toContain('roster.topics: "Lobby" is mapped to "lobby"');
    expect(site!.warnings[1]).toContain('roster.ids: "xavier" stands for nothing');
    expect(site!.presence.roster("xroom").users).toEqual([]);
  });
});

async function startPhoenix() {
  const started = await PhoenixNode.start<{ user: string }>(quiet, {
    roster,
    onNotice,
    connect: ({ user }) => ({ user: String(user) }),
  });
  started.socket.channel("room:*", { presence: { key: ({ assigns }) => assigns.user } });
  started.socket.channel("quiet:*");
  return { socket: started.socket, node: started.node, url: started.url, stop: () => started.stop() };
}
