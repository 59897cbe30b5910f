/** One subscription of one client to a channel, as the application sees it. */
import type { PresenceRecord } from "./frames.ts";

/** What the subscription does for its face. */
export interface SubscriptionControl {
  readonly identifier: string;
  readonly channel: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly sid: string;
  readonly identifiers: unknown;
  readonly closed: boolean;
  state: Record<string, unknown>;
  streamFrom(stream: string, options: { readonly whisper?: boolean }): void;
  stopStream(stream: string): void;
  presenceFrom(stream: string): void;
  transmit(data: unknown): void;
  join(id: string | number, info: unknown): void;
  leave(): void;
  presence(): PresenceRecord[];
}

/** One client's subscription to one channel, which the callbacks of the channel are handed: streams, messages and presence. */
export class Subscription<Identifiers = unknown> {
  readonly #control: SubscriptionControl;

  constructor(control: SubscriptionControl) {
    this.#control = control;
  }

  /** The name of the channel. */
  get channel(): string {
    return this.#control.channel;
  }

  /** What the client gave besides the name. */
  get params(): Readonly<Record<string, unknown>> {
    return this.#control.params;
  }

  /** The text by which client and server call this subscription. */
  get identifier(): string {
    return this.#control.identifier;
  }

  /** Who the connection belongs to, as `authenticate` or the token said. */
  get identifiers(): Identifiers {
    return this.#control.identifiers as Identifiers;
  }

  /** The session, for `except` of a broadcast. Another one after each resumption. */
  get sid(): string {
    return this.#control.sid;
  }

  get closed(): boolean {
    return this.#control.closed;
  }

  /** Notes of the application, JSON. They move with the session to other nodes. */
  get state(): Record<string, unknown> {
    return this.#control.state;
  }

  set state(state: Record<string, unknown>) {
    this.#control.state = state;
  }

  /**
   * Has the client hear what is broadcast on a stream.
   *
   * @param options.whisper  what the client whispers goes to the others on this stream; default false
   * @throws {InvalidArgumentError} for a name that is empty or too long
   * @throws {LimitError} beyond `streamsPerSubscriptionMax`
   */
  streamFrom(stream: string, options: { readonly whisper?: boolean } = {}): void {
    this.#control.streamFrom(stream, options);
  }

  /** Ends what `streamFrom` began. */
  stopStream(stream: string): void {
    this.#control.stopStream(stream);
  }

  /**
   * Says on which stream the presence of this subscription lives: the client hears who joins and leaves there, may ask who
   * is present, and joins there itself. It need not be a stream that it hears. At most one: the last one counts.
   *
   * @throws {InvalidArgumentError} for a name that is empty or too long
   */
  presenceFrom(stream: string): void {
    this.#control.presenceFrom(stream);
  }

  /** Sends JSON to this client alone. */
  transmit(data: unknown): void {
    this.#control.transmit(data);
  }

  /**
   * Makes the client present, on its behalf, until it leaves or unsubscribes.
   *
   * @throws {NoPresenceStreamError} without `presenceFrom`
   * @throws {PresenceMismatchError} if its session is present there under another id
   * @throws {InvalidArgumentError} for an id or info that cannot be used
   */
  join(id: string | number, info?: unknown): void {
    this.#control.join(id, info);
  }

  /** Ends the presence of the client. Nothing happens if there is none. */
  leave(): void {
    this.#control.leave();
  }

  /** Who is present, in the whole cluster. @throws {NoPresenceStreamError} without `presenceFrom` */
  presence<Info = unknown>(): PresenceRecord<Info>[];
  presence(): PresenceRecord[] {
    return this.#control.presence();
  }
}
