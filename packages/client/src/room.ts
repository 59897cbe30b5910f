/** One room: who is in it, and what this client says there. It outlives its connections. */
import { type Channel, Presence, type Socket } from "phoenix";
import { isMap, positive, require } from "./arguments.ts";
import { leaveChannel } from "./channel-leave.ts";
import { Emitter, type Unsubscribe } from "./emitter.ts";
import { ClientError } from "./errors.ts";
import { joinRefusalOf } from "./join-refusal.ts";
import { type Settings, taken } from "./options.ts";
import { type Message, Outbox } from "./outbox.ts";
import { type Answer, OwnMeta } from "./own-meta.ts";
import type { Meta, MetaChange, Person, WireMeta } from "./person.ts";
import { Pushes } from "./pushes.ts";
import type { RoomEvents, RoomOptions, RoomSnapshot, RoomStatus } from "./room-snapshot.ts";
import { Roster, type RosterChange } from "./roster.ts";

/** What a room needs of its client. @internal */
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

/**
 * One topic as this client sees it: who is there, and what it says there. Made by `client.join`; it outlives connections, and
 * is joined again after each that broke.
 */
export class Room<M extends Meta = Meta> {
  readonly topic: string;
  readonly #host: RoomHost;
  readonly #roster: Roster<M>;
  readonly #own: OwnMeta<M>;
  readonly #outbox: Outbox;
  readonly #emitter = new Emitter<RoomEvents<M>>();
  readonly #messages = new Emitter<Record<string, [payload: never, key: string]>>();
  readonly #pushes = new Pushes();
  #socket: Socket | undefined;
  #channel: Channel | undefined;
  #leaving: Promise<void> | undefined;
  readonly #abandoned = new AbortController();
  #key: string | undefined;
  #status: RoomStatus = "joining";
  #error: ClientError | undefined;
  #snapshot: RoomSnapshot<M> | undefined;
  #stopTimer: Unsubscribe | undefined;
  /** Whether the server let this client in, on the present connection. */
  #admitted = false;

  /** @internal Rooms come from `client.join`. */
  constructor(topic: string, host: RoomHost, options: RoomOptions<M>) {
    const { meta = {} as M, leaveDelayMs = 2_000, heldMax = 10_000 } = options;
    const { timeoutMs, pendingMax, clock } = host.settings;
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
      initial: takenMeta(meta, host.settings, topic),
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
   * @throws {ClientError} `UPDATE_REFUSED`, `INVALID_ARGUMENT`, `LIMIT_REACHED` (`messageBytesMax`): what was said before holds
   */
  async update(change: MetaChange<M>): Promise<boolean> {
    if (this.#ended) return false;
    const meta = typeof change === "function" ? change(this.#own.latest) : change;
    return this.#own.change(takenMeta(meta, this.#host.settings, this.topic));
  }

  /**
   * Sends a message to everybody else who is in the room now: at most once, in order, kept nowhere. While the room is not
   * joined it waits, for `timeoutMs`.
   *
   * @throws {ClientError} `INVALID_ARGUMENT`, `LIMIT_REACHED` (`pendingMax`, `messageBytesMax`), `MESSAGE_REFUSED`, `TIMED_OUT`, `CLOSED`
   */
  async broadcast(event: string, payload?: unknown): Promise<void> {
    require(typeof event === "string", "event", "a string");
    const message = taken({ event, payload: payload ?? null }, this.#host.settings, this.topic);
    return this.#outbox.post(message);
  }

  /** Ends being here; the others see it at once (after their `leaveDelayMs`). Settles when the server knows. Never rejects. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  async #leave(): Promise<void> {
    if (this.#ended) return;
    this.#emitter.emit("leaving");
    const socket = this.#socket;
    const channel = this.#end("left");
    if (channel === undefined || socket === undefined) return;
    const { timeoutMs, clock } = this.#host.settings;
    const { leaving } = this.#host;
    leaving.add(this);
    await leaveChannel({ channel, socket, timeoutMs, clock, signal: this.#abandoned.signal });
    leaving.delete(this);
  }

  /** @internal The connection is there: joins, unless phoenix.js does so by itself. */
  connect(socket: Socket): void {
    if (this.#channel !== undefined || this.#ended) return;
    this.#socket = socket;
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
    this.#pushes.giveUp();
    this.#abandoned.abort();
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
    const { isAboutMeta, reason, error } = joinRefusalOf(answer, this.topic, this.#status === "rejoining");
    // It was the update of before that cannot be: phoenix.js joins again with what was accepted.
    if (isAboutMeta && this.#own.joinRefused(reason)) return;
    this.#error = error;
    const channel = error.temporary ? undefined : this.#end("refused");
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
    this.#pushes.push(this.#channel!.push(event, payload, this.#host.settings.timeoutMs), answered);
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
    this.#pushes.giveUp();
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

function takenMeta<M extends Meta>(meta: M, settings: Settings, topic: string): M {
  require(isMap(meta), "meta", 'a map such as { name: "Ada" }');
  return taken(meta, settings, topic);
}
