/** The face of a key space: local reads, local writes that spread, and operations that one replica at a time serialises. */
import { nameOf, replicaId } from "@presently/crdt";
import { ClosedError, InvalidArgumentError } from "presently";
import { machineClock } from "./alone.ts";
import { Confirmations } from "./confirmations.ts";
import * as hashes from "./hashes.ts";
import type { KeyType } from "./key-state.ts";
import type { KeyChange } from "./key-table.ts";
import * as lists from "./lists.ts";
import type { KeyspaceClock, Messenger } from "./messenger.ts";
import { type KeyspaceOptions, type KeyspaceSettings, resolveKeyspaceOptions } from "./options.ts";
import { type OwnedOperation, passGate } from "./owned-operation.ts";
import { OwnerCalls } from "./owner-calls.ts";
import { Ownership } from "./ownership.ts";
import { Participant } from "./participant.ts";
import { Replication } from "./replication.ts";
import * as sets from "./sets.ts";
import { KeyStore } from "./store.ts";
import * as strings from "./strings.ts";
import { WaitingPops } from "./waiting-pops.ts";
import { list } from "./wire.ts";

/** What a key space is lent by its shell, each with a default for production. */
export interface KeyspaceEnvironment {
  readonly clock?: KeyspaceClock;
  /** Told of what a peer sent and could not be used, and of what a listener threw; default: a warning of the process. */
  readonly onError?: (error: unknown) => void;
}

/** What to wait for: that one other replica, or each that can be reached, holds what was written here so far. */
export interface ConfirmOptions {
  readonly by: "one" | "all";
  /** Default `confirmTimeoutMs`. */
  readonly timeoutMs?: number;
}

/**
 * Redis-like keys, held by every node of a cluster in its own memory.
 *
 * Reads are local and show at once what was written here. Writes of strings, hashes and sets are local too and spread
 * within milliseconds; both sides of a partition go on, and agree after it. `increment`, `gate`, `push` and `pop` go to
 * the replica that owns the key, because of what they return. Texts only: numbers come back as texts.
 */
export class Keyspace {
  readonly settings: KeyspaceSettings;
  private readonly store: KeyStore;
  private readonly clock: KeyspaceClock;
  private readonly ownership: Ownership;
  private readonly replication: Replication;
  private readonly confirmations: Confirmations;
  private readonly calls: OwnerCalls;
  private readonly participant: Participant;
  private readonly waiting: WaitingPops;
  private readonly listeners = new Set<(change: KeyChange) => void>();
  private readonly failed: (error: unknown) => void;
  private cancelFlush: (() => void) | undefined;
  private cancelExpiry: () => void = () => undefined;
  private expiryAtMs = Number.POSITIVE_INFINITY;
  private stopping: Promise<void> | undefined;

  /**
   * Begins at once: what is written before the others are reached spreads later.
   *
   * @param messenger a `PresentlyNode`, or `aloneMessenger()`; one key space of one name on each
   * @throws {InvalidArgumentError} @throws {ConfigurationError} for options that cannot be used
   */
  constructor(messenger: Messenger, options: KeyspaceOptions = {}, environment: KeyspaceEnvironment = {}) {
    const settings = resolveKeyspaceOptions(options);
    const clock = environment.clock ?? machineClock;
    const failed =
      environment.onError ?? ((error) => process.emitWarning(String(error), "PresentlyKeyspace"));
    const channel = `presently/keyspace/${settings.name}`;
    this.settings = settings;
    this.clock = clock;
    this.failed = failed;
    this.ownership = new Ownership(() => messenger.replica);
    // Of its own, not the node's: a node may take another incarnation while events of the first one are under way.
    const origin = replicaId(
      nameOf(messenger.replica),
      Math.floor(clock.wallMs()) * 1_000 + Math.floor(clock.random() * 1_000),
    );
    this.store = new KeyStore(origin, settings, {
      isAlive: (replica) => this.ownership.isOriginUp(replica),
      purgeRank: (key) => Math.max(this.ownership.ranked(key).indexOf(messenger.replica), 0),
      changed: (change) => this.tell(change),
      flush: () => this.replication.flush(),
    });
    this.store.advance(clock.now(), clock.wallMs());
    const parts = { store: this.store, messenger, channel, clock, ownership: this.ownership };
    this.replication = new Replication({
      ...parts,
      counts: (replica) => replica === this.store.set.replica || this.ownership.isOriginUp(replica),
    });
    this.confirmations = new Confirmations((peer, number) =>
      messenger
        .request(peer, channel, ["confirm", this.store.set.replica, number], {
          timeoutMs: settings.confirmTimeoutMs,
        })
        .then((answer) => list(answer, "confirmation")[0] === true)
        .catch(() => false),
    );
    const bound = { ...parts, replication: this.replication, confirmations: this.confirmations };
    this.calls = new OwnerCalls(bound);
    this.waiting = new WaitingPops({
      clock,
      hasElements: (key) => this.store.type(key) === "list",
      pop: (key) => this.pop(key, "tail"),
    });
    this.participant = new Participant({
      ...bound,
      calls: this.calls,
      touched: () => this.touched(),
      replicasChanged: () => this.waiting.wake(),
      failed,
    });
  }

