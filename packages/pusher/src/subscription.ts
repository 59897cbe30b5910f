/** One subscription of one connection: from the request, over what has to be waited for, to its end. */
import { envelope } from "presently/drop-in";
import { isCache, userOfChannel } from "./channel-name.ts";
import type { ClientSocket } from "./client-socket.ts";
import type { Connection } from "./connection.ts";
import { frame, type Member } from "./frames.ts";
import type { LocalChannel, Subscriber } from "./local-channel.ts";
import type { FirstWord } from "./members.ts";
import { eventFrame } from "./wire.ts";

export class Subscription implements Subscriber {
  readonly socketId: string;
  readonly socket: ClientSocket;
  readonly member: Member | undefined;
  readonly channel: LocalChannel;
  readonly #connection: Connection;
  #state: "waiting" | "live" | "ended" = "waiting";

  constructor(connection: Connection, name: string, member: Member | undefined) {
    this.#connection = connection;
    this.socketId = connection.socketId;
    this.socket = connection.socket;
    this.member = member;
    this.channel = connection.site.use(name);
  }

  /** Whether it is confirmed. */
  get isLive(): boolean {
    return this.#state === "live";
  }

  /** Confirms it at once, or when it may be: what is published elsewhere must come here first. */
  begin(): void {
    const { site } = this.#connection;
    const { name } = this.channel;
    const waits: Promise<unknown>[] = [];
    const heard = this.channel.whenHeard();
    if (heard !== undefined) waits.push(heard);
    if (isCache(name) && this.channel.users === 1) waits.push(site.askForCached(name));
    const permitted = this.#permitted();
    if (waits.length === 0 && permitted === undefined) {
      this.#confirm();
      return;
    }
    void Promise.all([permitted ?? true, ...waits]).then(([allowed]) => {
      if (this.#state !== "waiting") return;
      if (allowed === true) this.#confirm();
      else this.#refuse({ message: `you may not subscribe to ${name}`, status: 403 });
    });
  }

  /** The client unsubscribes. */
  end(): void {
    if (this.#state === "ended") return;
    this.#connection.forget(this);
    const wasLive = this.#state === "live";
    this.detach();
    const { name } = this.channel;
    if (wasLive && this.member !== undefined && !this.#connection.roster.closed)
      this.#connection.roster.untrack(name, this.member.id);
  }

  /** As `end`, but for the presence, which goes with its connection. */
  detach(): void {
    if (this.#state === "ended") return;
    const { site } = this.#connection;
    const isCounted = this.#state === "live" && userOfChannel(this.channel.name) === undefined;
    this.#state = "ended";
    this.channel.remove(this);
    if (isCounted) site.tallies.add(this.channel.name, -1);
    site.release(this.channel);
  }

  repeat(word: FirstWord): void {
    // Told while the change is made: what follows from it is another one.
    queueMicrotask(() => {
      const { member, channel } = this;
      if (!this.isLive || member === undefined) return;
      const { roster } = this.#connection;
      const own = roster.get(channel.name, member.id)?.meta.$at;
      if (typeof own === "number" && own > word.at)
        roster.update(channel.name, member.id, envelope({ info: word.info, at: word.at }));
    });
  }

  /** What the node's access says; undefined where it is not asked. */
  #permitted(): Promise<boolean> | undefined {
    const { permissions } = this.#connection.site;
    const { identity } = this.#connection;
    const { name } = this.channel;
    if (permissions === undefined || userOfChannel(name) !== undefined) return undefined;
    const watches = permissions.watch(identity, name);
    if (this.member === undefined) return watches;
    return Promise.all([watches, permissions.track(identity, name, this.member.id)]).then((all) =>
      all.every(Boolean),
    );
  }

  #confirm(): void {
    const { site } = this.#connection;
    const { member, channel } = this;
    if (member !== undefined) {
      const { membersMax } = site.config.limits;
      const known = channel.wordOf(member.id);
      if (known === undefined && channel.members >= membersMax) {
        const message = `the channel has ${membersMax} members, and takes no more (limits.membersMax)`;
        this.#refuse({ message, type: "LimitReached", status: 4_004 });
        return;
      }
      const at = Math.min(known?.at ?? Number.POSITIVE_INFINITY, Date.now());
      const said = envelope({ info: (known ?? member).info, at });
      const failed = site.isReserved(channel.name)
        ? new Error(`${channel.name} is reserved`)
        : site.attempt(() => this.#connection.roster.track(channel.name, member.id, said));
      if (failed !== undefined) {
        this.#refuse({ message: failed.message, status: 400 });
        return;
      }
    }
    this.#state = "live";
    channel.add(this);
    if (isCache(channel.name)) this.#replay();
    if (userOfChannel(channel.name) === undefined) site.tallies.add(channel.name, 1);
  }

  #replay(): void {
    const { site, socket } = this.#connection;
    const { name } = this.channel;
    const kept = site.cached(name);
    if (kept !== undefined) {
      socket.send(eventFrame(kept.event, name));
      return;
    }
    socket.send(frame("pusher:cache_miss", "", name));
    site.onWebhook({ name: "cache_miss", channel: name });
  }

  #refuse(refusal: Parameters<Connection["refuse"]>[1]): void {
    this.#connection.forget(this);
    this.detach();
    this.#connection.refuse(this.channel.name, refusal);
  }
}
