/** `presently start --processes N`, in one of the processes: a node like any other, behind the group's port. */
import { once } from "node:events";
import type { Server } from "node:http";
import { ClientAddresses } from "../../access/client-address.ts";
import { metricsJson } from "../../http/metrics.ts";
import type { PresentlyNode } from "../../node.ts";
import type { NodeConfig } from "../../node-options.ts";
import { Affinity } from "./affinity.ts";
import { shareGroupMetrics } from "./group-metrics.ts";
import { type FromWorker, type Orders, SLOT_VARIABLE, type ToWorker } from "./messages.ts";
import { nameOfSlot } from "./orders.ts";
import { Relay } from "./relay.ts";
import { attachSwitchboard } from "./switchboard.ts";

/** How often a process says that it still turns. */
const ALIVE_INTERVAL_MS = 2_000;

/** Whether this process belongs to a group that another one supervises. */
export function isGroupMember(): boolean {
  return process.env[SLOT_VARIABLE] !== undefined && process.send !== undefined;
}

/** One process's line to the one that supervises it. */
export class Membership {
  readonly orders: Orders;
  readonly #relay: Relay;
  #server: Server | undefined;
  #answer: () => Promise<unknown> = () => Promise.resolve(undefined);
  #groupNotReady: string | undefined = "the processes are being started";
  #closing = false;
  readonly #whenTold: Promise<void>;
  #tellStop: () => void = () => undefined;

  /** Says that this process is there, and waits to be told what to run. */
  static async begin(): Promise<Membership> {
    // The terminal tells all of them at the same time, and they are stopped one after the other all the same.
    for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
    const ordered = once(process, "message") as Promise<[ToWorker]>;
    tell({ type: "loaded" });
    const [first] = await ordered;
    if (first.type !== "start") throw new TypeError(`a process was told ${first.type} before it was started`);
    const membership = new Membership(first.orders);
    await membership.#relay.listen();
    return membership;
  }

  private constructor(orders: Orders) {
    this.orders = orders;
    this.#whenTold = new Promise((resolve) => {
      this.#tellStop = resolve;
    });
    process.on("message", (message: ToWorker) => this.#hear(message));
    const { directory, slot } = orders;
    this.#relay = new Relay({ directory, slot, server: () => this.#server, answer: () => this.#answer() });
  }

  /** Settles when the group is to end, and this process is the next one. */
  get whenTold(): Promise<void> {
    return this.#whenTold;
  }

  /** Stands before what the node serves: call it before anything else is attached, and right after the node has started. */
  join(node: PresentlyNode, config: NodeConfig, paths: ServedPaths): void {
    const { slot, processes } = this.orders;
    const relay = this.#relay;
    this.#server = node.httpServer;
    this.#answer = () => metricsJson(node);
    const { trustedProxies = [] } = (config.http ?? {}) as { readonly trustedProxies?: readonly string[] };
    const addresses = new ClientAddresses(trustedProxies);
    const addressOf = addresses.of.bind(addresses);
    const affinity = new Affinity({ processes, ...paths, addressOf });
    attachSwitchboard({ node, slot, affinity, relay, groupNotReady: () => this.#groupNotReady });
    const groupName = node.name.slice(0, -`-${slot}`.length);
    const names = Array.from({ length: processes }, (_, index) => nameOfSlot(groupName, index + 1));
    shareGroupMetrics({ node, slot, names, relay });
    if (this.#closing) this.#server?.close();
    // Not before: what is served here ends its own connections, those that were handed on included.
    void node.whenStopped.then(() => relay.close());
    void node.whenReady().then(() => tell({ type: "ready" }));
    setInterval(() => tell({ type: "alive" }), ALIVE_INTERVAL_MS).unref();
  }

  /** Everything is attached. */
  announce(node: PresentlyNode): void {
    tell({ type: "up", meshUrl: node.meshUrl, httpUrl: this.#closing ? undefined : node.httpUrl });
  }

  /** A newer process has this one's name. Settles when that is on its way: the process may end. */
  announceSuperseded(): Promise<void> {
    const message: FromWorker = { type: "superseded" };
    return new Promise((resolve) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
      else resolve();
    });
  }

  #hear(message: ToWorker): void {
    if (message.type === "group") this.#groupNotReady = message.notReady;
    else if (message.type === "stop") this.#tellStop();
    else if (message.type === "close") {
      this.#closing = true;
      this.#server?.close();
    }
  }
}

/** What is served besides the API, as far as its requests belong to one process. */
export interface ServedPaths {
  readonly phoenix: string | undefined;
  readonly faye: string | undefined;
}

function tell(message: FromWorker): void {
  // Without a supervisor there is nobody to tell, and the process is about to end.
  if (process.connected) process.send?.(message);
}
