/** The `Presence` interface of Colyseus over a key space and the broadcasts of a Presently node. */
import { Keyspace } from "@presently/keyspace";
import { type AnyMeta, ClosedError, InvalidArgumentError, type Meta } from "presently";
import {
  callListener,
  checkFunction,
  checkOptions,
  checkString,
  jsonOf,
  RosterNames,
  rosterOf,
  stringsIn,
} from "presently/drop-in";
import { JoinQueue } from "./join-queue.ts";
import { type Carrier, carrierOf, type Ground, gathered, localCarrier } from "./opening.ts";
import { type LocalOptions, PRESENCE_DEFAULTS, type PresenceNode, type PresenceSettings } from "./options.ts";
import { PlayerRoster } from "./player-roster.ts";
import { PubSub } from "./pub-sub.ts";
import { fieldName, integer, millis, some, sorted, text, texts } from "./redis-values.ts";
import { Subscriptions, type TopicCallback } from "./subscriptions.ts";

const SETTINGS: readonly (keyof PresenceSettings)[] = [
  "keyspace",
  "boundKeys",
  "messageBytesMax",
  "processes",
  "startGraceMs",
  "roster",
  "onError",
];

const REDIS_REFUSES: ReadonlySet<unknown> = new Set(["WRONG_TYPE", "INVALID_ARGUMENT"]);

/**
 * Give it to a Colyseus server instead of a `RedisPresence`: `new Server({ presence: new PresentlyPresence(…) })`.
 *
 * Every process holds all keys in its own memory, so reads cost microseconds. Results and types are those of
 * `RedisPresence`; every method answers with a promise. The comments say what holds while the cluster is whole, during a
 * partition, and after it. A write beyond a bound of the key space rejects with `LIMIT_REACHED`.
 *
 * Methods work on derived objects (`Object.create(presence)`), as Colyseus makes them for each room.
 */
export class PresentlyPresence {
  /** Who listens in this process; `listenerCount(topic)` says how many. */
  readonly subscriptions: Subscriptions;
  /** Players whom this process holds up while a room for them is created; the driver's. */
  readonly joinQueue: JoinQueue;
  // Fields that are private to the compiler only: a derived object has to find them on its prototype.
  private readonly settings: PresenceSettings;
  private readonly boundKeys: ReadonlySet<string>;
  /** Set as soon as it is open, so that what needs no waiting does not wait. In a holder: a derived object shares it. */
  private readonly state: { ground: Ground | undefined; closing: Promise<void> | undefined };
  private readonly names: RosterNames;
  private readonly rosters = new Set<PlayerRoster<AnyMeta>>();
  private readonly opening: Promise<Ground>;
  private readonly started: Promise<void>;

  /**
   * @param node nothing: this process stands alone. A `PresentlyNode`: it is used, and stays yours to stop. Options of a
   *   node: it is started, and stopped by `shutdown`; until it runs, calls wait.
   * @throws {InvalidArgumentError} for key space options that cannot be used
   */
  constructor(node?: PresenceNode, settings: PresenceSettings = {}, carry = () => carrierOf(node)) {
    checkOptions(settings, SETTINGS, "settings.");
    checkFunction("carry", carry);
    if (settings.onError !== undefined) checkFunction("settings.onError", settings.onError);
    this.settings = settings;
    this.names = new RosterNames(settings.roster);
    this.boundKeys = new Set(
      stringsIn("settings.boundKeys", settings.boundKeys ?? PRESENCE_DEFAULTS.boundKeys),
    );
    this.subscriptions = new Subscriptions((error) => this.failed(error));
    this.joinQueue = new JoinQueue(this.subscriptions);
    this.state = { ground: undefined, closing: undefined };
    // Last, when nothing can be wrong any more: it may start a node.
    const carrier = carry();
    if (carrier instanceof Promise) this.opening = carrier.then((carrier) => this.open(carrier));
    else this.opening = Promise.resolve(this.open(carrier));
    this.started = this.opening.then((ground) => this.start(ground));
    // Whoever calls a method is told; and somebody should know where nobody does.
    this.started.catch((error) => this.failed(error));
  }

  /**
   * For several processes of one machine, as `node:cluster` or pm2 start them: they find each other without
   * configuration, over loopback and with a secret that only processes of the same user can read.
   */
  static local(options: LocalOptions = {}): PresentlyPresence {
    checkOptions(options, [...SETTINGS, "name", "folder", "node"]);
    const { name, folder, node, ...settings } = options;
    return new PresentlyPresence(undefined, settings, () => localCarrier(options));
  }

