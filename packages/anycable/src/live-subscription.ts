/**
 * A subscription of one session, from the confirmation to the end.
 *
 *     subscribing --(confirmed)--> live --(connection lost)--> paused --(resumed, and history asked for)--> live
 *
 * While it is paused, what is kept in the history comes from there when the client has said where it was; so nothing
 * comes twice, and nothing out of order.
 */
import type { Identity } from "presently/drop-in";
import type { ChannelDefinition } from "./channel-definition.ts";
import type { HistoryRequest, Position } from "./command.ts";
import { NoPresenceStreamError } from "./errors.ts";
import * as frames from "./frames.ts";
import { checkStream, HeardStreams } from "./heard-streams.ts";
import { JsonText } from "./json.ts";
import { MissedPresence, type PresenceKnown } from "./missed-presence.ts";
import type { SessionPresence } from "./session-presence.ts";
import type { SessionServices } from "./session-services.ts";
import type { PresenceNews } from "./stream-presence.ts";
import { Subscription, type SubscriptionControl } from "./subscription.ts";

/** What a subscription asks of its session. */
export interface SubscriptionHost {
  readonly sid: string;
  readonly identifiers: unknown;
  /** Who the node's `access` says it is. */
  readonly identity: Identity | undefined;
  readonly presence: SessionPresence;
  /** Whether a session is this one, now or before it was resumed. */
  isSelf(sid: string): boolean;
  send(frame: string): void;
}

/** A subscription as it moves to another node. */
export interface SubscriptionState {
  readonly identifier: string;
  readonly channel: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly state: Record<string, unknown>;
  readonly streams: readonly string[];
  readonly whisperStream: string | undefined;
  /** Where its streams ended when its connection broke. */
  readonly tails: readonly (readonly [string, Position])[];
  readonly presence: { readonly stream: string; readonly known: PresenceKnown } | undefined;
}

