/**
 * What a back end says to all who are on a topic, whichever protocol they came by: each server of clients hands it to its
 * own. At most once, never stored, to nodes that there is a link with.
 */
import {
  checkFunction,
  checkObject,
  checkString,
  InvalidArgumentError,
  type MessageListener,
} from "@presently/replica";
import type { RosterNames } from "./roster-names.ts";

/** Reserved for nodes among themselves. */
const MESSAGES_CHANNEL = "presently/messages";

/** Events that say something to clients of one protocol or another that no back end may say. */
const RESERVED_EVENTS =
  /^(?:phx_|presence_|pusher[:_])|^(?:connect|connect_error|disconnect|disconnecting|newListener|removeListener)$/;

/** A message to everybody on a topic. */
export interface TopicMessage {
  readonly topic: string;
  readonly event: string;
  /** Any JSON. */
  readonly data: unknown;
}

/** What is asked of a node. */
interface Broadcaster {
  broadcast(channel: string, payload: unknown): void;
  onBroadcast(channel: string, listener: MessageListener): () => void;
}

/**
 * Says it to everybody on the topic, on all nodes.
 *
 * @throws {InvalidArgumentError} for an event that a protocol reserves, or data that is no JSON
 * @throws {LimitError} beyond `broadcastBytesMax` of the node
 */
export function publishToTopic(node: Pick<Broadcaster, "broadcast">, message: TopicMessage): void {
  checkObject("node", node, ["broadcast"]);
  checkObject("message", message);
  const { topic, event, data = null } = message;
  checkString("topic", topic);
  checkString("event", event);
  if (event === "") throw new InvalidArgumentError("event", "must not be empty");
  if (RESERVED_EVENTS.test(event))
    throw new InvalidArgumentError(
      `event ${JSON.stringify(event)}`,
      "is reserved by a protocol: choose another name",
    );
  node.broadcast(MESSAGES_CHANNEL, { topic, event, data });
}

/**
 * Calls `deliver` with what is said on topics, at whichever node, and the protocol's own name for the topic, until the
 * returned function is called. Topics without such a name are passed over.
 */
export function onTopicMessage(
  node: Pick<Broadcaster, "onBroadcast">,
  names: RosterNames,
  deliver: (room: string, message: TopicMessage) => void,
): () => void {
  checkObject("node", node, ["onBroadcast"]);
  checkObject("names", names, ["nameOf"]);
  checkFunction("deliver", deliver);
  return node.onBroadcast(MESSAGES_CHANNEL, (payload) => {
    const message = payload as Partial<TopicMessage> | null;
    if (typeof message?.topic !== "string" || typeof message.event !== "string") return;
    const room = names.nameOf(message.topic);
    if (room !== undefined) deliver(room, message as TopicMessage);
  });
}