  /** The key space under it, once it is open; for what the interface of Colyseus has no method for. */
  get keyspace(): Promise<Keyspace> {
    return this.opening.then(({ keyspace }) => keyspace);
  }

  /** Settles when this process has caught up with the others that it can reach. @throws what kept the node from starting */
  whenReady(): Promise<void> {
    return this.started;
  }

  /**
   * Who is in a room, on the topic of that name, where clients of other protocols are as well: `track` in `onJoin`,
   * `untrack` in `onLeave`, `close` in `onDispose`. It stands for no key of Colyseus. Settles when the node runs.
   *
   * @throws {ClosedError} after `shutdown`
   */
  async roster<M extends object = Meta>(name: string): Promise<PlayerRoster<M>> {
    checkString("name", name);
    const node = await this.run((ground) => ground.node());
    if (this.state.closing !== undefined) throw new ClosedError("this presence");
    const roster = new PlayerRoster<M>(
      name,
      rosterOf(node, this.names),
      (closed) => this.rosters.delete(closed),
      (error) => this.failed(error),
    );
    this.rosters.add(roster);
    return roster;
  }

  // Publish and subscribe.

  /**
   * Calls `callback` with each message of the topic, this process' own included. A callback may be added several times.
   *
   * Whole: settles once every process that can be reached sends what it publishes on the topic here; each message comes at most once, those
   * of one process in order. Partition: those of this side. After: nothing is made up for.
   */
  subscribe(topic: string, callback: TopicCallback): Promise<this> {
    return handled(this.listen(topic, callback));
  }

  private async listen(topic: string, callback: TopicCallback): Promise<this> {
    checkFunction("callback", callback);
    // Before anything is waited for: who unsubscribes at once has to find it.
    if (this.state.closing === undefined) {
      this.joinQueue.attend(text(topic));
      this.subscriptions.add(text(topic), callback);
    }
    await this.started;
    await this.state.ground?.pubSub.effective(text(topic));
    return this;
  }

  /** Removes a callback, or all of the topic; at once, but for a message that is being delivered. Affects this process only. */
  async unsubscribe(topic: string, callback?: TopicCallback): Promise<this> {
    if (callback !== undefined) checkFunction("callback", callback);
    this.subscriptions.remove(text(topic), callback);
    return this;
  }

  /**
   * The topics that somebody listens to, of all processes; `pattern` as in Redis (`*`, `?`, `[…]`).
   *
   * Whole: exact, asked of each process now. Partition: those of this side; one that hangs is waited for a second. A
   * process that is gone has none. Cost: a round trip.
   */
  async channels(pattern = "*"): Promise<string[]> {
    return await this.run(({ pubSub }) => pubSub.topics(pattern));
  }

  /**
   * Sends a message to all who listen to the topic: copied as JSON, `undefined` as `false`. What this process wrote to
   * keys before is seen by those who are told.
   *
   * Whole: at most once each, in order for each publisher. Partition: this side. After: what was missed stays missed.
   *
   * @throws {LimitError} beyond `messageBytesMax` (1 MiB)
   */
  publish(topic: string, data: unknown): Promise<void> {
    return this.reported(
      this.run(({ keyspace, pubSub }) => {
        const json = jsonOf("data", data === undefined ? false : data);
        keyspace.flush();
        pubSub.publish(text(topic), json);
      }),
    );
  }

  // Keys of any type.

  /** Whether the key holds anything, as seen here. Whole: within milliseconds of any write. Partition: of this side's writes. */
  async exists(key: string): Promise<boolean> {
    return await this.run(({ keyspace }) => keyspace.has(key));
  }

  /**
   * Removes the key. Whole: everywhere within milliseconds. Partition: it removes what this side has seen. After: what
   * the other side wrote meanwhile survives; what was removed does not come back.
   */
  del(key: string): Promise<null> {
    return this.runQuietly(({ keyspace }) => keyspace.delete(key));
  }

  /**
   * Lets the key, of any type, expire. Whole: all processes lose it at the same time, give or take a message. Partition:
   * each side by its own clock. After: as the later of two `expire` says; a `set` that was not seen survives.
   */
  expire(key: string, seconds: number): Promise<null> {
    return this.runQuietly(({ keyspace }) => keyspace.expire(key, millis(seconds)));
  }