  /** Names this life of the key space as an author of entries. */
  get origin(): string {
    return this.store.set.replica;
  }

  /** How many keys there are, and about how many bytes they take: what `keysMax` and `bytesMax` bound. */
  get size(): { readonly keys: number; readonly bytes: number } {
    return { keys: this.store.table.size, bytes: this.store.table.bytes };
  }

  /** A hash of the whole state: equal at two replicas that hold the same. Cost: O(replicas). */
  get digest(): string {
    return this.replication.hash();
  }

  /** Settles when this replica has caught up and may own keys; calls that need an owner wait for it. Never rejects. */
  get serving(): Promise<void> {
    return this.participant.serving;
  }

  // Keys of any type.

  /** What a key holds. */
  type(key: string): KeyType {
    return this.read().type(key);
  }

  has(key: string): boolean {
    return this.read().type(key) !== "none";
  }

  /** Removes what is seen of a key here; a write that is concurrent and was not seen survives. Answers whether it was there. */
  delete(key: string): boolean {
    return this.write((store) => store.delete(key));
  }

  /**
   * Lets a key of any type expire, at every replica at about the same time; `setText` cancels that. Answers whether the
   * key is there. Replicas tell each other what time is left, and compare no clocks.
   */
  expire(key: string, ttlMs: number): boolean {
    return this.write((store) => store.expire(key, ttlMs));
  }

  /** Milliseconds that a key has left; infinity if it does not expire, undefined if it is missing. */
  remainingMs(key: string): number | undefined {
    return this.read().remainingMs(key);
  }

  // Strings: the last writer wins.

  /** Sets a key to a text, whatever it held, and cancels its expiry. Of concurrent writes the later one wins. */
  setText(key: string, value: string, options: strings.WriteOptions = {}): void {
    this.write((store) => strings.setText(store, key, value, options));
  }

  /** @throws {WrongTypeError} if the key holds no string */
  getText(key: string): string | undefined {
    return strings.getText(this.read(), key);
  }

  // Hashes: the last writer of each field wins.

  /** Sets a field; answers whether it is new, as it is seen here. `bound`: it is seen while this process is. */
  setField(key: string, field: string, value: string, options: { readonly bound?: boolean } = {}): boolean {
    return this.write((store) => hashes.setField(store, key, field, value, options));
  }

  /** Adds to the integer in a field. No addition is lost; the answer is the sum as it is seen here, and may be another's too. */
  incrementField(key: string, field: string, by: number): number {
    return this.write((store) => hashes.incrementField(store, key, field, by));
  }

  getField(key: string, field: string): string | undefined {
    return hashes.getField(this.read(), key, field);
  }

  /** Every field with its text, as they are now. Cost: O(fields). */
  fields(key: string): [string, string][] {
    return [...hashes.fieldsOf(this.read(), key)];
  }

  /** Removes a field; answers whether it was there. Its next write, wherever, is not affected. */
  deleteField(key: string, field: string): boolean {
    return this.write((store) => hashes.deleteField(store, key, field));
  }

  // Sets: an add wins over a concurrent remove.

  /** Answers how many of the members are new, as it is seen here. */
  addMembers(key: string, members: readonly string[], options: { readonly bound?: boolean } = {}): number {
    return this.write((store) => sets.addMembers(store, key, members, options));
  }

  /** Answers how many of the members were there, as it is seen here. */
  removeMembers(key: string, members: readonly string[]): number {
    return this.write((store) => sets.removeMembers(store, key, members));
  }

  hasMember(key: string, member: string): boolean {
    return sets.hasMember(this.read(), key, member);
  }

  /** Cost: O(members). */
  members(key: string): string[] {
    return [...sets.membersOf(this.read(), key)];
  }

  // What the owner of the key serialises.

  /**
   * Adds to the integer at a key; while the cluster is whole, no two calls get the same number. Confirmed by a second
   * replica. No addition is lost, also in a partition, where each side counts on and the sums meet after it.
   *
   * @throws {OwnerUnreachableError} `OWNER_UNREACHABLE` after `ownerWaitMs`
   */
  async increment(key: string, by = 1): Promise<number> {
    return (await this.call({ type: "increment", key, by }, this.settings.ownerWaitMs)) as number;
  }

  /**
   * Adds to the integer in a field and lets the whole key expire after `ttlMs`: for locks of which the first caller is
   * told 1. Where the owner cannot be asked within `gateWaitMs` it counts here, so that nobody is held up for ever: two
   * may then be first. A field that is back at 0 is gone.
   */
  async gate(key: string, field: string, by: number, ttlMs: number): Promise<number> {
    const operation = { type: "gate", key, field, by, ttlMs } as const;
    try {
      return (await this.call(operation, this.settings.gateWaitMs)) as number;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "OWNER_UNREACHABLE") throw error;
      return this.write((store) => passGate(store, key, field, by, ttlMs));
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
    this.store.check(key, values);
    return (await this.call({ type: "push", key, end, values }, this.settings.ownerWaitMs)) as number;
  }

