/**
 * What nothing that keeps lists in step over a WebSocket can do without: maps, `msgpackr` and one `ws` link between two
 * processes. The changes of a turn of the event loop go out together. No merging, no partitions, no lost links, no limits,
 * no checks: what Presently takes longer is what those cost, and what this takes is what the machine allows.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Packr } from "msgpackr";
import { WebSocket, WebSocketServer } from "ws";
import { type ChangeType, type Listener, type Member, type Meta, type OpenMember, touch } from "./member.ts";

/** One presence, as little as one can keep of it. */
interface Entry {
  readonly number: number;
  readonly room: string;
  readonly key: string;
  readonly meta: Meta;
}

/** Who is where: by room and key, and by the number of the change that brought them. */
export class BareLists {
  readonly rooms = new Map<string, Map<string, Entry>>();
  readonly numbers = new Map<number, Entry>();
  #number = 0;

  /** As well for somebody who is there already. */
  put(room: string, key: string, meta: Meta): ChangeType {
    let people = this.rooms.get(room);
    if (people === undefined) {
      people = new Map();
      this.rooms.set(room, people);
    }
    const before = people.get(key);
    if (before !== undefined) this.numbers.delete(before.number);
    const entry: Entry = { number: ++this.#number, room, key, meta };
    people.set(key, entry);
    this.numbers.set(entry.number, entry);
    return before === undefined ? "join" : "update";
  }

  take(room: string, key: string): void {
    const people = this.rooms.get(room)!;
    const entry = people.get(key)!;
    people.delete(key);
    this.numbers.delete(entry.number);
    if (people.size === 0) this.rooms.delete(room);
  }
}

type Change = readonly [room: string, key: string, meta: Meta] | readonly [room: string, key: string];

/** Changes that are sent without waiting for the end of the turn. */
const CHANGES_MAX = 1_000;

const packr = new Packr({ useRecords: false });

/** One end of the link. */
export class BareLink {
  readonly lists = new BareLists();
  readonly address: string;
  #socket: WebSocket | undefined;
  #open: Change[] = [];
  readonly #told: (type: ChangeType, room: string, key: string) => void;

  /** @param peer the address of the first end; without one, this is it */
  static async open(
    peer: string | undefined,
    told: (type: ChangeType, room: string, key: string) => void,
  ): Promise<BareLink> {
    if (peer !== undefined) {
      const socket = new WebSocket(peer, { perMessageDeflate: false });
      const link = new BareLink("", told);
      link.#attach(socket);
      await once(socket, "open");
      return link;
    }
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    const link = new BareLink(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, told);
    server.on("connection", (socket) => link.#attach(socket));
    return link;
  }

  private constructor(address: string, told: (type: ChangeType, room: string, key: string) => void) {
    this.address = address;
    this.#told = told;
  }

  put(room: string, key: string, meta: Meta): void {
    this.lists.put(room, key, meta);
    this.#say([room, key, meta]);
  }

  take(room: string, key: string): void {
    this.lists.take(room, key);
    this.#say([room, key]);
  }

  #say(change: Change): void {
    if (this.#open.push(change) >= CHANGES_MAX) this.#flush();
    else if (this.#open.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (this.#open.length === 0) return;
    this.#socket?.send(packr.pack(this.#open));
    this.#open = [];
  }

  #attach(socket: WebSocket): void {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => {
      for (const [room, key, meta] of packr.unpack(data) as Change[]) {
        if (meta !== undefined) this.#told(this.lists.put(room, key, meta), room, key);
        else {
          this.lists.take(room, key);
          this.#told("leave", room, key);
        }
      }
    });
  }
}

export const bare: OpenMember = async ({ peers: [peer] }): Promise<Member> => {
  const listeners = new Map<string, Listener>();
  const link = await BareLink.open(peer, (type, room, key) => listeners.get(room)?.(type, key));
  return {
    address: link.address,
    join: (room, key, meta) => link.put(room, key, meta),
    update: (room, key, meta) => link.put(room, key, meta),
    leave: (room, key) => link.take(room, key),
    watch: (room, listener) => listeners.set(room, listener),
    list(room) {
      let members = 0;
      for (const { key, meta } of link.lists.rooms.get(room)?.values() ?? []) members += touch(key, meta);
      return members;
    },
    count: (room) => link.lists.rooms.get(room)?.size ?? 0,
  };
};