  // Strings: the last writer wins.

  /** Sets a text and cancels expiry. Whole: seen everywhere within milliseconds, here at once. Partition: each side its own. After: the later one wins. */
  set(key: string, value: string): Promise<null> {
    return this.runQuietly(({ keyspace }) => keyspace.setText(key, text(value), this.boundTo(key)));
  }

  /** As `set`, and the key expires after so many seconds: see `expire`. */
  setex(key: string, value: string, seconds: number): Promise<null> {
    return this.runQuietly(({ keyspace }) => {
      const ttlMs = millis(seconds);
      if (!(ttlMs > 0)) throw new InvalidArgumentError("seconds", "must be a positive number");
      keyspace.setText(key, text(value), { ...this.boundTo(key), ttlMs });
    });
  }

  /** The text of the key, a counter's too; null if it is missing. Guarantees as of `set`. @throws {WrongTypeError} */
  async get(key: string): Promise<string | null> {
    return await this.run(({ keyspace }) => keyspace.getText(key) ?? null);
  }

  // Sets: an add wins over a concurrent remove.

  /** Adds a member, or each of an array. Whole: everywhere within milliseconds. Partition: each side its own. After: the union; an add wins over a remove that has not seen it. */
  sadd(key: string, value: unknown): Promise<null> {
    return this.runQuietly(({ keyspace }) => keyspace.addMembers(key, texts(value), this.boundTo(key)));
  }

  /** The members, integers in order. Guarantees as of `sadd`. @throws {WrongTypeError} */
  async smembers(key: string): Promise<string[]> {
    return await this.run(({ keyspace }) => sorted(keyspace.members(key)));
  }

  /** 1 for a member, else 0. Guarantees as of `sadd`. @throws {WrongTypeError} */
  async sismember(key: string, field: string): Promise<1 | 0> {
    return await this.run(({ keyspace }) => (keyspace.hasMember(key, text(field)) ? 1 : 0));
  }

  /** Removes a member, or each of an array, as far as it is seen here; answers how many there were. Guarantees as of `sadd`. @throws {WrongTypeError} */
  async srem(key: string, value: unknown): Promise<number> {
    return await this.run(({ keyspace }) => keyspace.removeMembers(key, texts(value)));
  }

  /** How many members there are, as seen here. Guarantees as of `sadd`. @throws {WrongTypeError} */
  async scard(key: string): Promise<number> {
    return await this.run(({ keyspace }) => keyspace.members(key).length);
  }

  /** The members that all of the sets have, as seen here. Guarantees as of `sadd`. @throws {WrongTypeError} */
  async sinter(...keys: string[]): Promise<string[]> {
    return await this.run(({ keyspace }) => {
      const [first, ...others] = keys;
      if (first === undefined) throw new InvalidArgumentError("keys", "must be at least one");
      // Of all, whatever the first ones hold: a wrong type is an error even where the answer is clear.
      for (const key of keys) keyspace.hasMember(key, "");
      return sorted(
        keyspace.members(first).filter((member) => others.every((key) => keyspace.hasMember(key, member))),
      );
    });
  }

  // Hashes: the last writer of each field wins.

  /**
   * Sets a field; answers whether it is new, as seen here. Whole: everywhere within milliseconds, here at once.
   * Partition: each side its own. After: the later one wins, for each field. Fields of `boundKeys` are hidden while the
   * process that wrote them is not seen, and gone with it.
   *
   * @throws {WrongTypeError}
   */
  hset(key: string, field: string, value: string): Promise<boolean> {
    return this.reported(
      this.run(({ keyspace }) => keyspace.setField(key, fieldName(field), text(value), this.boundTo(key))),
    );
  }

  /**
   * Adds an integer to a field. No addition is ever lost. Whole: two processes that add at once may be told the same
   * sum. Partition: each side adds to what it sees. After: the sum of both.
   *
   * @throws {NotAnIntegerError} @throws {WrongTypeError}
   */
  async hincrby(key: string, field: string, value: number): Promise<number> {
    return await this.run(({ keyspace }) =>
      keyspace.incrementField(key, fieldName(field), integer(key, value)),
    );
  }

