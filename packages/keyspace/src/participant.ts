/**
 * One replica's part in a key space: catching up before it owns anything, telling the others what it holds, hearing of
 * who comes and goes, and handing over when it stops.
 */
import type { ReplicaId } from "presently";
import type { Confirmations } from "./confirmations.ts";
import type { LargeMessages } from "./large-messages.ts";
import type { KeyspaceClock, Messenger } from "./messenger.ts";
import type { OwnerCalls } from "./owner-calls.ts";
import type { Ownership, Participation } from "./ownership.ts";
import type { Replication } from "./replication.ts";
import type { KeyStore } from "./store.ts";
import { decodeOrigin, list, MalformedMessageError } from "./wire.ts";

/** How long an origin must be gone before what stood for its process is removed; hidden it is at once. */
const BOUND_GRACE_MS = 60_000;

export interface ParticipantPort {
  readonly store: KeyStore;
  readonly messenger: Messenger;
  readonly messages: LargeMessages;
  readonly channel: string;
  readonly clock: KeyspaceClock;
  readonly ownership: Ownership;
  readonly replication: Replication;
  readonly confirmations: Confirmations;
  readonly calls: OwnerCalls;
  /** After something came in, or time went on: local events may wait, and deadlines may be new. */
  readonly touched: () => void;
  /** Something that bound entries or owners hang on has changed. */
  readonly replicasChanged: () => void;
  readonly failed: (error: unknown) => void;
}

export class Participant {
  private readonly port: ParticipantPort;
  private readonly endings: (() => void)[] = [];
  private readonly goneSince = new Map<ReplicaId, number>();
  private cancelDigest: () => void = () => undefined;
  /** Settles when this replica may own keys. Never rejects. */
  readonly serving: Promise<void>;
  private ended = false;

  constructor(port: ParticipantPort) {
    this.port = port;
    const { messenger, messages, channel, ownership } = port;
    for (const view of messenger.cluster()) ownership.see(view);
    this.endings.push(
      messenger.onBroadcast(channel, (payload, from) => {
        if (from !== messenger.replica) this.guarded(() => this.hearWhole(payload, from));
      }),
      messenger.onMessage(channel, (payload, from) => this.guarded(() => this.hear(payload, from))),
      messenger.onRequest(channel, (payload, from) =>
        messages.answer(payload, from, (whole) => this.answer(whole, from)),
      ),
      messenger.onReplica((view) => {
        ownership.see(view);
        if (view.status === "gone") messages.drop(view.replica);
        if (view.linked) messenger.send(view.replica, channel, this.digest());
        port.replicasChanged();
      }),
    );
    this.beat();
    this.serving = this.join().catch((error) => port.failed(error));
  }

  /** Catches up with those who are there, tells them that it serves, and catches up with what they did meanwhile. */
  private async join(): Promise<void> {
    const { messenger, channel, ownership, replication, store } = this.port;
    await messenger.whenReady();
    const greeted = new Set<ReplicaId>();
    const timeoutMs = store.settings.confirmTimeoutMs;
    for (;;) {
      const linked = messenger.cluster().filter((view) => view.status !== "self" && view.linked);
      const news = linked.filter(({ replica }) => !greeted.has(replica));
      if (news.length === 0 || this.ended) break;
      await Promise.all(
        news.map(async ({ replica }) => {
          greeted.add(replica);
          const greeting = ["greet", "joining", store.set.replica];
          // Not everybody in the cluster takes part, and who does not answer in time is caught up with later.
          const answer = await messenger
            .request(replica, channel, greeting, { timeoutMs })
            .catch(() => undefined);
          if (answer === undefined) return;
          this.hearOf(replica, list(answer, "greeting"));
          await replication.pull(replica);
        }),
      );
    }
    await Promise.all(
      ownership.linkedParticipants().map(async (replica) => {
        const payload = ["greet", "serving", store.set.replica];
        const answer = await messenger
          .request(replica, channel, payload, { timeoutMs })
          .catch(() => undefined);
        if (answer === undefined) return;
        const [, origin, number] = list(answer, "greeting");
        await replication.holds(decodeOrigin(origin), number, replica);
      }),
    );
    if (this.ended || ownership.own === "leaving") return;
    ownership.own = "serving";
    messenger.broadcast(channel, this.digest());
    this.port.touched();
  }

