/** One channel at one node: its subscribers here, and what they are told of those elsewhere. */
import type { AnyNode, People, TopicSubscription } from "presently";
import { rosterOf } from "presently/drop-in";
import type { AppConfig } from "./app-options.ts";
import { isPresence, userOfChannel } from "./channel-name.ts";
import type { ClientSocket } from "./client-socket.ts";
import { type Member, memberAdded, memberList, memberRemoved, textFrame } from "./frames.ts";
import { type FirstWord, type MemberEvent, Members } from "./members.ts";
import type { Tallies } from "./tallies.ts";
import { EVENT_CHANNEL, interestOf } from "./wire.ts";

/** From so many connections on their number is told at most every 5 s. */
const COUNT_OFTEN_MAX = 100;
const COUNT_PAUSE_MS = 5_000;

/** A connection that is subscribed, or is about to be. */
export interface Subscriber {
  readonly socketId: string;
  readonly socket: ClientSocket;
  /** Who it is on a presence channel. */
  readonly member: Member | undefined;
  /** Says that its user's entry repeats this word from now on. */
  repeat(word: FirstWord): void;
}

export interface LocalChannelOptions {
  readonly node: AnyNode;
  readonly app: AppConfig;
  readonly name: string;
  readonly tallies: Tallies;
}

export class LocalChannel {
  readonly name: string;
  readonly #options: LocalChannelOptions;
  readonly #interest: TopicSubscription;
  readonly #subscribers = new Set<Subscriber>();
  /** Those whose own entry their list had before it was told. */
  readonly #ahead = new Set<Subscriber>();
  readonly #members = new Members();
  readonly #people: People | undefined;
  readonly #unwatchCount: (() => void) | undefined;
  #countTimer: NodeJS.Timeout | undefined;
  #countTold = 0;
  /** Subscriptions that are wanted, confirmed or not. */
  users = 0;

  constructor(options: LocalChannelOptions) {
    const { node, app, name, tallies } = options;
    this.name = name;
    this.#options = options;
    this.#interest = node.subscribe(EVENT_CHANNEL, interestOf(app.id, name));
    if (isPresence(name))
      this.#people = rosterOf(node, app.names).watchPeople(name, {}, (change) => {
        for (const event of this.#members.apply(change)) this.#tellMember(event);
      });
    else if (app.subscriptionCounts && userOfChannel(name) === undefined)
      this.#unwatchCount = node.watch(tallies.topicOf(name), () => this.#countChanged());
  }

  /** Settles when what is published on any node arrives here; undefined if it does already. */
  whenHeard(): Promise<void> | undefined {
    return this.#interest.isEffective() ? undefined : this.#interest.whenEffective();
  }

  /** What the first connection of a user said. */
  wordOf(id: string): FirstWord | undefined {
    return this.#members.get(id);
  }

  /** How many users are members, as the subscribers here were told. */
  get members(): number {
    return this.#members.size;
  }

  /** Confirms the subscription, with the list as it is now, and tells of every change from here on. */
  add(subscriber: Subscriber): void {
    const { member, socket } = subscriber;
    let data = "{}";
    if (member !== undefined) {
      const list = this.#members.list();
      if (this.#members.get(member.id) === undefined) {
        list.push(member);
        this.#ahead.add(subscriber);
      }
      data = memberList(list);
    }
    this.#subscribers.add(subscriber);
    socket.send(subscriptionSucceeded(this.name, data));
  }

  remove(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    this.#ahead.delete(subscriber);
  }

  has(subscriber: Subscriber): boolean {
    return this.#subscribers.has(subscriber);
  }

  deliver(frame: Buffer, except: string | undefined): void {
    for (const { socketId, socket } of this.#subscribers) if (socketId !== except) socket.send(frame);
  }

  close(): void {
    this.#interest.end();
    this.#people?.end();
    this.#unwatchCount?.();
    clearTimeout(this.#countTimer);
  }

  #tellMember(event: MemberEvent): void {
    if (event.type === "removed") {
      this.deliver(Buffer.from(memberRemoved(this.name, event.id)), undefined);
      return;
    }
    const { member } = event;
    const frame = Buffer.from(memberAdded(this.name, member));
    const word = this.#members.get(member.id)!;
    for (const subscriber of this.#subscribers) {
      const isOwn = subscriber.member?.id === member.id;
      if (isOwn) subscriber.repeat(word);
      if (isOwn && this.#ahead.delete(subscriber)) continue;
      subscriber.socket.send(frame);
    }
  }

  #countChanged(): void {
    if (this.#countTimer !== undefined) return;
    const often = this.#options.tallies.total(this.name) <= COUNT_OFTEN_MAX;
    const waitMs = often ? 0 : this.#countTold + COUNT_PAUSE_MS - performance.now();
    this.#countTimer = setTimeout(() => this.#tellCount(), Math.max(0, waitMs)).unref();
  }

  #tellCount(): void {
    this.#countTimer = undefined;
    this.#countTold = performance.now();
    const count = { subscription_count: this.#options.tallies.total(this.name) };
    this.deliver(Buffer.from(textFrame("pusher_internal:subscription_count", count, this.name)), undefined);
  }
}

function subscriptionSucceeded(channel: string, data: string): string {
  return JSON.stringify({ event: "pusher_internal:subscription_succeeded", channel, data });
}
