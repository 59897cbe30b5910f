/** What holds for every socket, whoever it belongs to: how much it may ask for, and which channels are the server's alone. */
import { isReservedRoom, TokenBucket } from "presently/drop-in";
import type { Settings } from "./options.ts";
import { CLOSE, RefusedError } from "./refusal.ts";
import { channelOfRoster } from "./roster.ts";
import type { SocketClusterAction, SocketClusterSocket } from "./server.ts";

interface Guarded {
  readonly actions: TokenBucket;
  readonly questions: TokenBucket;
  /** Bytes that waited when it was last published to, and the most that one message added to them. */
  waiting: number;
  largest: number;
}

export class ClientGuard {
  private readonly settings: Settings;
  private readonly guarded = new WeakMap<SocketClusterSocket, Guarded>();

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** @throws {RefusedError} for what the socket may not do; if it does too much, it is disconnected besides */
  judge({ type, socket, channel }: SocketClusterAction): void {
    if (socket === undefined) return;
    if (type === "publishOut") this.sending(socket);
    // The server would count its socket once more, for ever.
    if (type === "handshakeSC" && socket.state === "open")
      throw new RefusedError("This socket has completed its handshake");
    if (type !== "subscribe" && type !== "publishIn" && type !== "invoke" && type !== "transmit") return;
    const { waitingMessagesMax } = this.settings.limits;
    if (
      !this.of(socket).actions.take(performance.now()) ||
      socket.getInboundBackpressure() > waitingMessagesMax
    ) {
      socket.disconnect(CLOSE.flood, "too many messages");
      throw new RefusedError("This socket sends too many messages");
    }
    if (channel === undefined) return;
    if (type === "subscribe") this.subscribing(socket, channel);
    if (type === "publishIn" && this.isServers(channel))
      throw new RefusedError(`Only the server publishes on ${channel}`);
  }

  /** Whether the socket may ask for a roster, or for the map of users, now. */
  mayAsk(socket: SocketClusterSocket): boolean {
    return this.of(socket).questions.take(performance.now());
  }

  private subscribing(socket: SocketClusterSocket, channel: string): void {
    const seen = channelOfRoster(channel, this.settings) ?? channel;
    if (isReservedRoom(seen, this.settings.names, "socketcluster"))
      throw new RefusedError(`You may not subscribe to ${channel}`);
    const { subscriptionsPerSocketMax, rostersPerSocketMax } = this.settings.limits;
    const channels = socket.subscriptions();
    if (channels.length >= subscriptionsPerSocketMax && !channels.includes(channel))
      throw new RefusedError(`A socket may be subscribed to ${subscriptionsPerSocketMax} channels`);
    const isRoster = (name: string) => channelOfRoster(name, this.settings) !== undefined;
    if (isRoster(channel) && channels.filter(isRoster).length >= rostersPerSocketMax)
      throw new RefusedError(`A socket may follow ${rostersPerSocketMax} rosters`);
  }

  private isServers(channel: string): boolean {
    const { forgedEvents, scpUsercountChannel } = this.settings;
    if (forgedEvents === "allow") return false;
    return channel === scpUsercountChannel || channelOfRoster(channel, this.settings) !== undefined;
  }

  /** One message that is larger than all that may wait is no fault of its reader. */
  private sending(socket: SocketClusterSocket): void {
    const guarded = this.of(socket);
    const waiting = socket.socket.bufferedAmount;
    guarded.largest = waiting === 0 ? 0 : Math.max(guarded.largest, waiting - guarded.waiting);
    guarded.waiting = waiting;
    if (waiting <= this.settings.limits.bufferedBytesMax + guarded.largest) return;
    // Whoever does not read would not get to the end of a polite good-bye either.
    socket.terminate();
    throw new RefusedError("This socket does not read");
  }

  private of(socket: SocketClusterSocket): Guarded {
    const known = this.guarded.get(socket);
    if (known !== undefined) return known;
    const now = performance.now();
    const bucket = (perSecond: number) => new TokenBucket({ burst: perSecond, perSecond }, now);
    const { actionsPerSecondMax, questionsPerSecondMax } = this.settings.limits;
    const guarded: Guarded = {
      actions: bucket(actionsPerSecondMax),
      questions: bucket(questionsPerSecondMax),
      waiting: 0,
      largest: 0,
    };
    this.guarded.set(socket, guarded);
    return guarded;
  }
}
