/** The face of a key space: local reads, local writes that spread, and operations that one replica at a time serialises. */
import { InvalidArgumentError } from "presently";
import {
  checkFunction,
  checkInteger,
  checkObject,
  checkOptions,
  checkString,
  stringsIn,
} from "presently/drop-in";
import { type ConfirmOptions, Engine, type KeyspaceEnvironment } from "./engine.ts";
import * as hashes from "./hashes.ts";
import type { KeyType } from "./key-state.ts";
import type { KeyChange } from "./key-table.ts";
import * as lists from "./lists.ts";
import type { Messenger } from "./messenger.ts";
import type { KeyspaceOptions, KeyspaceSettings } from "./options.ts";
import { passGate } from "./owned-operation.ts";
import * as sets from "./sets.ts";
import * as strings from "./strings.ts";

/**
 * Redis-like keys, held by every node of a cluster in its own memory.
 *
 * Reads are local and show at once what was written here. Writes of strings, hashes and sets are local too and spread
 * within milliseconds; both sides of a partition go on, and agree after it. `increment`, `gate`, `push` and `pop` go to
 * the replica that owns the key, because of what they return. Texts only: numbers come back as texts.
 */
export class Keyspace {
  readonly settings: KeyspaceSettings;
  private readonly engine: Engine;

  /**
   * Begins at once: what is written before the others are reached spreads later.
   *
   * @param messenger a `PresentlyNode`, or `aloneMessenger()`; one key space of one name on each
   * @throws {InvalidArgumentError} for options that cannot be used
   */
  constructor(messenger: Messenger, options: KeyspaceOptions = {}, environment: KeyspaceEnvironment = {}) {
    checkObject("messenger", messenger, ["broadcast", "onBroadcast", "request", "whenReady"]);
    checkOptions(environment, ["clock", "onError"], "environment.");
    this.engine = new Engine(messenger, options, environment);
    this.settings = this.engine.settings;
  }

  /** Names this life of the key space as an author of entries. */
  get origin(): string {
    return this.engine.store.set.replica;
  }

  /** How many keys there are, and about how many bytes they take: what `keysMax` and `bytesMax` bound. */
  get size(): { readonly keys: number; readonly bytes: number } {
    return { keys: this.engine.store.table.size, bytes: this.engine.store.table.bytes };
  }

  /** How many writes a bound has refused here, each with a `LimitError`: for your metrics. */
  get refusals(): number {
    return this.engine.refusals;
  }

  /** A hash of the whole state: equal at two replicas that hold the same. Cost: O(replicas). */
  get digest(): string {
    return this.engine.replication.hash();
  }

  /** Settles when this replica has caught up and may own keys; calls that need an owner wait for it. Never rejects. */
  get serving(): Promise<void> {
    return this.engine.participant.serving;
  }

  // Keys of any type.

  /** What a key holds. */
  type(key: string): KeyType {
    checkString("key", key);
    return this.engine.read().type(key);
  }

  has(key: string): boolean {
    checkString("key", key);
    return this.engine.read().type(key) !== "none";
  }

  /** Removes what is seen of a key here; a write that is concurrent and was not seen survives. Answers whether it was there. */
  delete(key: string): boolean {
    checkString("key", key);
    return this.engine.write((store) => store.delete(key));
  }

  /**
   * Lets a key of any type expire, at every replica at about the same time; `setText` cancels that. Answers whether the
   * key is there. Replicas tell each other what time is left, and compare no clocks.
   */
  expire(key: string, ttlMs: number): boolean {
    checkString("key", key);
    return this.engine.write((store) => store.expire(key, ttlMs));
  }

  /** Milliseconds that a key has left; infinity if it does not expire, undefined if it is missing. */
  remainingMs(key: string): number | undefined {
    checkString("key", key);
    return this.engine.read().remainingMs(key);
  }

  // Strings: the last writer wins.

  /** Sets a key to a text, whatever it held, and cancels its expiry. Of concurrent writes the later one wins. */
  setText(key: string, value: string, options: strings.WriteOptions = {}): void {
    checkOptions(options, ["ttlMs", "bound"]);
    this.engine.write((store) => strings.setText(store, key, value, options));
  }

