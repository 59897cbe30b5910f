/** What moves a key space: the store, its replication and its owners put together, and the timers that drive them. */
import { nameOf, replicaId } from "@presently/crdt";
import { ClosedError, PresentlyError } from "presently";
import { callListener } from "presently/drop-in";
import { machineClock } from "./alone.ts";
import { Confirmations } from "./confirmations.ts";
import { Doubts } from "./doubts.ts";
import type { KeyChange } from "./key-table.ts";
import { LargeMessages } from "./large-messages.ts";
import type { KeyspaceClock, Messenger } from "./messenger.ts";
import { type KeyspaceOptions, type KeyspaceSettings, resolveKeyspaceOptions } from "./options.ts";
import type { OwnedOperation, OwnedResult } from "./owned-operation.ts";
import { OwnerCalls } from "./owner-calls.ts";
import { Ownership } from "./ownership.ts";
import { Participant } from "./participant.ts";
import { Replication } from "./replication.ts";
import { KeyStore } from "./store.ts";
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

export class Engine {
  readonly settings: KeyspaceSettings;
  readonly store: KeyStore;
  readonly replication: Replication;
  readonly participant: Participant;
  readonly waiting: WaitingPops;
  readonly listeners = new Set<(change: KeyChange) => void>();
  /** Writes that a bound has refused here. */
  refusals = 0;
  private readonly clock: KeyspaceClock;
  private readonly ownership: Ownership;
  private readonly confirmations: Confirmations;
  private readonly calls: OwnerCalls;
  private readonly failed: (error: unknown) => void;
  /** Told when what stands for processes may show or hide. */
  readonly visibilityListeners = new Set<() => void>();
  private readonly doubts: Doubts;
  private visibility = 0;
  private cancelFlush: (() => void) | undefined;
  private cancelExpiry: () => void = () => undefined;
  private expiryAtMs = Number.POSITIVE_INFINITY;
  private stopping: Promise<void> | undefined;

  /** As that of `Keyspace`. */
  constructor(messenger: Messenger, options: KeyspaceOptions, environment: KeyspaceEnvironment) {
    const settings = resolveKeyspaceOptions(options);
    const clock = environment.clock ?? machineClock;
    const onError = environment.onError ?? warn;
    const failed = (error: unknown) => callListener(onError, error, warn);
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
      isAlive: (replica) => this.ownership.isOriginShown(replica),
      purgeRank: (key) => Math.max(this.ownership.ranked(key).indexOf(messenger.replica), 0),
      changed: (change) => this.tell(change),
      flush: () => this.replication.flush(),
    });
    this.store.advance(clock.now(), clock.wallMs());
    const { valueBytesMax, frameBytesTarget } = settings;
    // A control character takes six in JSON.
    const lengthMax = 6 * valueBytesMax + 2 * frameBytesTarget;
    const messages = new LargeMessages({ messenger, channel, clock, lengthMax });
    const parts = { store: this.store, messenger, messages, channel, clock, ownership: this.ownership };
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
      pop: async (key) =>
        (await this.call({ type: "pop", key, end: "tail" }, settings.ownerWaitMs)) as string | null,
    });
    this.doubts = new Doubts({
      clock,
      ownership: this.ownership,
      ask: (host) =>
        messages.request(host, ["confirm", this.store.set.replica, 0], settings.confirmTimeoutMs),
      changed: () => this.replicasChanged(),
    });
    this.participant = new Participant({
      ...bound,
      calls: this.calls,
      touched: () => this.touched(),
      replicasChanged: () => this.replicasChanged(),
      failed,
    });
  }

  /** As `Keyspace.flush`. */
  flush(): void {
    this.cancelFlush?.();
    this.cancelFlush = undefined;
    this.replication.flush();
  }

  /** As `Keyspace.confirmed`. */
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

  /** Settles when all is handed over; again: the same promise. */
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private async end(): Promise<void> {
    this.waiting.close();
    this.doubts.close();
    this.cancelFlush?.();
    this.cancelExpiry();
    this.store.advance(this.clock.now(), this.clock.wallMs());
    await this.participant.leave();
  }

  /** Has the owner of its key carry out an operation. */
  async call(operation: OwnedOperation, waitMs: number): Promise<OwnedResult> {
    this.assertOpen();
    try {
      this.store.check(operation.key, operation.type === "push" ? operation.values : []);
      return await this.calls.call(operation, waitMs);
    } catch (error) {
      this.countRefusal(error);
      throw error;
    } finally {
      this.touched();
    }
  }

  /** The store, as of now. */
  read(): KeyStore {
    this.store.advance(this.clock.now(), this.clock.wallMs());
    return this.store;
  }

  /** Writes to the store, as of now. @throws {ClosedError} after `stop` */
  write<T>(work: (store: KeyStore) => T): T {
    this.assertOpen();
    try {
      return work(this.read());
    } catch (error) {
      this.countRefusal(error);
      throw error;
    } finally {
      this.touched();
    }
  }

  private countRefusal(error: unknown): void {
    if (error instanceof PresentlyError && error.code === "LIMIT_REACHED") this.refusals++;
  }

  /** @throws {ClosedError} after `stop` */
  assertOpen(): void {
    if (this.stopping !== undefined) throw new ClosedError("this key space");
  }

  /** As `Keyspace.doubt`. */
  doubt(key: string, field: string): boolean {
    this.assertOpen();
    const placed = this.read().read(key, "hash")?.fields.get(field)?.register(this.store.isAlive);
    return placed?.item.bound === true && this.doubts.begin(placed.origin);
  }

  private replicasChanged(): void {
    this.waiting.wake();
    if (this.visibility === this.ownership.version) return;
    this.visibility = this.ownership.version;
    for (const listener of this.visibilityListeners) callListener(listener, undefined, this.failed);
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
    for (const listener of this.listeners) callListener(listener, change, this.failed);
  }

  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.failed(error);
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error), "PresentlyKeyspace");
}
