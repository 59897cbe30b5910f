/**
 * A wrong call of anything that a package exports is an error of ours, with a code, at the call; and it changes nothing.
 *
 * What there is to call is found by walking the exports, and the methods of one example of each class: a new function is
 * called without being named here, and a new class fails the test until it has an example.
 */
import { createServer } from "node:http";
import { Cable } from "@presently/anycable";
import { ClientError, createClient } from "@presently/client";
import { PresentlyProvider } from "@presently/client/react";
import { PresentlyDriver, PresentlyPresence } from "@presently/colyseus";
import { aloneMessenger, Keyspace } from "@presently/keyspace";
import { PhoenixSocket } from "@presently/phoenix";
import { PusherServer } from "@presently/pusher";
import { PresenceError } from "@presently/socket.io/client";
import {
  createAccess,
  createNode,
  jwtVerifier,
  PresentlyError,
  type PresentlyNode,
  type ReplicaId,
  startWebhooks,
} from "presently";
import { Attachments, Gate, Mailbox, RosterNames, rosterOf, SharedWatch } from "presently/drop-in";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { entryPoints, isClass, isErrorClass, publicMethods } from "../helpers/public-surface.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Entry points that are no API of applications. */
const INNER = [
  // The machines under a node: what an application reaches of them it reaches by a node or a session.
  "@presently/crdt",
  "@presently/replica",
  // Starts processes; for our own demo and tests.
  "presently/demo",
  "@presently/testkit",
];

/**
 * Exports that are not called: the checks themselves, how listeners are called (for each message), what is not ours, and a
 * component, which React always gives its properties.
 */
const NOT_CALLED =
  /^((check|require)[A-Z].*|jsonOf|stringsIn|callListener|reportRejection|credsAuthenticator|PresentlyProvider)$/;

/** What takes arguments, and has an answer for none at all. */
const TOTAL = new Set([
  // Freezes nothing where there is nothing.
  "freezeJson",
  "isEnvelope",
  "plain",
  "saidAsMap",
  "saidIn",
  // Without access, everybody may do everything.
  "Gate.may",
  // As the client of Redis: what is missing is an empty text, and what cannot be done is the result.
  ...["unsubscribe", "publish", "del", "expire", "set", "setex", "sadd", "setMaxListeners"].map(
    (method) => `PresentlyPresence.${method}`,
  ),
  // Everything that they take is optional.
  "PresentlyNode.session",
  // A receiver may be anything, and a drain has defaults.
  "PusherServer.drain",
  "SharedWatch.attach",
  "SharedWatch.detach",
  "PresentlyNode.topics",
  "PhoenixSocket.drain",
  "Cable.drain",
  "Roster.session",
  "RosterSession.drop",
  // A drop-in without limits has those of a gate.
  "resolveBesideGate",
]);

/** Methods that end what they are called on: it need not work any more after that. */
const ENDING = /^(close|drain|drop|end|leave|shutdown|stop)$/;

const WRONG: readonly unknown[] = [
  ...[undefined, null, 5, -1, Number.NaN, "", "text", "\ud800", true, 10n, Symbol("s")],
  ...[[], [5], {}, { unknown: 1 }, new Map(), new Date(0), () => 5],
];

/** None, each, each pair, and each behind arguments that look right. */
const LISTS: readonly (readonly unknown[])[] = [
  [],
  ...WRONG.flatMap((wrong) => [
    [wrong],
    ["text", "text", wrong],
    ["text", "text", {}, wrong],
    ["n@1", "text", "text", wrong],
    ...WRONG.flatMap((other) => [
      [wrong, other],
      ["text", wrong, other],
    ]),
  ]),
];

type Call = (...words: readonly unknown[]) => unknown;

const isOurs = (error: unknown) =>
  [PresentlyError, ClientError, PresenceError].some((kind) => error instanceof kind) &&
  /^[A-Z_]+$/.test((error as ClientError).code);

/** Who is present on the topic that no call is to change. */
const present = (node: PresentlyNode) =>
  node.list("kept").map(({ key, ref, meta }) => ({ key, ref, meta: { ...meta } }));

const shown = (list: readonly unknown[]) =>
  list
    .map((word) => (typeof word === "object" && word !== null ? JSON.stringify(word) : String(word)))
    .join(", ");

/** Every wrong call that is answered with what is no error of ours. */
async function faultsOf(name: string, call: Call, takes: number): Promise<string[]> {
  const faults: string[] = [];
  const threw = (list: readonly unknown[], error: unknown) => {
    if (!isOurs(error)) faults.push(`${name}(${shown(list)}): ${String(error)}`);
  };
  for (const list of LISTS) {
    const isAccepted = () => {
      if (list.length === 0 && takes > 0 && !TOTAL.has(name)) faults.push(`${name}() is not refused`);
    };
    try {
      const given = call(...list);
      if (given instanceof Promise) given.then(isAccepted, (error) => threw(list, error));
      else isAccepted();
      // What was begun by mistake ends.
      if (typeof given === "function" && given.length === 0 && !isClass(given)) given();
    } catch (error) {
      threw(list, error);
    }
  }
  // What rejects because of its arguments does so at once; the rest waits for others, and ends with the example.
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  // The first says what is wrong.
  return faults.slice(0, 2);
}

