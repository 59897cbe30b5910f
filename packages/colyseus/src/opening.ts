/** Brings up what a presence stands on: a node of its own, one that runs already, or none. */
import { aloneMessenger, type Keyspace, type Messenger } from "@presently/keyspace";
import { type AnyNode, createNode, type NodeOptions, PresentlyError, type PresentlyNode } from "presently";
import { checkObject } from "presently/drop-in";
import { meet } from "./local-rendezvous.ts";
import type { LocalOptions, PresenceNode } from "./options.ts";
import type { PubSub, TopicMessenger } from "./pub-sub.ts";

/** Another process may take a port between our choice and our use of it. */
const PORT_ATTEMPTS = 5;
const LOOK_AGAIN_MS = 20;

/** What a presence stands on while it is open. */
export interface Ground {
  readonly messenger: Messenger;
  readonly keyspace: Keyspace;
  readonly pubSub: PubSub;
  /** Whose presences the rosters show. */
  readonly node: () => Promise<PresentlyNode>;
  /** Ends what was started for it. */
  readonly end: () => Promise<void>;
}

/** A messenger, and how to end what carries it. */
export interface Carrier {
  readonly messenger: TopicMessenger;
  readonly node: () => Promise<PresentlyNode>;
  readonly end: () => Promise<void>;
}

/** At once where nothing has to be started. */
export function carrierOf(node: PresenceNode | undefined): Carrier | Promise<Carrier> {
  const nothing = () => Promise.resolve();
  if (node === undefined) return alone();
  checkObject("node", node);
  if (isNode(node)) return { messenger: node, node: () => Promise.resolve(node), end: nothing };
  return startNode(node, nothing);
}

/** A process by itself needs a node for its rosters only, and starts it when the first is asked for. */
function alone(): Carrier {
  const known = { isEffective: () => true, whenEffective: () => Promise.resolve(), end: () => undefined };
  let node: Promise<PresentlyNode> | undefined;
  return {
    messenger: { ...aloneMessenger(), subscribe: () => known },
    node: () => {
      node ??= createNode({ name: "alone", logLevel: "warn" });
      return node;
    },
    end: async () => {
      await (await node)?.stop();
    },
  };
}

/** A node that runs, and no options of one. */
function isNode(node: PresenceNode): node is AnyNode {
  return typeof (node as Partial<AnyNode>).broadcast === "function";
}

/** A node that finds those of the other processes of this machine. */
export async function localCarrier(options: LocalOptions): Promise<Carrier> {
  for (let attempt = 1; ; attempt++) {
    const { options: found, leave } = await meet(options.name, options.folder);
    try {
      return await startNode({ ...found, ...options.node }, leave);
    } catch (error) {
      await leave();
      const isTaken = error instanceof PresentlyError && error.code === "ADDRESS_IN_USE";
      if (!isTaken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function startNode(options: NodeOptions, ended: () => Promise<void>): Promise<Carrier> {
  const node = await createNode(options);
  return {
    messenger: node,
    node: () => Promise.resolve(node),
    end: async () => {
      await node.stop();
      await ended();
    },
  };
}

/** Waits until so many processes, this one included, are linked, or `graceMs` have passed. */
export async function gathered(messenger: Messenger, processes: number, graceMs: number): Promise<void> {
  const untilMs = performance.now() + graceMs;
  while (performance.now() < untilMs) {
    const linked = messenger.cluster().filter((view) => view.linked).length;
    if (linked + 1 >= processes) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