  /**
   * Adds an integer to a field and lets the whole key expire after so many seconds from now: the gate of `joinOrCreate`.
   * Whole: one process serialises each key, so exactly one of many callers is told 1. Partition: one on each side; and
   * until it is noticed, whoever has waited 0.4 s in vain is told what it sees, so that nobody is held up. After: the
   * sum, until it expires.
   *
   * @throws {NotAnIntegerError} @throws {WrongTypeError}
   */
  async hincrbyex(key: string, field: string, value: number, expireInSeconds: number): Promise<number> {
    try {
      return await this.run(({ keyspace }) =>
        keyspace.gate(key, fieldName(field), integer(key, value), millis(expireInSeconds)),
      );
    } catch (error) {
      // Its callers hold players up until it answers, and fields come from clients: a second room is the lesser evil.
      if ((error as { code?: unknown }).code !== "LIMIT_REACHED") throw error;
      this.failed(error);
      return integer(key, value);
    }
  }

  /** The text of a field; null if it is missing. Guarantees as of `hset`. @throws {WrongTypeError} */
  async hget(key: string, field: string): Promise<string | null> {
    return await this.run(({ keyspace }) => keyspace.getField(key, fieldName(field)) ?? null);
  }

  /** All fields, as a map of its own. Guarantees as of `hset`. @throws {WrongTypeError} */
  async hgetall(key: string): Promise<Record<string, string>> {
    return await this.run(({ keyspace }) => Object.fromEntries(keyspace.fields(key)));
  }

  /**
   * Removes a field as far as it is seen here; answers whether it was there. A write that is newer stays. Guarantees as of `hset`. What stands for
   * another process that is seen to be up (`boundKeys`) is only hidden, and only here, until that process answers.
   *
   * @throws {WrongTypeError}
   */
  async hdel(key: string, field: string): Promise<boolean> {
    return await this.run(({ keyspace }) => {
      const name = fieldName(field);
      // A health check that failed here is no reason to take from others the process that they can reach.
      if (this.boundKeys.has(key) && keyspace.doubt(key, name)) return true;
      return keyspace.deleteField(key, name);
    });
  }

  /** How many fields there are, as seen here. Guarantees as of `hset`. @throws {WrongTypeError} */
  async hlen(key: string): Promise<number> {
    return await this.run(({ keyspace }) => keyspace.fields(key).length);
  }

  // Counters and lists: one process serialises each key.

  /**
   * Adds 1; answers the sum. Whole: no two callers are told the same number, and it is held by two processes before it
   * is told. Partition: each side counts on, so that a number may be told twice. After: the sum of both; none is lost.
   *
   * @throws {NotAnIntegerError} @throws {WrongTypeError} @throws {OwnerUnreachableError} after 2 s
   */
  async incr(key: string): Promise<number> {
    return await this.run(({ keyspace }) => keyspace.increment(key, 1));
  }

  /** Subtracts 1; else as `incr`. */
  async decr(key: string): Promise<number> {
    return await this.run(({ keyspace }) => keyspace.increment(key, -1));
  }

  /** The length of a list, as seen here. Guarantees as of `rpush`. @throws {WrongTypeError} */
  async llen(key: string): Promise<number> {
    return await this.run(({ keyspace }) => keyspace.length(key));
  }

  /**
   * Appends texts; answers the length. Whole: in one order for all, and held by two processes before it settles, so that
   * the loss of one loses none. Partition: each side appends. After: the elements of both.
   *
   * @throws {LimitError} for a full list; none is appended @throws {WrongTypeError} @throws {OwnerUnreachableError} after 2 s
   */
  async rpush(key: string, ...values: string[]): Promise<number> {
    return await this.run(({ keyspace }) => keyspace.push(key, "tail", some(values)));
  }

  /** Puts texts before the first, one after the other: of a, b, c the first is then c. Else as `rpush`. */
  async lpush(key: string, ...values: string[]): Promise<number> {
    return await this.run(({ keyspace }) => keyspace.push(key, "head", some(values)));
  }

  /**
   * Takes the last text; null if there is none. Whole: nobody else gets it. Partition: each side may take it. After:
   * what either took is gone. Where the process that serialises the key crashes right after its answer, it may be there
   * again.
   *
   * @throws {WrongTypeError} @throws {OwnerUnreachableError} after 2 s
   */
  async rpop(key: string): Promise<string | null> {
    return await this.run(({ keyspace }) => keyspace.pop(key, "tail"));
  }

