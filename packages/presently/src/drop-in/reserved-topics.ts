/**
 * Which topics are no rooms? Drop-ins keep lists of their own as presences, so that a lost node is out of them with
 * everything else of it. Who could join such a topic through another protocol would see them whole, and could put
 * somebody there that nobody vouches for. So no client joins them; what runs in the server does as it likes.
 *
 * They are all named here, and not by who uses them: the node that a client comes to need not serve that protocol.
 */
import { checkObject, checkString } from "@presently/replica";
import type { Protocol } from "../access/access.ts";
import { RosterNameError, type RosterNames } from "./roster-names.ts";

/** What the topics of SocketCluster's records begin with: every socket, with its user, token and address; and the nodes. */
export const SOCKETCLUSTER_TOPICS = "socketcluster:";

/** The default of SocketCluster's option `scpPresenceChannel`. */
export const SOCKETCLUSTER_PRESENCE_CHANNEL = "_SCPRESENCE";

/** What the topics of Socket.IO's servers begin with: which sockets there are, and in which rooms. */
export const SOCKETIO_TOPICS = "socket.io:";

/** What the topics of Pusher's apps begin with: members of presence channels, counts, and users that are signed in. */
const PUSHER_TOPICS = "pusher:";

/** The nodes that deliver webhooks. */
export const WEBHOOKS_TOPIC = "presently:webhooks";

interface ReservedTopic {
  /** The topic, or the beginning of several with a `*` behind it. */
  readonly pattern: string;
  /** The protocol whose clients have rooms there, which looks after them itself. */
  readonly except?: Protocol;
}

/** All of them. */
export const RESERVED_TOPICS: readonly ReservedTopic[] = [
  { pattern: `${SOCKETCLUSTER_TOPICS}*` },
  // Who follows the roster of a channel, at which node: the nodes agree by it on who publishes.
  { pattern: `${SOCKETCLUSTER_PRESENCE_CHANNEL}/*`, except: "socketcluster" },
  { pattern: `${SOCKETIO_TOPICS}*` },
  { pattern: `${PUSHER_TOPICS}*`, except: "pusher" },
  { pattern: WEBHOOKS_TOPIC },
];

/** Whether a client that comes by this protocol must not join a topic of the cluster. */
export function isReservedTopic(topic: string, protocol: Protocol): boolean {
  checkString("topic", topic);
  return RESERVED_TOPICS.some(
    ({ pattern, except }) =>
      except !== protocol &&
      (pattern.endsWith("*") ? topic.startsWith(pattern.slice(0, -1)) : topic === pattern),
  );
}

/** As `isReservedTopic`, of a room by the name that the protocol has for it. False for one that stands for nothing. */
export function isReservedRoom(room: string, names: RosterNames, protocol: Protocol): boolean {
  checkString("room", room);
  checkObject("names", names, ["topicOf"]);
  try {
    return isReservedTopic(names.topicOf(room) ?? "", protocol);
  } catch (error) {
    if (error instanceof RosterNameError) return false;
    throw error;
  }
}