export interface LiveSubscriptionOptions {
  readonly services: SessionServices;
  readonly host: SubscriptionHost;
  // biome-ignore lint/suspicious/noExplicitAny: definitions of one cable share one type of identifiers, which only the cable knows.
  readonly definition: ChannelDefinition<any>;
  readonly identifier: string;
  readonly channel: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export class LiveSubscription implements SubscriptionControl {
  readonly identifier: string;
  readonly channel: string;
  readonly params: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly definition: ChannelDefinition<any>;
  readonly face: Subscription;
  state: Record<string, unknown> = {};
  readonly #services: SessionServices;
  readonly #host: SubscriptionHost;
  readonly #heard: HeardStreams;
  #whisperStream: string | undefined;
  #presence: MissedPresence | undefined;
  #phase: "subscribing" | "live" | "paused" | "ended" = "subscribing";
  /** What the application did before the confirmation, to be done after it. */
  #waiting: (() => void)[] = [];

  constructor(options: LiveSubscriptionOptions) {
    this.#services = options.services;
    this.#host = options.host;
    this.definition = options.definition;
    this.identifier = options.identifier;
    this.channel = options.channel;
    this.params = options.params;
    const { streams, limits } = options.services;
    this.#heard = new HeardStreams(streams, limits, {
      identifier: this.identifier,
      isSelf: (sid) => this.#host.isSelf(sid),
      send: (frame) => this.#host.send(frame),
    });
    this.face = new Subscription(this);
  }

  get sid(): string {
    return this.#host.sid;
  }

  get identifiers(): unknown {
    return this.#host.identifiers;
  }

  get closed(): boolean {
    return this.#phase === "ended";
  }

  get paused(): boolean {
    return this.#phase === "paused";
  }

  get streams(): Iterable<string> {
    return this.#heard.names();
  }

  /** The stream to which its client whispers. */
  get whisperStream(): string | undefined {
    return this.#whisperStream;
  }

  /** Every stream of which its client is told something. */
  get shownStreams(): Iterable<string> {
    const { presenceStream } = this;
    return new Set([...this.streams, ...(presenceStream === undefined ? [] : [presenceStream])]);
  }

  /** The streams on which its actions say something. */
  get publishedStreams(): Iterable<string> {
    return this.definition.publishesTo?.(this.face) ?? this.streams;
  }

  /** The stream on which its presence lives. */
  get presenceStream(): string | undefined {
    return this.#presence?.stream;
  }

  // What the application does.

  streamFrom(stream: string, { whisper = false }: { readonly whisper?: boolean } = {}): void {
    if (this.closed) return;
    this.#heard.add(stream);
    if (whisper) this.#whisperStream = stream;
  }

  stopStream(stream: string): void {
    this.#heard.delete(stream);
    if (this.#whisperStream === stream) this.#whisperStream = undefined;
  }

  presenceFrom(stream: string): void {
    if (this.closed || this.#presence?.stream === stream) return;
    checkStream(stream, this.#services.limits.streamBytesMax);
    this.#endPresence();
    this.#presence = this.#newPresence(stream);
    if (this.#phase === "live") this.#presence.attach();
  }

  transmit(data: unknown): void {
    const frame = frames.message(this.identifier, new JsonText(JSON.stringify(data)));
    this.#whenConfirmed(() => this.#host.send(frame));
  }

  join(id: string | number, info: unknown): void {
    this.#join(String(id), info, true);
  }

  leave(): void {
    const { presenceStream: stream } = this;
    if (stream !== undefined) this.#whenConfirmed(() => this.#host.presence.leave(stream));
  }

  presence(): frames.PresenceRecord[] {
    const held = this.#presence;
    if (held === undefined) throw new NoPresenceStreamError();
    return held.records();
  }

  /** As `presence`, as the client is told; or how many. @throws {NoPresenceStreamError} */
  presenceInfo(withRecords: boolean): JsonText {
    if (this.#presence === undefined) throw new NoPresenceStreamError();
    return this.#presence.info(withRecords);
  }

  // What the session does.

  /** The client makes itself present. Errors as of `SessionPresence.join`. */
  clientJoin(id: string, info: unknown): void {
    this.#join(id, info, false);
  }

  /** Tells the client that it is subscribed, and from then on what it is subscribed to. */
  confirm(history: HistoryRequest | undefined): void {
    this.#phase = "live";
    this.#heard.start();
    this.#presence?.attach();
    this.#host.send(frames.confirmSubscription(this.identifier));
    if (history !== undefined) this.replay(history);
  }

  /** Does what waited for the confirmation. */
  settle(): void {
    for (const run of this.#waiting.splice(0)) run();
  }

  /** Sends what the client has missed, or says that it cannot be told. */
  replay(history: HistoryRequest): void {
    const isKnown = this.#heard.replay(history);
    this.#goOn();
    const { identifier } = this;
    this.#host.send(isKnown ? frames.confirmHistory(identifier) : frames.rejectHistory(identifier));
  }

  /** Sends what the client says to the others, if there is a stream to which it may whisper. */
  whisper(data: unknown): void {
    const stream = this.#whisperStream;
    if (stream !== undefined)
      this.#services.streams.whisper(stream, new JsonText(JSON.stringify(data)), this.#host.sid);
  }

  /** The connection is gone, and may come back. */
  pause(): void {
    if (this.#phase !== "live" && this.#phase !== "paused") return;
    this.#phase = "paused";
    this.#heard.pause();
    this.#presence?.detach();
  }

  /** Whether a client that comes back can be told all that it missed of presence. */
  get resumable(): boolean {
    return this.#phase === "paused" && (this.#presence?.resumable ?? true);
  }

  /** Whether another node can tell it so. */
  get portable(): boolean {
    return this.resumable && (this.#presence === undefined || this.#presence.known() !== undefined);
  }

  /** The connection is back, and its client knows of it: it hears of everything that is not in the history. */
  resume(): void {
    this.#heard.resume();
    this.#presence?.attach();
    this.#presence?.catchUp();
  }

  /** The client did not say where it was: it gets what came since its connection broke. */
  goOnWithoutHistory(): void {
    this.#heard.replayFromTails();
    this.#goOn();
  }

  /** All that was sent up to the ping has arrived. */
  confirmed(number: number): void {
    this.#presence?.confirmed(number);
  }

  pinged(number: number): void {
    this.#presence?.pinged(number);
  }

  /** Ends it here; its presence stays or goes with the session's. */
  end(): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#waiting = [];
    this.#heard.end();
    this.#endPresence();
  }

  export(): SubscriptionState {
    const { identifier, channel, params, state } = this;
    const presence = this.#presence;
    return {
      identifier,
      channel,
      params,
      state,
      streams: this.#heard.names(),
      whisperStream: this.#whisperStream,
      tails: this.#heard.tails(),
      presence: presence === undefined ? undefined : { stream: presence.stream, known: presence.known() },
    };
  }

  /** Goes on with what another node had. */
  import({ state, streams, whisperStream, tails, presence }: SubscriptionState): void {
    this.state = state;
    this.#heard.restore(streams, tails);
    this.#whisperStream = whisperStream;
    if (presence !== undefined) this.#presence = this.#newPresence(presence.stream, presence.known);
    this.#phase = "paused";
  }

  #goOn(): void {
    if (this.#phase === "paused") this.#phase = "live";
  }

  #newPresence(stream: string, known?: PresenceKnown): MissedPresence {
    const tell = (news: PresenceNews) => this.#host.send(news.frame.for(this.identifier));
    return new MissedPresence(this.#services.hub, stream, tell, known);
  }

  #endPresence(): void {
    this.#presence?.end();
    this.#presence = undefined;
  }

  #join(id: string, info: unknown, byServer: boolean): void {
    const stream = this.#presenceStreamOrThrow();
    const joining = { joinedBy: this.identifier, id, info, byServer };
    this.#whenConfirmed(() => this.#host.presence.join(stream, joining));
  }

  #presenceStreamOrThrow(): string {
    const { presenceStream } = this;
    if (presenceStream === undefined) throw new NoPresenceStreamError();
    return presenceStream;
  }

  #whenConfirmed(run: () => void): void {
    if (this.#phase === "subscribing") this.#waiting.push(run);
    else if (this.#phase !== "ended") run();
  }
}