  /** @throws {WrongTypeError} if the key holds no string */
  getText(key: string): string | undefined {
    checkString("key", key);
    return strings.getText(this.engine.read(), key);
  }

  // Hashes: the last writer of each field wins.

  /** Sets a field; answers whether it is new, as it is seen here. `bound`: it is seen while this process is. */
  setField(key: string, field: string, value: string, options: { readonly bound?: boolean } = {}): boolean {
    checkOptions(options, ["bound"]);
    return this.engine.write((store) => hashes.setField(store, key, field, value, options));
  }

  /** Adds to the integer in a field. No addition is lost; the answer is the sum as it is seen here, and may be another's too. */
  incrementField(key: string, field: string, by: number): number {
    return this.engine.write((store) => hashes.incrementField(store, key, field, by));
  }

  getField(key: string, field: string): string | undefined {
    checkString("key", key);
    checkString("field", field);
    return hashes.getField(this.engine.read(), key, field);
  }

  /** Every field with its text, as they are now. Cost: O(fields). */
  fields(key: string): [string, string][] {
    checkString("key", key);
    return [...hashes.fieldsOf(this.engine.read(), key)];
  }

  /** Removes a field; answers whether it was there. Its next write, wherever, is not affected. */
  deleteField(key: string, field: string): boolean {
    checkString("key", key);
    checkString("field", field);
    return this.engine.write((store) => hashes.deleteField(store, key, field));
  }

  // Sets: an add wins over a concurrent remove.

  /** Answers how many of the members are new, as it is seen here. */
  addMembers(key: string, members: readonly string[], options: { readonly bound?: boolean } = {}): number {
    checkOptions(options, ["bound"]);
    const texts = stringsIn("members", members);
    return this.engine.write((store) => sets.addMembers(store, key, texts, options));
  }

  /** Answers how many of the members were there, as it is seen here. */
  removeMembers(key: string, members: readonly string[]): number {
    checkString("key", key);
    const texts = stringsIn("members", members);
    return this.engine.write((store) => sets.removeMembers(store, key, texts));
  }

  hasMember(key: string, member: string): boolean {
    checkString("key", key);
    checkString("member", member);
    return sets.hasMember(this.engine.read(), key, member);
  }

  /** Cost: O(members). */
  members(key: string): string[] {
    checkString("key", key);
    return [...sets.membersOf(this.engine.read(), key)];
  }

  // What the owner of the key serialises.

  /**
   * Adds to the integer at a key; while the cluster is whole, no two calls get the same number. Confirmed by a second
   * replica. No addition is lost, also in a partition, where each side counts on and the sums meet after it.
   *
   * @throws {OwnerUnreachableError} `OWNER_UNREACHABLE` after `ownerWaitMs`
   */
  async increment(key: string, by = 1): Promise<number> {
    return (await this.engine.call({ type: "increment", key, by }, this.settings.ownerWaitMs)) as number;
  }