  /** Takes the first text; else as `rpop`. */
  async lpop(key: string): Promise<string | null> {
    return await this.run(({ keyspace }) => keyspace.pop(key, "head"));
  }

  /**
   * Takes the last text of the first of the lists that has one, as soon as one has: `[key, text]`; null after so many
   * seconds, of which a fraction will do; 0 waits on. Those that wait in one process are served in their order; which of
   * several processes comes first is open. Else as `rpop`.
   */
  async brpop(...args: [...keys: string[], timeoutInSeconds: number]): Promise<[string, string] | null> {
    const keys = args.slice(0, -1).map(text);
    const waitMs = millis(args.at(-1) as number);
    const timeoutMs = waitMs === 0 ? Number.POSITIVE_INFINITY : waitMs;
    const popped = await this.run(({ keyspace }) => keyspace.popWaiting(keys, timeoutMs));
    return popped && [...popped];
  }

  /** There is no limit to be raised; here because Colyseus calls it. */
  setMaxListeners(_number: number): void {}

  /**
   * Ends this process' part: its topics and all that stands for it are gone, the rest is handed over, and its own node
   * stops. Settles when that is done; again: the same promise. Never rejects. Colyseus does not wait for it before it ends
   * the process, so let it: `server.onShutdown(() => presence.shutdown())`.
   */
  shutdown(): Promise<void> {
    this.state.closing ??= this.close();
    return this.state.closing;
  }

  /** @internal Tells `onError` of what nobody may look at: for the driver, whose calls core does not wait for. */
  report(error: unknown): void {
    this.failed(error);
  }

  private open({ messenger, node, end }: Carrier): Ground {
    const { keyspace: options } = this.settings;
    const { messageBytesMax } = { ...PRESENCE_DEFAULTS, ...this.settings };
    const name = options?.name ?? "colyseus";
    const keyspace = new Keyspace(
      messenger,
      { ...options, name },
      { onError: (error) => this.failed(error) },
    );
    this.state.ground = {
      messenger,
      node,
      keyspace,
      pubSub: new PubSub(messenger, this.subscriptions, { name, messageBytesMax }),
      end,
    };
    return this.state.ground;
  }

  private async start({ messenger, keyspace }: Ground): Promise<void> {
    const { processes, startGraceMs } = { ...PRESENCE_DEFAULTS, ...this.settings };
    await keyspace.serving;
    if (processes > 1) await gathered(messenger, processes, startGraceMs);
  }

  private async close(): Promise<void> {
    this.joinQueue.close();
    this.subscriptions.clear();
    try {
      const { keyspace, pubSub, end } = this.state.ground ?? (await this.opening);
      for (const roster of [...this.rosters]) roster.close();
      pubSub.close();
      await keyspace.stop();
      await end();
    } catch (error) {
      // What never opened needs no closing; it was told of when it failed.
      if (this.state.ground !== undefined) this.failed(error);
    }
  }

  private async run<T>(work: (ground: Ground) => T | Promise<T>): Promise<T> {
    if (this.state.closing !== undefined) throw new ClosedError("this presence");
    return await work(this.state.ground ?? (await this.opening));
  }

  /**
   * As `RedisPresence`: what Redis itself refuses (a wrong type, a wrong time to live) is the result. Whatever else is not
   * done rejects: a write that is lost must not look like one that is there. Both are told of.
   */
  private runQuietly(work: (ground: Ground) => unknown): Promise<null> {
    const outcome = this.reported(this.run(work).then(() => null));
    const settled = outcome.catch((error) => {
      if (!REDIS_REFUSES.has((error as { code?: unknown }).code)) throw error;
      return error as null;
    });
    return handled(settled);
  }

  /** A promise that need not be looked at, as core does not: what is wrong is told of here, and to whoever does look. */
  private reported<T>(outcome: Promise<T>): Promise<T> {
    outcome.catch((error) => this.failed(error));
    return outcome;
  }

  private boundTo(key: string): { readonly bound: boolean } {
    return { bound: this.boundKeys.has(key) };
  }

  /** Tells `onError`, or warns. */
  private failed(error: unknown): void {
    const { onError = warn } = this.settings;
    callListener(onError, error, warn);
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error), "PresentlyPresence");
}

function handled<T>(outcome: Promise<T>): Promise<T> {
  outcome.catch(() => undefined);
  return outcome;
}