// What is wrong with its options, a presence of Colyseus also tells as a warning, which is not looked at here.
vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function newNode(): Promise<PresentlyNode> {
  const node = await createNode({ name: "n", logLevel: "silent", http: { port: 0 } });
  ends.push(() => node.stop());
  return node;
}

function newPresence(): PresentlyPresence {
  const presence = new PresentlyPresence(undefined, { onError: () => undefined });
  ends.push(() => presence.shutdown());
  return presence;
}

function newClient() {
  const client = createClient("ws://127.0.0.1:1/socket", { transport: WebSocket });
  ends.push(() => client.close());
  return client;
}

/** One of each class, and of each object with methods, that an application has in its hands. */
const EXAMPLES: Readonly<Record<string, (node: PresentlyNode) => object | Promise<object>>> = {
  PresentlyNode: (node) => node,
  Session: (node) => node.session({ lingerMs: 5 }),
  People: (node) => node.watchPeople("topic", {}, () => undefined),
  TopicSubscription: (node) => node.subscribe("channel", "topic"),
  access: () => createAccess({ anonymous: ["watch:*"] }),
  Webhooks: (node) =>
    startWebhooks(node, { url: "http://127.0.0.1:1", secret: "s".repeat(32), topics: ["topic"] }),
  Attachments: () => new Attachments(),
  Gate: () => new Gate({ access: undefined, protocol: "http", onNotice: () => undefined }),
  Mailbox: () => new Mailbox(),
  SharedWatch: (node) => new SharedWatch(node, "topic", () => undefined),
  RosterNames: () => new RosterNames(),
  Roster: (node) => rosterOf(node, new RosterNames({ topics: { prefix: "a", inCluster: "b" } })),
  RosterSession: (node) =>
    rosterOf(node, new RosterNames({ topics: { prefix: "a", inCluster: "b" } })).session(),
  Keyspace: () => {
    const keyspace = new Keyspace(aloneMessenger());
    ends.push(() => keyspace.stop());
    return keyspace;
  },
  PresentlyPresence: newPresence,
  PresentlyDriver: () => new PresentlyDriver(newPresence()),
  PlayerRoster: () => newPresence().roster("room"),
  PhoenixSocket: (node) => new PhoenixSocket(node),
  SocketPresence: (node) => new PhoenixSocket(node).presence,
  Cable: (node) => new Cable(node),
  PusherServer: (node) => new PusherServer(node, { apps: [{ id: "1", key: "key", secret: "s".repeat(32) }] }),
  Client: newClient,
  Room: () => newClient().join("room"),
};

/** Classes whose methods only a node or a drop-in calls, for each frame or message, or that have none. */
const WITHOUT_EXAMPLE = new Set([
  "Assemblies",
  "Backlog",
  "Mesh",
  "Packet",
  "Permissions",
  "Subscriptions",
  "TokenBucket",
]);

describe("every export", () => {
  test.each(entryPoints().filter((entry) => !INNER.includes(entry)))("of %s", async (entry) => {
    const faults: string[] = [];
    for (const [name, value] of Object.entries<unknown>(await import(entry))) {
      if (isErrorClass(value) || NOT_CALLED.test(name)) continue;
      if (isClass(value)) {
        if (!(name in EXAMPLES) && !WITHOUT_EXAMPLE.has(name)) faults.push(`${name} has no example here`);
        faults.push(...(await faultsOf(`new ${name}`, (...list) => new value(...list), 0)));
      } else if (typeof value === "function") {
        const call = entry.endsWith("/react") ? rendered(value as Call) : (value as Call);
        faults.push(...(await faultsOf(name, call, value.length)));
      } else if (typeof value === "object" && value !== null && !Array.isArray(value))
        for (const method of publicMethods(value)) {
          const call = (value as Record<string, Call>)[method]!.bind(value) as Call;
          const takes = (value as Record<string, Call>)[method]!.length;
          faults.push(...(await faultsOf(`${name}.${method}`, call, takes)));
        }
    }
    expect(faults).toEqual([]);
  });

  /** A hook, in a component. */
  function rendered(hook: Call): Call {
    const client = newClient();
    return (...list) => {
      const Probe = () => {
        hook(...list);
        return null;
      };
      return renderToString(createElement(PresentlyProvider, { client }, createElement(Probe)));
    };
  }
});

describe("every method", () => {
  test.each(Object.keys(EXAMPLES))("of %s", async (name) => {
    const faults: string[] = [];
    const methods = publicMethods(await EXAMPLES[name]!(await newNode()));
    expect(methods).not.toEqual([]);
    for (const method of methods) {
      const node = await newNode();
      node.session().track("kept", "ada", { device: "phone" });
      const before = present(node);
      const example = (await EXAMPLES[name]!(node)) as Record<string, Call>;
      const call = example[method]!.bind(example) as Call;
      faults.push(...(await faultsOf(`${name}.${method}`, call, example[method]!.length)));
      if (name === "PresentlyNode" && ENDING.test(method)) continue;
      expect(present(node), method).toEqual(before);
      node.session().track("after", "bob");
      expect(node.count("after"), method).toEqual({ keys: 1, entries: 1 });
    }
    expect(faults).toEqual([]);
  });
});

