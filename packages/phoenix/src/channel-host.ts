/** What a channel is given, and what it asks of its connection. */
import type { Permissions } from "presently/drop-in";
import type { ChannelDefinition } from "./channel-definition.ts";
import type { ChannelServer } from "./channel-server.ts";
import type { ConnectionInfo } from "./connection-info.ts";
import type { Exchange } from "./exchange.ts";
import type { Frame } from "./frame.ts";
import type { Message } from "./message.ts";
import type { NoticeListener } from "./notice.ts";
import type { Serializer } from "./serializer.ts";
import type { SocketPresence } from "./socket-presence.ts";
import type { Tracker } from "./tracker.ts";

/** The connection that a channel belongs to. */
export interface ChannelHost {
  readonly serializer: Serializer;
  readonly socketId: string | undefined;
  readonly info: ConnectionInfo;
  send(frame: Frame): void;
  /** Counts bytes that a channel holds for its client, until `letGo`; false if they are more than there may be. */
  hold(bytes: number): boolean;
  letGo(bytes: number): void;
  /** The channel is closed. */
  ended(server: ChannelServer): void;
  /** More waits for the callbacks of a channel than it may. */
  overloaded(topic: string): void;
}

/** What the channels of a socket have in common. */
export interface ChannelServices {
  readonly exchange: Exchange;
  readonly presence: SocketPresence;
  readonly newTracker: () => Tracker;
  /** What clients may do; undefined where everybody may do everything. */
  readonly permissions?: Permissions | undefined;
  readonly notice: NoticeListener;
}

export interface ChannelServerOptions {
  readonly host: ChannelHost;
  readonly services: ChannelServices;
  // biome-ignore lint/suspicious/noExplicitAny: the channels of one socket share one type of assigns, which only the socket knows.
  readonly definition: ChannelDefinition<any, any>;
  readonly assigns: unknown;
  /** What the topic is called in the cluster. */
  readonly room: string;
  /** The message that joins. */
  readonly message: Message;
  /** Of that message; held already. */
  readonly bytes: number;
  /** Sent behind the answer to the join: the farewell of the channel that this one takes the place of. */
  readonly farewells: readonly Frame[];
  /** Whether the client may take a diff of an earlier join for one of this join: nothing that it is sent names its join. */
  readonly confusesJoins: boolean;
}