  /**
   * Adds to the integer in a field and lets the whole key expire after `ttlMs`: for locks of which the first caller is
   * told 1. Where the owner cannot be asked within `gateWaitMs` it counts here, so that nobody is held up for ever: two
   * may then be first. Names of fields are gone with the key.
   */
  async gate(key: string, field: string, by: number, ttlMs: number): Promise<number> {
    const operation = { type: "gate", key, field, by, ttlMs } as const;
    try {
      return (await this.engine.call(operation, this.settings.gateWaitMs)) as number;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "OWNER_UNREACHABLE") throw error;
      return this.engine.write((store) => passGate(store, key, field, by, ttlMs));
    }
  }

  /**
   * Pushes texts to an end of a list, one after the other; answers its length. Settles when a second replica holds them,
   * if there is one that serves: they survive the loss and the stop of any one node.
   *
   * @throws {OwnerUnreachableError} `OWNER_UNREACHABLE` after `ownerWaitMs`
   * @throws {LimitError} `LIMIT_REACHED` beyond `listLengthMax`; then none was pushed
   */
  async push(key: string, end: lists.ListEnd, values: readonly string[]): Promise<number> {
    checkEnd(end);
    const texts = stringsIn("values", values);
    const operation = { type: "push", key, end, values: texts } as const;
    return (await this.engine.call(operation, this.settings.ownerWaitMs)) as number;
  }

  /**
   * Takes the text at an end of a list; null if it has none. While the cluster is whole no element is taken twice; one
   * whose owner is lost just after the answer, or that both sides of a partition take, may be.
   *
   * @throws {OwnerUnreachableError} `OWNER_UNREACHABLE` after `ownerWaitMs`
   */
  async pop(key: string, end: lists.ListEnd): Promise<string | null> {
    checkEnd(end);
    return (await this.engine.call({ type: "pop", key, end }, this.settings.ownerWaitMs)) as string | null;
  }

  /**
   * Takes the last text of the first of the lists that has one, as soon as one has; null after `timeoutMs`.
   *
   * @throws {WrongTypeError} for a key that holds something else, if no list before it has a text
   */
  async popWaiting(keys: readonly string[], timeoutMs: number): Promise<readonly [string, string] | null> {
    this.engine.assertOpen();
    if (typeof timeoutMs !== "number" || !(timeoutMs >= 0))
      throw new InvalidArgumentError("timeoutMs", "must be 0 or a positive number");
    const names = stringsIn("keys", keys);
    const store = this.engine.read();
    for (const key of names) if (store.read(key, "list") !== undefined) break;
    return await this.engine.waiting.wait(names, timeoutMs);
  }

  /** The elements of a list from first to last, as they are seen here. */
  elements(key: string): string[] {
    checkString("key", key);
    return lists.elementsOf(this.engine.read(), key);
  }

  length(key: string): number {
    checkString("key", key);
    return this.engine.read().read(key, "list")?.elements.length ?? 0;
  }

  // Beyond single keys.

  /**
   * Hides at this node what stands for the process that wrote a bound field, until that process answers us: for whoever
   * has asked it something in vain. Others, who may reach it, still see it. Returns false, and does nothing, where there is
   * no such field, or its process is this one or is not seen to be up.
   */
  doubt(key: string, field: string): boolean {
    checkString("key", key);
    checkString("field", field);
    return this.engine.doubt(key, field);
  }

  /** Calls `listener` when what stands for processes may have come to show or to hide, without a write. Returns what ends it. */
  watchProcesses(listener: () => void): () => void {
    checkFunction("listener", listener);
    const own = () => listener();
    this.engine.visibilityListeners.add(own);
    return () => this.engine.visibilityListeners.delete(own);
  }

  /** Tells `listener` of every change of an entry, made here or elsewhere, while it is made; it must not write. Returns what ends it. */
  watch(listener: (change: KeyChange) => void): () => void {
    checkFunction("listener", listener);
    const own = (change: KeyChange) => listener(change);
    this.engine.listeners.add(own);
    return () => this.engine.listeners.delete(own);
  }

  /** Pushes what was written to the others now, instead of at the end of the turn: before a message that speaks of it. */
  flush(): void {
    this.engine.flush();
  }

  /** Settles with whether other replicas hold what was written here so far; with nobody to ask: true. Rejects for wrong options only. */
  async confirmed(options: ConfirmOptions): Promise<boolean> {
    checkOptions(options, ["by", "timeoutMs"]);
    if (options.by !== "one" && options.by !== "all")
      throw new InvalidArgumentError("options.by", 'must be "one" or "all"');
    if (options.timeoutMs !== undefined) checkInteger("options.timeoutMs", options.timeoutMs, 0);
    return await this.engine.confirmed(options);
  }

  /**
   * Hands over and ends: others own its keys, hold all that was written here, and lose what stood for this process. The
   * node is not stopped; stop it afterwards. Reads go on, writes throw. Never rejects.
   */
  stop(): Promise<void> {
    return this.engine.stop();
  }
}

function checkEnd(end: unknown): void {
  if (end !== "head" && end !== "tail") throw new InvalidArgumentError("end", 'must be "head" or "tail"');
}
