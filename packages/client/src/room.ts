/** One room: who is in it, and what this client says there. It outlives its connections. */
import { type Channel, Presence, type Push, type Socket } from "phoenix";
import { Emitter, type Unsubscribe } from "./emitter.ts";
import { ClientError } from "./errors.ts";
import { checkSize, positive, type Settings } from "./options.ts";
import { type Message, Outbox } from "./outbox.ts";
import { type Answer, OwnMeta } from "./own-meta.ts";
import type { Meta, Person, WireMeta } from "./person.ts";
import { Roster, type RosterChange } from "./roster.ts";

/**
 * `joining` until who is there is known; `joined`; `rejoining` while the connection is away, when the list is the one of before;
 * `refused` by the server, for good; `left`, by this client or because the server closed the room.
 */
export type RoomStatus = "joining" | "joined" | "rejoining" | "refused" | "left";

export interface RoomOptions<M extends Meta> {
  /** What this client says of itself, a map of JSON values of at most 8 KiB. Default: nothing. */
  readonly meta?: M;
  /**
   * How long who is gone stays in the list: who is back by then was never away. Default 2,000 ms; 0 shows every leave at once.
   * Raising it hides longer reconnects, and shows everybody who really left so much later.
   */
  readonly leaveDelayMs?: number;
  /** Connections that are kept in the list so at a time; more are shown as gone at once. Default 10,000. */
  readonly heldMax?: number;
}

/** A room at one moment. Never changed: the same object until something is different. */
export interface RoomSnapshot<M extends Meta> {
  readonly people: readonly Person<M>[];
  /** This client's own person, with its other tabs and devices; undefined until it is in the list. */
  readonly self: Person<M> | undefined;
  readonly status: RoomStatus;
  /** What this client says of itself, also where the server has not heard it yet. */
  readonly meta: M;
  /** Why it is not joined, if it was refused or timed out. */
  readonly error: ClientError | undefined;
}

export interface RoomEvents<M extends Meta> {
  readonly join: readonly [person: Person<M>];
  readonly leave: readonly [person: Person<M>];
  readonly update: readonly [person: Person<M>, previous: Person<M>];
  /** After the changes that came together, and whenever the whole list has come. */
  readonly sync: readonly [people: readonly Person<M>[]];
  readonly status: readonly [status: RoomStatus];
  /** Something of the snapshot is different. */
  readonly change: readonly [snapshot: RoomSnapshot<M>];
  /** A join or an update was refused, or a join timed out. */
  readonly error: readonly [error: ClientError];
  /** The room is about to be left: what is sent now arrives, if there is a connection. */
  readonly leaving: readonly [];
}

/** What a room needs of its client. */
export interface RoomHost {
  readonly settings: Settings;
  /** The key to go by if the server does not say. */
  readonly key: string | undefined;
  /** Rooms that were left, until the server knows. */
  readonly leaving: Set<{ abandon(): Channel | undefined }>;
  connected(): boolean;
  /** The room has ended. */
  ended(topic: string): void;
}

/** Whatever its people say of themselves. */
// biome-ignore lint/suspicious/noExplicitAny: a room takes and gives metas, so that no other type has all rooms below it.
export type AnyRoom = Room<any>;

const EVENT = { update: "presently_update", message: "presently_message" } as const;
/** Refusals that phoenix.js may try again. */
const TEMPORARY_REASONS = new Set(["too many joins", "too many channels joined", "join crashed"]);

export class Room<M extends Meta = Meta> {
  readonly topic: string;
  readonly #host: RoomHost;
  readonly #roster: Roster<M>;
  readonly #own: OwnMeta<M>;
  readonly #outbox: Outbox;
  readonly #emitter = new Emitter<RoomEvents<M>>();
  readonly #messages = new Emitter<Record<string, [payload: never, key: string]>>();
  /** Pushes without an answer, with what gives up on them. */
  readonly #unanswered = new Set<() => void>();
  #channel: Channel | undefined;
  #key: string | undefined;
  #status: RoomStatus = "joining";
  #error: ClientError | undefined;
  #snapshot: RoomSnapshot<M> | undefined;
  #stopTimer: Unsubscribe | undefined;
  /** Whether the server let this client in, on the present connection. */
  #admitted = false;

