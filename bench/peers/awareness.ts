/**
 * The awareness protocol of Yjs over `ws`, wired as `y-websocket` wires it: the first member is the server, which keeps one
 * awareness a room and passes updates on; the others connect to it, one socket a room. Both take away what came over a
 * socket when it closes. The people of the first member are awarenesses of their own, as in so many browsers, whose updates
 * reach the server without a socket: one hop less than they would need.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import {
  Awareness,
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from "y-protocols/awareness";
import { Doc } from "yjs";
import { type Member, type Meta, type OpenMember, Seats, touch } from "./member.ts";

interface Changes {
  readonly added: number[];
  readonly updated: number[];
  readonly removed: number[];
}

/** One room in one process: what it knows, and the sockets that it tells. */
class Room {
  readonly awareness = new Awareness(new Doc());
  readonly sockets = new Set<WebSocket>();

  constructor() {
    this.awareness.setLocalState(null);
    this.awareness.on("update", ({ added, updated, removed }: Changes, origin: unknown) => {
      const update = encodeAwarenessUpdate(this.awareness, [...added, ...updated, ...removed]);
      for (const socket of this.sockets) if (socket !== origin) socket.send(update);
    });
  }

  /** @param toServer whether this is the side of the browser, which knows everybody else from this socket */
  attach(socket: WebSocket, toServer: boolean): void {
    const controlled = new Set<number>();
    this.sockets.add(socket);
    this.awareness.on("update", ({ added, removed }: Changes, origin: unknown) => {
      if (origin !== socket) return;
      for (const client of added) controlled.add(client);
      for (const client of removed) controlled.delete(client);
    });
    socket.binaryType = "nodebuffer";
    socket.on("message", (update: Buffer) => applyAwarenessUpdate(this.awareness, update, socket));
    socket.on("close", () => {
      this.sockets.delete(socket);
      const gone = toServer ? this.awareness.getStates().keys() : controlled;
      removeAwarenessStates(this.awareness, [...gone], null);
    });
    const present = [...this.awareness.getStates().keys()];
    if (!toServer && present.length > 0) socket.send(encodeAwarenessUpdate(this.awareness, present));
  }
}

export const awareness: OpenMember = async ({ peers: [server], seats: seatCount }): Promise<Member> => {
  const rooms = new Map<string, Room>();
  const roomOf = (name: string) => {
    let room = rooms.get(name);
    if (room === undefined) {
      room = new Room();
      rooms.set(name, room);
    }
    return room;
  };

  let address = "";
  if (server === undefined) {
    const listening = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(listening, "listening");
    address = `ws://127.0.0.1:${(listening.address() as AddressInfo).port}`;
    listening.on("connection", (socket, { url }) =>
      roomOf(decodeURIComponent(url!.slice(1))).attach(socket, false),
    );
  }

  // A browser's awareness is for one room.
  const seats = new Seats<Map<string, Awareness>>();
  for (let index = 0; index < seatCount; index++) seats.add(new Map());
  const personIn = (room: string, seat: Map<string, Awareness>) => {
    const known = seat.get(room);
    if (known !== undefined) return known;
    const person = new Awareness(new Doc());
    person.setLocalState(null);
    const hub = roomOf(room).awareness;
    person.on("update", () =>
      applyAwarenessUpdate(hub, encodeAwarenessUpdate(person, [person.clientID]), person),
    );
    seat.set(room, person);
    return person;
  };
  const put = (room: string, seat: Map<string, Awareness>, key: string, meta: Meta) =>
    personIn(room, seat).setLocalState({ key, meta });

  return {
    address,
    async seated(names) {
      for (const name of names) for (const seat of seats.all) personIn(name, seat);
    },
    join: (room, key, meta) => put(room, seats.take(room, key), key, meta),
    update: (room, key, meta) => put(room, seats.of(room, key), key, meta),
    leave: (room, key) => personIn(room, seats.giveBack(room, key)).setLocalState(null),
    async watch(name, listener) {
      const room = roomOf(name);
      if (server !== undefined) {
        const socket = new WebSocket(`${server}/${encodeURIComponent(name)}`);
        room.attach(socket, true);
        await once(socket, "open");
      }
      const keys = new Map<number, string>();
      room.awareness.on("change", ({ added, updated, removed }: Changes) => {
        const states = room.awareness.getStates();
        for (const client of added) {
          keys.set(client, states.get(client)!.key);
          listener("join", keys.get(client)!);
        }
        for (const client of updated) {
          // Whoever comes back under a client id that is known is an update to Yjs.
          const type = keys.has(client) ? "update" : "join";
          keys.set(client, states.get(client)!.key);
          listener(type, keys.get(client)!);
        }
        for (const client of removed) {
          listener("leave", keys.get(client)!);
          keys.delete(client);
        }
      });
    },
    list(name) {
      let members = 0;
      for (const { key, meta } of roomOf(name).awareness.getStates().values()) members += touch(key, meta);
      return members;
    },
    count: (name) => roomOf(name).awareness.getStates().size,
  };
};
