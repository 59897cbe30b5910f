/**
 * How does a storm of `joinOrCreate` fill rooms, instead of making one for each player?
 *
 * Core lets one caller create a room and wakes all the others with its id. They look at that room, find it full, and each
 * creates its own. Here those who are woken go through a gate again: as many as the room has seats join it, the first of
 * the others creates the next room, and the rest wait for that one. One process at a time counts for each room.
 */
import type { Keyspace } from "@presently/keyspace";
import type { ListedRoom } from "./room-listing.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** On these topics core tells waiting players of a new room. */
const TOPICS = "concurrent:";
/** How long players wait for the next room before one of them creates it, and how long in all. */
const NEXT_ROOM_MS = 500;
const WAIT_MAX_MS = 3_000;
/** How long those who got a seat may take to fill the room, before the next one is created. */
const FULL_WAIT_MS = 200;
/** How long the counts of a room are kept. */
const COUNTS_MS = 10_000;
/** How long a topic is listened to after the last player came. */
const LINGER_MS = 5_000;

interface Player {
  /** Tells the player which room to join; undefined: to look for one, or else to create it. */
  readonly settle: (roomId: string | undefined) => void;
  readonly untilMs: number;
}

interface Queue {
  waiting: Player[];
  readonly end: () => void;
  linger: NodeJS.Timeout | undefined;
  next: NodeJS.Timeout | undefined;
}

export interface JoinQueuePort {
  readonly keyspace: Keyspace;
  readonly roomOf: (roomId: string) => ListedRoom | undefined;
  /** Settles when the room is not listed as open any more, or when the time is up. */
  readonly whenFull: (roomId: string, timeoutMs: number) => Promise<void>;
}

export class JoinQueue {
  private readonly subscriptions: Subscriptions;
  private readonly queues = new Map<string, Queue>();
  /** Rooms of which players are told in this turn of the event loop, and those who then ask about them. */
  private readonly woken = new Map<string, { readonly players: Player[]; readonly told: number }>();
  /** Set by the driver, which knows the rooms; without one nobody is held up. */
  port: JoinQueuePort | undefined = undefined;

  constructor(subscriptions: Subscriptions) {
    this.subscriptions = subscriptions;
  }

  /** Somebody subscribes to a topic: perhaps a player who waits for a room. */
  attend(topic: string): void {
    if (this.port === undefined || !topic.startsWith(TOPICS)) return;
    let queue = this.queues.get(topic);
    if (queue === undefined) {
      const end = this.subscriptions.keep(topic, (roomId) => this.wake(topic, roomId));
      queue = { waiting: [], end, linger: undefined, next: undefined };
      this.queues.set(topic, queue);
    }
    this.stay(topic, queue);
  }

  /** If it is a player just woken who asks about a room: the room to join; undefined for everybody else who asks. */
  roomFor(roomId: string): Promise<string | undefined> | undefined {
    const woken = this.woken.get(roomId);
    if (woken === undefined || woken.players.length === woken.told) return undefined;
    return new Promise((settle) => woken.players.push({ settle, untilMs: performance.now() + WAIT_MAX_MS }));
  }

  close(): void {
    for (const [topic, queue] of this.queues) this.drop(topic, queue);
  }

  private stay(topic: string, queue: Queue): void {
    clearTimeout(queue.linger);
    queue.linger = setTimeout(() => this.drop(topic, queue), LINGER_MS).unref();
  }

  private drop(topic: string, queue: Queue): void {
    clearTimeout(queue.linger);
    clearTimeout(queue.next);
    queue.end();
    this.queues.delete(topic);
    for (const { settle } of queue.waiting) settle(undefined);
  }

  private wake(topic: string, roomId: unknown): void {
    const queue = this.queues.get(topic);
    if (typeof roomId !== "string" || queue === undefined) return;
    this.stay(topic, queue);
    // Core's own callbacks are called after this one, and ask about the room before this turn is over.
    const players: Player[] = [];
    this.woken.set(roomId, { players, told: this.subscriptions.listenerCount(topic) - 1 });
    setImmediate(() => {
      this.woken.delete(roomId);
      const all = [...queue.waiting, ...players];
      queue.waiting = [];
      clearTimeout(queue.next);
      if (all.length > 0) void this.seat(queue, roomId, all);
    });
  }

  private async seat(queue: Queue, roomId: string, players: readonly Player[]): Promise<void> {
    const { join, create } = await this.share(roomId, players.length);
    for (const { settle } of players.slice(0, join)) settle(roomId);
    const [creator, ...others] = players.slice(join);
    if (creator === undefined) return;
    // Who looks for a room while those with seats are on their way finds this one.
    if (create) void this.port?.whenFull(roomId, FULL_WAIT_MS).then(() => creator.settle(undefined));
    const waiting = create ? others : [creator, ...others];
    if (waiting.length === 0) return;
    queue.waiting.push(...waiting);
    this.arm(queue);
  }

  /** How many of so many players join a room, and whether one of the others creates the next. */
  private async share(
    roomId: string,
    players: number,
  ): Promise<{ readonly join: number; readonly create: boolean }> {
    const room = this.port?.roomOf(roomId);
    if (this.port === undefined || room === undefined || !Number.isFinite(room.maxClients))
      return { join: players, create: false };
    const { keyspace } = this.port;
    const key = `seats:${roomId}`;
    try {
      // One seat is taken by whoever created it.
      const seats = room.locked ? 0 : room.maxClients - 1;
      const before = seats > 0 ? (await keyspace.gate(key, "join", players, COUNTS_MS)) - players : 0;
      const join = Math.min(Math.max(seats - before, 0), players);
      const rest = players - join;
      const create = rest > 0 && (await keyspace.gate(key, "create", rest, COUNTS_MS)) === rest;
      return { join, create };
    } catch {
      // Nobody is held up because there is no room for a count: a room too many is the lesser evil.
      return { join: players, create: false };
    }
  }

  /** Should no room come, one player creates it; the others go on waiting, until their time is up. */
  private arm(queue: Queue): void {
    clearTimeout(queue.next);
    queue.next = setTimeout(() => {
      const now = performance.now();
      const [first, ...others] = queue.waiting;
      first?.settle(undefined);
      queue.waiting = others.filter((player) => {
        if (player.untilMs <= now) player.settle(undefined);
        return player.untilMs > now;
      });
      if (queue.waiting.length > 0) this.arm(queue);
    }, NEXT_ROOM_MS);
  }
}