  constructor(topic: string, host: RoomHost, options: RoomOptions<M>) {
    const { meta = {} as M, leaveDelayMs = 2_000, heldMax = 10_000 } = options;
    const { timeoutMs, pendingMax, clock } = host.settings;
    checkSize(meta, host.settings, topic);
    this.topic = topic;
    this.#host = host;
    this.#key = host.key;
    this.#roster = new Roster({
      leaveDelayMs: positive("leaveDelayMs", leaveDelayMs, 0),
      heldMax: positive("heldMax", heldMax, 0),
    });
    const canSend = () => this.#admitted && host.connected();
    this.#own = new OwnMeta({
      topic,
      initial: meta,
      canSend,
      send: (own, answered) => this.#push(EVENT.update, { meta: own }, answered),
      onChanged: () => this.#changed(),
      onRefused: (error) => this.#emitter.emit("error", error),
    });
    const send = (message: Message, answered: (answer: Answer) => void) =>
      this.#push(EVENT.message, message, answered);
    this.#outbox = new Outbox({ topic, pendingMax, timeoutMs, clock, canSend, send });
  }

  /** Everybody who is here, oneself included, in the order in which this client heard of them. The same array until somebody changes. */
  get people(): readonly Person<M>[] {
    return this.#roster.people;
  }

  get self(): Person<M> | undefined {
    return this.#key === undefined ? undefined : this.#roster.get(this.#key);
  }

  get status(): RoomStatus {
    return this.#status;
  }

  /** What this client says of itself. */
  get meta(): M {
    return this.#own.latest;
  }

  /** Everything at once, for a view that renders it. */
  get snapshot(): RoomSnapshot<M> {
    const { people, self, status, meta } = this;
    this.#snapshot ??= Object.freeze({ people, self, status, meta, error: this.#error });
    return this.#snapshot;
  }

  on<Name extends keyof RoomEvents<M>>(
    event: Name,
    listener: (...words: RoomEvents<M>[Name]) => void,
  ): Unsubscribe {
    return this.#emitter.on(event, listener);
  }

  /** Hears the messages that others broadcast under this name, with the key of who sent them, as the server knows it. */
  onMessage<T = unknown>(event: string, listener: (payload: T, key: string) => void): Unsubscribe {
    return this.#messages.on(event, listener);
  }

  /** Settles when the list is there. @throws {ClientError} `JOIN_REFUSED`, `UNAUTHORIZED`, `CLOSED` when it will not be */
  async whenJoined(): Promise<this> {
    while (this.#status !== "joined") {
      if (this.#status === "left") throw new ClientError("CLOSED", `the room ${this.topic} was left`);
      if (this.#error !== undefined && !this.#error.temporary) throw this.#error;
      await new Promise<void>((resolve) => {
        const off = this.on("change", () => {
          off();
          resolve();
        });
      });
    }
    return this;
  }

  /**
   * Says something else of oneself. Everybody sees an update, not a leave and a join; after a reconnect it is said again.
   * However often it is called, one update is on its way at a time, and the next carries the newest.
   *
   * @param change  the whole new meta, or a function of the present one
   * @returns true once the server has it; false if the room was left first
   * @throws {ClientError} `UPDATE_REFUSED`, `LIMIT_REACHED` (`messageBytesMax`): what was said before holds
   */
  async update(change: M | ((previous: M) => M)): Promise<boolean> {
    if (this.#ended) return false;
    const meta = typeof change === "function" ? change(this.#own.latest) : change;
    checkSize(meta, this.#host.settings, this.topic);
    return this.#own.change(meta);
  }

  /**
   * Sends a message to everybody else who is in the room now: at most once, in order, kept nowhere. While the room is not
   * joined it waits, for `timeoutMs`.
   *
   * @throws {ClientError} `LIMIT_REACHED` (`pendingMax`, `messageBytesMax`), `MESSAGE_REFUSED`, `TIMED_OUT`, `CLOSED`
   */
  async broadcast(event: string, payload?: unknown): Promise<void> {
    checkSize(payload, this.#host.settings, this.topic);
    return this.#outbox.post({ event, payload: payload ?? null });
  }

  /** Ends being here; the others see it at once (after their `leaveDelayMs`). Settles when the server knows. Never rejects. */
  async leave(): Promise<void> {
    if (this.#ended) return;
    this.#emitter.emit("leaving");
    const channel = this.#end("left");
    if (channel === undefined) return;
    this.#host.leaving.add(this);
    await new Promise<void>((resolve) => {
      const push = channel.leave(this.#host.settings.timeoutMs);
      this.#unanswered.add(() => {
        cancelTimer(push);
        resolve();
      });
      push.receive("ok", () => resolve()).receive("timeout", () => resolve());
    });
    this.#unanswered.clear();
    this.#host.leaving.delete(this);
  }

  /** @internal The connection is there: joins, unless phoenix.js does so by itself. */
  connect(socket: Socket): void {
    if (this.#channel !== undefined || this.#ended) return;
    const channel = socket.channel(this.topic, () => ({ meta: this.#own.forJoin() }));
    this.#channel = channel;
    const presence = new Presence(channel);
    // phoenix.js tells what came, or went, of a key with each call.
    presence.onJoin((key, _, came: { metas: WireMeta[] }) => this.#roster.came(key!, came.metas));
    presence.onLeave((key, _, gone: { metas: WireMeta[] }) => this.#roster.gone(key!, gone.metas));
    presence.onSync(() => this.#synced());
    channel.on(EVENT.message, ({ event, payload, key }: Message & { key: string }) =>
      this.#messages.emit(event, payload as never, key),
    );
    channel.onError(() => this.#lost());
    channel.onClose(() => void this.#end("left"));
    channel
      .join(this.#host.settings.timeoutMs)
      .receive("ok", (answer) => this.#joined(answer))
      .receive("error", (answer) => this.#refused(answer))
      .receive("timeout", () => this.#timedOut());
  }

  /** @internal The client was refused, and tries no more until it is told to. */
  refusedWith(error: ClientError): void {
    this.#error = error;
    this.#changed();
  }

  /** @internal The client closes: ends without telling the server, which sees the connection go. */
  abandon(): Channel | undefined {
    if (!this.#ended) this.#emitter.emit("leaving");
    const channel = this.#end("left");
    for (const giveUp of this.#unanswered) giveUp();
    this.#unanswered.clear();
    return channel;
  }

  get #ended(): boolean {
    return this.#status === "left" || this.#status === "refused";
  }

  #joined(answer: unknown): void {
    if (typeof answer === "object" && answer !== null && "key" in answer && typeof answer.key === "string")
      this.#key = answer.key;
    this.#admitted = true;
    this.#error = undefined;
    this.#own.joined();
    this.#outbox.flush();
    this.#changed();
  }

  #synced(): void {
    this.#tell(this.#roster.settle(this.#host.settings.clock.now()));
    if (this.#status !== "joined") this.#become("joined");
    this.#emitter.emit("sync", this.people);
  }

  #lost(): void {
    this.#admitted = false;
    this.#own.lost();
    if (this.#status === "joined") this.#become("rejoining");
  }

  #refused(answer: unknown): void {
    const { reason, code } = { reason: undefined, code: undefined, ...(answer as object) };
    // It was the update of before that cannot be: phoenix.js joins again with what was accepted.
    if (this.#own.joinRefused(reason)) return;
    const words = reason ?? "no reason given";
    const temporary = isTemporary(words, code);
    const error = new ClientError(
      "JOIN_REFUSED",
      `the server refused to let you into ${this.topic}: ${words}`,
      {
        temporary,
        topic: this.topic,
        reason: words,
      },
    );
    this.#error = error;
    const channel = temporary ? undefined : this.#end("refused");
    channel?.leave();
    this.#changed();
    this.#emitter.emit("error", error);
  }

  #timedOut(): void {
    const { timeoutMs } = this.#host.settings;
    const message = `${this.topic} could not be joined in ${timeoutMs} ms: trying again`;
    this.#error = new ClientError("TIMED_OUT", message, { temporary: true, topic: this.topic });
    this.#changed();
    this.#emitter.emit("error", this.#error);
  }

  #push(event: string, payload: object, answered: (answer: Answer) => void): void {
    const push = this.#channel!.push(event, payload, this.#host.settings.timeoutMs);
    const settle = (answer: Answer) => {
      if (this.#unanswered.delete(giveUp)) answered(answer);
    };
    const giveUp = () => {
      cancelTimer(push);
      settle({ status: "timeout" });
    };
    this.#unanswered.add(giveUp);
    push
      .receive("ok", () => settle({ status: "ok" }))
      .receive("error", (answer) => settle({ status: "error", reason: answer?.reason }))
      .receive("timeout", () => settle({ status: "timeout" }));
  }

  #tell(changes: readonly RosterChange<M>[]): void {
    this.#stopTimer?.();
    const { clock } = this.#host.settings;
    const expiryMs = this.#roster.nextExpiryMs;
    this.#stopTimer =
      expiryMs === undefined
        ? undefined
        : clock.after(Math.max(0, expiryMs - clock.now()), () => this.#expire());
    if (changes.length > 0) this.#changed();
    for (const change of changes) {
      if (change.type === "update") this.#emitter.emit("update", change.person, change.previous);
      else this.#emitter.emit(change.type, change.person);
    }
  }

  #expire(): void {
    const changes = this.#roster.expire(this.#host.settings.clock.now());
    this.#tell(changes);
    if (changes.length > 0) this.#emitter.emit("sync", this.people);
  }

  /** Gives the channel that is to be left, once. */
  #end(status: "left" | "refused"): Channel | undefined {
    const channel = this.#channel;
    this.#channel = undefined;
    if (this.#ended) return channel;
    this.#admitted = false;
    this.#stopTimer?.();
    this.#own.close();
    this.#outbox.close();
    for (const giveUp of this.#unanswered) giveUp();
    this.#host.ended(this.topic);
    this.#become(status);
    return channel;
  }

  #become(status: RoomStatus): void {
    this.#status = status;
    this.#changed();
    this.#emitter.emit("status", status);
  }

  #changed(): void {
    this.#snapshot = undefined;
    this.#emitter.emit("change", this.snapshot);
  }
}

function isTemporary(reason: string, code: unknown): boolean {
  // A meta that is too large stays so; other bounds of a node are those of the moment.
  return TEMPORARY_REASONS.has(reason) || (code === "LIMIT_REACHED" && !reason.includes("(option meta"));
}

/** A push of phoenix.js keeps a process of Node.js alive until it times out, also when nobody waits for it any more. */
function cancelTimer(push: Push & { cancelTimeout?(): void }): void {
  push.cancelTimeout?.();
}
