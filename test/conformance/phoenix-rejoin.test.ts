/** Leaving and joining again on one connection, while what was sent for the earlier join is still on its way. */
import * as current from "phoenix";
import * as earlier from "phoenix-1.7";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { Wire } from "../helpers/wire.ts";
import { countsOf, listOf, listOfNode, type PhoenixNode, push, startPhoenixNodes } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

const topic = "room:1";

interface Kind {
  readonly name: string;
  readonly phoenix: Pick<typeof current, "Socket" | "Presence">;
  readonly options: Partial<current.SocketConnectOption>;
  /** Whether what it is sent names the join, so that it never shows what is over. */
  readonly namesJoins: boolean;
}

const webSocket = { transport: WebSocket as never };
/** The protocol of clients that look at no `join_ref`: only the end of a channel names its join, by `ref`. */
const version1 = {
  vsn: "1.0.0",
  encode: ({ topic, event, payload, ref }: Record<string, unknown>, done: (text: string) => void) =>
    done(JSON.stringify({ topic, event, payload, ref })),
  decode: (text: string, done: (message: unknown) => void) => {
    const { event, ref, ...rest } = JSON.parse(text);
    const isEnd = event === "phx_close" || event === "phx_error";
    done({ ...rest, event, ref, join_ref: isEnd ? ref : undefined });
  },
} as unknown as Partial<current.SocketConnectOption>;
const kinds: readonly Kind[] = [
  { name: "phoenix 1.8", phoenix: current, options: webSocket, namesJoins: true },
  { name: "phoenix 1.7", phoenix: earlier, options: webSocket, namesJoins: true },
  {
    name: "a client of version 1.0.0",
    phoenix: current,
    options: { ...webSocket, ...version1 },
    namesJoins: false,
  },
];

/** One page: a socket over a wire, that mounts the room again and again. */
class Page {
  readonly socket: current.Socket;
  readonly #kind: Kind;
  channel!: current.Channel;
  presence!: current.Presence;
  /** The most connections of one key that were ever shown. */
  most = 0;

  constructor(kind: Kind, port: number, options: Partial<current.SocketConnectOption> = {}) {
    this.#kind = kind;
    this.socket = new kind.phoenix.Socket(`ws://127.0.0.1:${port}/socket`, {
      params: { user_id: "me" },
      rejoinAfterMs: () => 20,
      ...kind.options,
      ...options,
    });
    this.socket.connect();
  }

  mount(timeoutMs?: number): void {
    this.channel = this.socket.channel(topic);
    const presence = new this.#kind.phoenix.Presence(this.channel);
    presence.onSync(() => {
      this.most = Math.max(this.most, ...Object.values(countsOf(presence)));
    });
    this.presence = presence;
    this.channel.join(timeoutMs);
  }

  /** Settles when everything that was sent before has come. */
  async hasAll(): Promise<void> {
    await eventually(() => expect(this.channel.state).toBe("joined"));
    expect(await push(this.channel, "ping")).toEqual(["ok", {}]);
  }
}

let node: PhoenixNode<string>;
let wire: Wire;
let page: Page | undefined;
beforeEach(async () => {
  [node] = (await startPhoenixNodes<string>(
    ["a"],
    (socket) =>
      socket.channel("room:*", {
        presence: { key: ({ assigns }) => assigns },
        handleIn: { ping: () => ({ ok: {} }) },
      }),
    { connect: ({ user_id }) => String(user_id) },
  )) as [PhoenixNode<string>];
  wire = await Wire.to(node.port);
});
afterEach(async () => {
  page?.socket.disconnect();
  await wire.close();
  await node.stop();
});

/** The reference of the only presence of this client, once there is another than before. */
async function nextRef(before?: string): Promise<string> {
  return await eventually(() => {
    const [ref, ...others] = listOfNode(node.node, topic).me ?? [];
    expect(others).toEqual([]);
    expect(ref).not.toBe(before);
    return ref!;
  });
}

/** Nobody is shown who is not there, and nobody twice. */
async function showsTheList({ namesJoins }: Kind): Promise<void> {
  await page!.hasAll();
  expect(listOf(page!.presence)).toEqual(listOfNode(node.node, topic));
  if (namesJoins) expect(page!.most).toBe(1);
}

describe.each(kinds)("$name", (kind) => {
  test("shows itself once after leaving and joining in one tick, while its own coming is under way", async () => {
    page = new Page(kind, wire.port);
    await eventually(() => expect(page!.socket.isConnected()).toBe(true));
    wire.hold("down");
    page.mount();
    const first = await nextRef();
    page.channel.leave();
    page.mount();
    await nextRef(first);
    wire.release("down");
    await showsTheList(kind);
  });

  test("shows nobody who came before it left, and went before it joined again", async () => {
    page = new Page(kind, wire.port);
    page.mount();
    await page.hasAll();
    wire.hold("down");
    const bob = node.node.session();
    bob.track(topic, "bob");
    page.channel.leave();
    await eventually(() => expect(listOfNode(node.node, topic).me).toBeUndefined());
    bob.close();
    page.mount();
    await nextRef();
    wire.release("down");
    await showsTheList(kind);
    expect(countsOf(page.presence)).toEqual({ me: 1 });
  });

  test("shows who is there after a stall that outlasts several joins", async () => {
    page = new Page(kind, wire.port, { timeout: 50 });
    page.mount(50);
    await page.hasAll();
    page.channel.leave();
    wire.hold("down");
    page.mount(50);
    let ref = await nextRef();
    for (let join = 0; join < 4; join++) {
      const bob = node.node.session();
      bob.track(topic, `bob ${join}`);
      // It gives the join up, leaves, and joins again.
      ref = await nextRef(ref);
      bob.close();
    }
    node.node.session().track(topic, "carol");
    wire.release("down");
    await showsTheList(kind);
    expect(countsOf(page.presence)).toEqual({ carol: 1, me: 1 });
  });
});

test("over long-polling nobody is shown twice either", async () => {
  const kind: Kind = {
    name: "",
    phoenix: current,
    options: { transport: current.LongPoll },
    namesJoins: true,
  };
  page = new Page(kind, wire.port);
  await eventually(() => expect(page!.socket.isConnected()).toBe(true));
  for (let times = 0; times < 5; times++) {
    wire.hold("down");
    page.mount();
    await nextRef();
    page.channel.leave();
    page.mount();
    wire.release("down");
    await showsTheList(kind);
    page.channel.leave();
    await eventually(() => expect(listOfNode(node.node, topic)).toEqual({}));
  }
});
