/**
 * Questions of one node to another, and their answers: each is answered, refused, lost with its link, or given up after
 * its time, exactly one of these. Nothing is asked twice: whoever asks knows whether that would be safe.
 */
import type { ReplicaId } from "@presently/crdt";
import { checkFunction } from "../arguments.ts";
import { InvalidArgumentError, PresentlyError } from "../errors.ts";
import { checkText, takePayload } from "../limits.ts";
import { reportRejection } from "../listener-call.ts";
import type { ReplyMessage, RequestMessage, Unnumbered } from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";

/** How a request ended. */
export type Answer =
  | { readonly ok: true; readonly payload: unknown }
  | { readonly ok: false; readonly error: RequestError };

/** Why a request has no answer. After `REQUEST_UNHANDLED` and `REQUESTS_MAX` it was not carried out; else it may have been. */
export type RequestErrorCode =
  | "REQUEST_TIMEOUT"
  | "PEER_UNREACHABLE"
  | "REQUEST_UNHANDLED"
  | "REQUEST_FAILED"
  | "REQUESTS_MAX";

const ADVICE: Readonly<Record<RequestErrorCode, string>> = {
  REQUEST_TIMEOUT: "it may or may not have been carried out: ask again only if that is safe",
  PEER_UNREACHABLE:
    "there is no link with it, or its link is full or was lost before the answer: ask another replica, or later",
  REQUEST_UNHANDLED: "nothing there answers on this channel: does it run the same application?",
  REQUEST_FAILED: "its handler threw",
  REQUESTS_MAX: "too many requests are open (option requestsMax): ask later",
};

/** A request that brought no answer; `replica`, `channel` and, if the handler there threw, `cause` say more. */
export class RequestError extends PresentlyError {
  readonly replica: ReplicaId;
  readonly channel: string;

  constructor(code: RequestErrorCode, replica: ReplicaId, channel: string, detail?: string) {
    super(code, `${replica} did not answer on ${channel}: ${detail ?? ADVICE[code]}`);
    this.replica = replica;
    this.channel = channel;
  }
}

/** Gives the answer to a request, once; what comes after that is ignored. */
export interface Responder {
  /** @throws {InvalidArgumentError} @throws {LimitError} for a payload that cannot be sent; the request stays open */
  reply(payload: unknown): void;
  /** `reason` is for the asker's log. */
  fail(reason: string): void;
}

/** Answers the requests of a channel through `responder`, now or later; what it throws is the answer `REQUEST_FAILED`. */
export type RequestHandler = (payload: unknown, from: ReplicaId, responder: Responder) => void;

interface OpenRequest {
  readonly to: ReplicaId;
  readonly channel: string;
  readonly expiresAt: Millis;
  readonly settled: (answer: Answer) => void;
}

const REASON_LENGTH_MAX = 200;

/** Sends a message; returns whether it is on its way. `lost` is called if it turns out later that it does not go out. */
export type Post = (
  to: ReplicaId,
  message: Unnumbered<RequestMessage | ReplyMessage>,
  lost: () => void,
) => boolean;

export class Requests {
  private readonly handlers = new Map<string, RequestHandler>();
  private readonly open = new Map<number, OpenRequest>();
  /** Requests of each peer that have no answer yet. */
  private readonly serving = new Map<ReplicaId, Set<number>>();
  private lastId = 0;
  /** When the next one is given up. */
  private expiresAt: Millis = Number.POSITIVE_INFINITY;
  private readonly settings: ReplicaSettings;
  private readonly post: Post;
  private readonly failed: (error: unknown, channel: string) => void;

  constructor(settings: ReplicaSettings, post: Post, failed: (error: unknown, channel: string) => void) {
    this.settings = settings;
    this.post = post;
    this.failed = failed;
  }

  /** @throws {InvalidArgumentError} if the channel is no topic, or is handled already */
  handle(channel: string, handler: RequestHandler): () => void {
    checkText("channel", channel, this.settings.topicBytesMax);
    checkFunction("handler", handler);
    if (this.handlers.has(channel))
      throw new InvalidArgumentError("channel", `${JSON.stringify(channel)} has a handler already`);
    this.handlers.set(channel, handler);
    return () => {
      if (this.handlers.get(channel) === handler) this.handlers.delete(channel);
    };
  }