describe("refused at the call, and not later", () => {
  const id = "n@1" as ReplicaId;
  const untyped = (object: object) => object as never as Record<string, Call>;

  test.each<[string, (node: Record<string, Call>, session: Record<string, Call>) => unknown]>([
    ["watch without a listener", (node) => node.watch!("topic")],
    ["watchCount without a listener", (node) => node.watchCount!("topic")],
    ["watchPeople without a listener", (node) => node.watchPeople!("topic", {})],
    ["watchTopics without a listener", (node) => node.watchTopics!("")],
    ["drain with an option that does not exist", (node) => node.drain!({ batch: 5 })],
    ["onBroadcast without a listener", (node) => node.onBroadcast!("channel")],
    ["onMessage without a listener", (node) => node.onMessage!("channel", "listener")],
    ["onReplica without a listener", (node) => node.onReplica!()],
    ["onRequest without a handler", (node) => node.onRequest!("channel", {})],
    ["subscribe without a topic", (node) => node.subscribe!("channel")],
    ["batch without work", (node) => node.batch!()],
    ["stop with null", (node) => node.stop!(null)],
    ["stop with an option that does not exist", (node) => node.stop!({ handOffMs: 5 })],
    ["stop with a negative time", (node) => node.stop!({ handoffMs: -1 })],
    ["where with a number", (node) => node.where!(5)],
    ["where with one key", (node) => node.where!("ada")],
    ["where with keys that are numbers", (node) => node.where!([5])],
    ["list of a number", (node) => node.list!(5)],
    ["get without a key", (node) => node.get!("topic")],
    ["count of nothing", (node) => node.count!()],
    ["remove without a key", (node) => node.remove!("topic")],
    ["evict of nothing", (node) => node.evict!()],
    ["broadcast without a payload", (node) => node.broadcast!("channel")],
    ["broadcast to one topic that is no list", (node) => node.broadcast!("channel", 1, { topics: "topic" })],
    ["request with a negative time", (node) => node.request!(id, "channel", 1, { timeoutMs: -1 })],
    ["request with a text as time", (node) => node.request!(id, "channel", 1, { timeoutMs: "5" })],
    ["request with an option that does not exist", (node) => node.request!(id, "channel", 1, { timeout: 5 })],
    ["session with a text as time", (node) => node.session!({ lingerMs: "5" })],
    ["session with an option that does not exist", (node) => node.session!({ linger: 5 })],
    ["track without a key", (_, session) => session.track!("topic")],
    ["track with a meta that is a text", (_, session) => session.track!("topic", "key", "phone")],
    ["track with null", (_, session) => session.track!("topic", "key", null)],
    ["update with a function that gives no meta", (_, session) => session.update!("kept", "ada", () => 5)],
    ["update with a promise", (_, session) => session.update!("kept", "ada", async () => ({}))],
    ["update without a meta", (_, session) => session.update!("kept", "ada")],
    ["untrack without a key", (_, session) => session.untrack!("topic")],
    ["onRemoved without a listener", (_, session) => session.onRemoved!()],
  ])("%s", async (_, call) => {
    const node = await newNode();
    const session = node.session();
    session.track("kept", "ada", { device: "phone" });
    const before = present(node);
    await expect((async () => call(untyped(node), untyped(session)))()).rejects.toMatchObject({
      name: "InvalidArgumentError",
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/must|is not an option/),
    });
    expect(node.stopping).toBe(false);
    expect(present(node)).toEqual(before);
  });

  const name = "n";
  test.each<[string, unknown[]]>([
    ["no options", []],
    ["null", [null]],
    ["a list", [[]]],
    ["a text", ["n"]],
    ["no name", [{}]],
    ["an unknown option", [{ name, unknown: 1 }]],
    ["an unknown option of a section", [{ name, http: { port: 0, unknown: 1 } }]],
    ["http that is null", [{ name, http: null }]],
    ["mesh that is a number", [{ name, mesh: 7001 }]],
    ["tls that is a text", [{ name, mesh: { tls: "cert" } }]],
    ["access without hooks", [{ name, access: {} }]],
    ["a log that is a function", [{ name, log: () => undefined }]],
    ["a listener that is none", [{ name, onNotice: {} }]],
    ["a transport that is none", [{ name, transport: {} }]],
  ])("createNode with %s", async (_, list) => {
    await expect((createNode as Call)(...list)).rejects.toSatisfy(isOurs);
  });

  test("a token that is no text", async () => {
    await expect((jwtVerifier({ secret: "s".repeat(32) }) as Call)(5)).rejects.toSatisfy(isOurs);
  });

  test("a server that is none, and one that is", async () => {
    const socket = new PhoenixSocket(await newNode());
    expect(() => (socket.attach as Call)({ on: () => undefined })).toThrow("server must have the function");
    expect(() => socket.attach(createServer(), "/socket")()).not.toThrow();
  });
});
