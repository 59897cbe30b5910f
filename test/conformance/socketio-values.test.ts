/** SIO5: what is emitted is the same for clients of all servers; and SIO33: the admin UI. */
import { instrument } from "@socket.io/admin-ui";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { hear, type Site, Sites } from "./socketio-sites.ts";

class Point {
  readonly x = 1;
  toJSON(): unknown {
    return { point: [this.x] };
  }
}

/** Values that codecs change. */
const VALUES: Readonly<Record<string, unknown>> = {
  text: "text",
  empty: "",
  "lone surrogate": "a\ud800b",
  "astral text": "👩‍🚀",
  integer: 2 ** 53 - 1,
  "negative zero": -0,
  fraction: 0.1 + 0.2,
  nan: Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  null: null,
  undefined: undefined,
  boolean: false,
  date: new Date(0),
  map: new Map([["a", 1]]),
  set: new Set([1]),
  error: new Error("e"),
  "regular expression": /x/g,
  toJSON: new Point(),
  nested: { a: [1, { b: [null, undefined] }] },
  __proto__key: JSON.parse('{"__proto__": {"x": 1}}'),
  "number keys": { 2: "b", 1: "a" },
  "symbol key": { [Symbol("s")]: 1, a: 1 },
  buffer: Buffer.from([1, 2, 3]),
  "empty buffer": Buffer.alloc(0),
  "typed array": new Float32Array([1.5, -2]),
  "data view": new DataView(new Uint8Array([9, 8]).buffer),
  "array buffer": new Uint8Array([7, 6]).buffer,
  "buffers within": { one: Buffer.from("a"), list: [Buffer.from("b"), { two: Buffer.from("c") }] },
};

/** A parser of the application: JSON with a mark in front, and without attachments. */
const parser = {
  Encoder: class {
    encode(packet: unknown): string[] {
      return [`!${JSON.stringify(packet)}`];
    }
  },
  Decoder: class {
    #listeners: ((packet: unknown) => void)[] = [];
    on(_: string, listener: (packet: unknown) => void): void {
      this.#listeners.push(listener);
    }
    add(frame: string): void {
      for (const listener of this.#listeners) listener(JSON.parse(frame.slice(1)));
    }
    removeListener(): void {
      this.#listeners = [];
    }
    off(): void {
      this.#listeners = [];
    }
    destroy(): void {}
  },
};

describe.each([
  ["Socket.IO's parser over WebSocket", {}, "websocket"],
  ["Socket.IO's parser over polling", {}, "polling"],
  ["a parser of the application", { parser }, "websocket"],
] as const)("SIO5: %s", (_, server, transport) => {
  const sites = new Sites();
  let [a, b] = [] as unknown as [Site, Site];
  beforeAll(async () => {
    [a, b] = (await sites.start(["a", "b"], { server: server as never })) as [Site, Site];
  });
  afterAll(() => sites.stop());

  test("every value arrives alike", async () => {
    const options = { transports: [transport], ...server } as never;
    const here = await sites.connect(a, "/", options);
    const there = await sites.connect(b, "/", options);
    // What comes off the wire, before any decoder.
    const raw = [here, there].map(({ client }) => {
      const frames: unknown[] = [];
      client.io.engine.on("data", (data) => frames.push(data));
      return frames;
    });
    const heard = [here, there].map(({ client }) => hear(client, "value"));
    for (const [name, value] of Object.entries(VALUES)) a.io.emit("value", name, value);
    await eventually(() => {
      for (const list of heard) expect(list).toHaveLength(Object.keys(VALUES).length);
    });
    expect(heard[1]).toEqual(heard[0]);
    expect(raw[1]).toEqual(raw[0]);
  });
});

test("SIO33: the admin UI lists the sockets of all servers, and hears of those that come and go", async () => {
  const sites = new Sites();
  try {
    const [a, b] = (await sites.start(["a", "b"])) as [Site, Site];
    for (const { io } of [a, b]) instrument(io, { auth: false, mode: "development" });
    const { socket } = await sites.connect(b);
    let told: Record<string, unknown[][]> = {};
    const events = ["all_sockets", "socket_connected", "room_joined", "socket_disconnected"];
    await sites.connect(a, "/admin", {}, (admin) => {
      told = Object.fromEntries(events.map((event) => [event, hear(admin, event)]));
    });
    const ids = (name: string) =>
      told[name]!.flatMap(([first]) => first as { id: string } | { id: string }[]).map(({ id }) => id);
    await eventually(() => expect(ids("all_sockets")).toContain(socket.id));
    const { socket: later, client } = await sites.connect(b);
    await later.join("r");
    await eventually(() => expect(ids("socket_connected")).toContain(later.id));
    await eventually(() =>
      expect(told.room_joined!.map((args) => args.slice(0, 3))).toContainEqual(["/", "r", later.id]),
    );
    client.disconnect();
    await eventually(() => expect(told.socket_disconnected!.map(([, id]) => id)).toContain(later.id));
  } finally {
    await sites.stop();
  }
});