  /** Answers when it is given up; `settled` is called exactly once, and not before this returns unless it failed at once. */
  ask(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    expiresAt: Millis,
    settled: (answer: Answer) => void,
  ): void {
    if (this.open.size >= this.settings.requestsMax) {
      settled(refusal("REQUESTS_MAX", to, channel));
      return;
    }
    const id = ++this.lastId;
    this.open.set(id, { to, channel, expiresAt, settled });
    this.expiresAt = Math.min(this.expiresAt, expiresAt);
    const unreachable = () => this.settle(id, refusal("PEER_UNREACHABLE", to, channel));
    if (!this.post(to, { type: "request", id, channel, payload }, unreachable)) unreachable();
  }

  /** A request of a peer, or of our own to ourselves. */
  serve(from: ReplicaId, { id, channel, payload }: Unnumbered<RequestMessage>): void {
    const answer = (outcome: ReplyMessage["outcome"], content: unknown): void => {
      this.post(from, { type: "reply", id, outcome, payload: content }, () => undefined);
    };
    const handler = this.handlers.get(channel);
    const serving = this.serving.get(from) ?? new Set<number>();
    if (handler === undefined || serving.size >= this.settings.requestsMax) {
      answer(handler === undefined ? "unhandled" : "busy", null);
      return;
    }
    this.serving.set(from, serving.add(id));
    const end = (): boolean => {
      if (serving.size === 1 && this.serving.get(from) === serving) this.serving.delete(from);
      return serving.delete(id);
    };
    const responder: Responder = {
      reply: (content) => {
        const taken = takePayload(channel, content, this.settings);
        if (end()) answer("ok", taken);
      },
      fail: (reason) => {
        if (end()) answer("failed", reason.slice(0, REASON_LENGTH_MAX));
      },
    };
    const failed = (error: unknown) => {
      this.failed(error, channel);
      responder.fail(error instanceof Error ? error.message : "its handler threw");
    };
    try {
      reportRejection(handler(payload, from, responder), failed);
    } catch (error) {
      failed(error);
    }
  }

  /** The answer to a request of ours; one that comes too late, or from somebody else, is nobody's. */
  answered(from: ReplicaId, { id, outcome, payload }: Unnumbered<ReplyMessage>): void {
    const request = this.open.get(id);
    if (request?.to !== from) return;
    const { to, channel } = request;
    if (outcome === "ok") this.settle(id, { ok: true, payload });
    else if (outcome === "busy") this.settle(id, refusal("REQUESTS_MAX", to, channel));
    else if (outcome === "unhandled") this.settle(id, refusal("REQUEST_UNHANDLED", to, channel));
    else this.settle(id, refusal("REQUEST_FAILED", to, channel, String(payload)));
  }

  /** The way to a replica is gone, and with it what it would have answered. */
  lost(replica: ReplicaId): void {
    for (const [id, { to, channel }] of this.open)
      if (to === replica) this.settle(id, refusal("PEER_UNREACHABLE", to, channel));
  }

  /** The link with a replica is gone: what it has asked counts no more among its open requests. */
  forget(replica: ReplicaId): void {
    this.serving.delete(replica);
  }

  /** Nobody will answer any more. */
  lostAll(): void {
    for (const [id, { to, channel }] of this.open) this.settle(id, refusal("PEER_UNREACHABLE", to, channel));
  }

  /** Gives up what has waited for too long; answers when it next wants to be called. Cost: O(open requests) if any is due. */
  tick(now: Millis): Millis {
    if (now < this.expiresAt) return this.expiresAt;
    this.expiresAt = Number.POSITIVE_INFINITY;
    for (const [id, { to, channel, expiresAt }] of this.open) {
      if (expiresAt <= now) this.settle(id, refusal("REQUEST_TIMEOUT", to, channel));
      else this.expiresAt = Math.min(this.expiresAt, expiresAt);
    }
    return this.expiresAt;
  }

  private settle(id: number, answer: Answer): void {
    const request = this.open.get(id);
    if (request === undefined) return;
    this.open.delete(id);
    if (this.open.size === 0) this.expiresAt = Number.POSITIVE_INFINITY;
    try {
      request.settled(answer);
    } catch (error) {
      this.failed(error, request.channel);
    }
  }
}

function refusal(code: RequestErrorCode, to: ReplicaId, channel: string, detail?: string): Answer {
  return { ok: false, error: new RequestError(code, to, channel, detail) };
}