  /**
   * Takes the text at an end of a list; null if it has none. While the cluster is whole no element is taken twice; one
   * whose owner is lost just after the answer, or that both sides of a partition take, may be.
   *
   * @throws {OwnerUnreachableError} `OWNER_UNREACHABLE` after `ownerWaitMs`
   */
  async pop(key: string, end: lists.ListEnd): Promise<string | null> {
    return (await this.call({ type: "pop", key, end }, this.settings.ownerWaitMs)) as string | null;
  }

  /** Takes the last text of the first of the lists that has one, as soon as one has; null after `timeoutMs`. */
  async popWaiting(keys: readonly string[], timeoutMs: number): Promise<readonly [string, string] | null> {
    this.assertOpen();
    if (!(timeoutMs >= 0)) throw new InvalidArgumentError("the time-out", "must be 0 or a positive number");
    return await this.waiting.wait(keys, timeoutMs);
  }

  /** The elements of a list from first to last, as they are seen here. */
  elements(key: string): string[] {
    return lists.elementsOf(this.read(), key);
  }

  length(key: string): number {
    return this.read().read(key, "list")?.elements.length ?? 0;
  }

  // Beyond single keys.

  /** Tells `listener` of every change of an entry, made here or elsewhere, while it is made; it must not write. Returns what ends it. */
  watch(listener: (change: KeyChange) => void): () => void {
    const own = (change: KeyChange) => listener(change);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  /** Pushes what was written to the others now, instead of at the end of the turn: before a message that speaks of it. */
  flush(): void {
    this.cancelFlush?.();
    this.cancelFlush = undefined;
    this.replication.flush();
  }

  /** Settles with whether other replicas hold what was written here so far; with nobody to ask: true. Never rejects. */
  async confirmed({ by, timeoutMs = this.settings.confirmTimeoutMs }: ConfirmOptions): Promise<boolean> {
    this.flush();
    const number = this.store.set.vectorOf(this.store.set.replica);
    const peers = this.ownership.linkedParticipants();
    if (peers.length === 0) return true;
    const answers = peers.map((peer) => this.confirmations.confirm(peer, number));
    const held =
      by === "all"
        ? Promise.all(answers).then((all) => all.every(Boolean))
        : Promise.any(
            answers.map(async (answer) => (await answer) || Promise.reject(new Error("not held"))),
          ).catch(() => false);
    return await new Promise((resolve) => {
      const cancel = this.clock.schedule(timeoutMs, () => resolve(false));
      void held.then((answer) => {
        cancel();
        resolve(answer);
      });
    });
  }

  /**
   * Hands over and ends: others own its keys, hold all that was written here, and lose what stood for this process. The
   * node is not stopped; stop it afterwards. Reads go on, writes throw. Never rejects.
   */
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private async end(): Promise<void> {
    this.waiting.close();
    this.cancelFlush?.();
    this.cancelExpiry();
    this.store.advance(this.clock.now(), this.clock.wallMs());
    await this.participant.leave();
  }

  private async call(operation: OwnedOperation, waitMs: number) {
    this.assertOpen();
    this.store.checkKey(operation.key);
    const result = await this.calls.call(operation, waitMs);
    this.touched();
    return result;
  }

  private read(): KeyStore {
    this.store.advance(this.clock.now(), this.clock.wallMs());
    return this.store;
  }

  private write<T>(work: (store: KeyStore) => T): T {
    this.assertOpen();
    const result = work(this.read());
    this.touched();
    return result;
  }

  private assertOpen(): void {
    if (this.stopping !== undefined) throw new ClosedError("this key space");
  }

  /** Local events may wait to be pushed, and the next deadline may be nearer. */
  private touched(): void {
    if (this.stopping !== undefined) return;
    if (this.store.set.openSize > 0 && this.cancelFlush === undefined)
      this.cancelFlush = this.clock.schedule(0, () => this.guarded(() => this.flush()));
    const nextMs = this.store.nextDueMs;
    if (nextMs >= this.expiryAtMs) return;
    this.cancelExpiry();
    this.expiryAtMs = nextMs;
    this.cancelExpiry = this.clock.schedule(Math.max(nextMs - this.clock.now(), 1), () => {
      this.expiryAtMs = Number.POSITIVE_INFINITY;
      this.guarded(() => this.read().tick());
      this.touched();
    });
  }

  private tell(change: KeyChange): void {
    if (change.type === "inserted" && change.item.kind === "element") this.waiting.wake();
    for (const listener of this.listeners) this.guarded(() => listener(change));
  }

  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.failed(error);
    }
  }
}