  /** Stops owning, hands everything over and says goodbye. What stands for this process goes with it. */
  async leave(): Promise<void> {
    const { messenger, channel, ownership, replication, store, confirmations } = this.port;
    ownership.own = "leaving";
    store.dropBound(store.set.replica);
    const number = replication.flush();
    messenger.broadcast(channel, this.digest());
    await Promise.all(
      ownership.linkedParticipants().map((replica) => confirmations.confirm(replica, number)),
    );
    this.ended = true;
    this.cancelDigest();
    for (const end of this.endings) end();
  }

  private beat(): void {
    const { messenger, channel, clock, store } = this.port;
    this.cancelDigest = clock.schedule(store.settings.antiEntropyIntervalMs, () => {
      this.guarded(() => {
        this.collect();
        messenger.broadcast(channel, this.digest());
      });
      this.port.touched();
      this.beat();
    });
  }

  private digest(): unknown[] {
    const { replication, ownership, store } = this.port;
    return ["digest", ownership.own, store.set.replica, replication.hash()];
  }

  private hearWhole(payload: unknown, from: ReplicaId): void {
    const whole = this.port.messages.received(payload, from);
    if (whole !== undefined) this.hear(whole, from);
  }

  private hear(payload: unknown, from: ReplicaId): void {
    const { replication, store, clock } = this.port;
    store.advance(clock.now(), clock.wallMs());
    const [type, ...parts] = list(payload, "message");
    if (type === "delta") {
      if (replication.receive(parts[0])) void replication.pull(from).then(() => this.port.touched());
    } else if (type === "digest") {
      this.hearOf(from, parts);
      if (parts[2] !== replication.hash()) void replication.pull(from).then(() => this.port.touched());
    }
    this.port.touched();
  }

  /** What a replica says of itself: how far it takes part, and under which origin it writes. */
  private hearOf(from: ReplicaId, [participation, origin]: readonly unknown[]): void {
    const { ownership, store } = this.port;
    if (participation !== "joining" && participation !== "serving" && participation !== "leaving")
      throw new MalformedMessageError("digest");
    const known = decodeOrigin(origin);
    if (store.set.isEvicted(known)) store.set.readmit(known);
    this.goneSince.delete(known);
    ownership.hear(from, participation as Participation, known);
    this.port.replicasChanged();
  }

  private async answer(payload: unknown, from: ReplicaId): Promise<unknown> {
    const { replication, store, clock, ownership, calls } = this.port;
    store.advance(clock.now(), clock.wallMs());
    const [type, ...parts] = list(payload, "request");
    try {
      if (type === "call") return await calls.answer(parts, from);
      if (type === "pull") return replication.give(parts);
      if (type === "page") return replication.givePage(parts[0]);
      if (type === "confirm") return [await replication.holds(decodeOrigin(parts[0]), parts[1], from)];
      if (type === "greet") {
        this.hearOf(from, parts);
        return [ownership.own, store.set.replica, replication.flush()];
      }
      throw new MalformedMessageError("request");
    } finally {
      this.port.touched();
    }
  }

  /** Forgets those who are gone: first what stood for their processes, and in the end that they ever were. */
  private collect(): void {
    const { store, ownership, clock, messenger } = this.port;
    const { set, settings } = store;
    const now = clock.now();
    const isFirst = ownership.serving().every((replica) => messenger.replica <= replica);
    for (const origin of set.originIds()) {
      if (origin === set.replica || !ownership.isOriginGone(origin)) {
        this.goneSince.delete(origin);
        continue;
      }
      const since = this.goneSince.get(origin) ?? now;
      this.goneSince.set(origin, since);
      if (isFirst && now - since >= BOUND_GRACE_MS) store.dropBound(origin);
      if (set.entriesOf(origin).size > 0 || now - since < settings.forgetAfterMs) continue;
      set.evict(origin);
      ownership.forget(origin);
      this.goneSince.delete(origin);
    }
  }

  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.port.failed(error);
    }
  }
}
