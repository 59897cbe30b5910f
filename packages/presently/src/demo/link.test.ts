import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { Link } from "./link.ts";

/** A node, as far as a link is concerned: it listens, dials, and writes down what it hears. */
class Station {
  readonly sockets: Socket[] = [];
  heard = "";
  readonly #server: Server = createServer((socket) => this.#keep(socket));

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  async dial(url: string): Promise<void> {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    this.#keep(socket);
    await once(socket, "connect");
  }

  say(text: string): void {
    for (const socket of this.sockets) socket.write(text);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }

  #keep(socket: Socket): void {
    this.sockets.push(socket);
    socket.setEncoding("latin1").on("data", (text) => {
      this.heard += text;
    });
    // A cut resets the connection; that it is closed then is all that these tests ask.
    socket.on("error", () => undefined);
  }
}

let [a, b] = [new Station(), new Station()];
let link: Link;

beforeEach(async () => {
  [a, b] = [new Station(), new Station()];
  link = await Link.open(
    { name: "a", meshPort: await a.listen() },
    { name: "b", meshPort: await b.listen() },
  );
});

afterEach(async () => {
  await link.close();
  a.close();
  b.close();
});

describe.each([
  ["a dials", async () => a.dial(link.peerUrl("a"))],
  ["b dials", async () => b.dial(link.peerUrl("b"))],
])("a link on which %s", (_, dial) => {
  beforeEach(async () => {
    await dial();
    await eventually(() => expect([a.sockets.length, b.sockets.length]).toEqual([1, 1]));
  });

  it("stalls what one end says and not what it hears", async () => {
    link.stall("a");
    a.say("from a");
    b.say("from b");
    await eventually(() => expect(a.heard).toBe("from b"));
    expect(b.heard).toBe("");
    link.restore();
    await eventually(() => expect(b.heard).toBe("from a"));
  });

  it("is cut for both ends at once, until it is restored", async () => {
    link.cut();
    expect(link.isCut).toBe(true);
    await eventually(() =>
      expect([...a.sockets, ...b.sockets].every(({ destroyed }) => destroyed)).toBe(true),
    );
    link.restore();
    expect(link.isCut).toBe(false);
    await dial();
    await eventually(() => expect([a.sockets.length, b.sockets.length]).toEqual([2, 2]));
  });
});

it("joins its two ends, in either order, and nobody else", () => {
  expect([link.joins("a", "b"), link.joins("b", "a")]).toEqual([true, true]);
  expect([link.joins("a", "a"), link.joins("a", "c")]).toEqual([false, false]);
  expect(() => link.peerUrl("c")).toThrow("c is not an end of link a–b");
});
