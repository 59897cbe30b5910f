/** Channels of one node without a socket: what tests of the protocol of joining, leaving and failing have in common. */
import { createNode, type PresentlyNode } from "presently";
import type { ChannelDefinition } from "../src/channel-definition.ts";
import { Switchboard, type SwitchboardOptions, type WireClient } from "./wire-client.ts";

/** Of the test that runs. */
export let node: PresentlyNode;

/** Gives the test that begins a node of its own. */
export async function startNode(): Promise<void> {
  node = await createNode({ name: "a" });
}

export async function stopNode(): Promise<void> {
  await node.stop();
}

// biome-ignore lint/suspicious/noExplicitAny: assigns of every type.
export function serve(definition: ChannelDefinition<any> = {}, options: SwitchboardOptions = {}) {
  const silent = { presence: false, ...definition } as ChannelDefinition;
  return new Switchboard(node, (topic) => (topic.startsWith("room:") ? silent : undefined), options);
}

export function connect(definition?: ChannelDefinition<unknown>, options?: SwitchboardOptions): WireClient {
  return serve(definition, options).connect();
}

export const ok = (joinRef: unknown, ref: unknown, topic = "room:1", response: unknown = {}) => [
  joinRef,
  ref,
  topic,
  "phx_reply",
  { status: "ok", response },
];
export const error = (joinRef: unknown, ref: unknown, topic: string, response: unknown) => [
  joinRef,
  ref,
  topic,
  "phx_reply",
  { status: "error", response },
];

/** A promise that a test settles by hand. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
