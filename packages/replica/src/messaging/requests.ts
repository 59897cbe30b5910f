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
import type { LostReason } from "./lane.ts";

/** How a request ended. */
export type Answer =
  | { readonly ok: true; readonly payload: unknown }
  | { readonly ok: false; readonly error: RequestError };

/**
 * What became of a question to several: who answered what, and why each of the others did not. Every replica that was asked is
 * in one of the two.
 */
export interface Answers {
  readonly answers: ReadonlyMap<ReplicaId, unknown>;
  readonly unanswered: ReadonlyMap<ReplicaId, RequestError>;
}

/**
 * Why a request has no answer. After `REQUEST_UNHANDLED` and `REQUESTS_MAX` it was not carried out; else it may have been.
 */
export type RequestErrorCode =
  | "REQUEST_TIMEOUT"
  | "PEER_UNREACHABLE"
  | "PEER_SUSPECT"
  | "REQUEST_LOST"
  | "REQUEST_REFUSED"
  | "REQUEST_UNHANDLED"
  | "REQUEST_FAILED"
  | "REQUESTS_MAX";

const ADVICE: Readonly<Record<RequestErrorCode, string>> = {
  REQUEST_TIMEOUT: "it may or may not have been carried out: ask again only if that is safe",
  PEER_UNREACHABLE:
    "there is no way to it, or the way is full or was lost before the answer: ask another replica, or later",
  PEER_SUSPECT: "it has not been heard for a while, and may be down: ask another replica, or later",
  REQUEST_LOST: "the request or its answer was lost on its way: ask again only if that is safe",
  REQUEST_REFUSED:
    "the request or its answer is too large there (messageBytesMax), or there is no room for it now (messagePartsBytesMax)",
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

/** A question that some have not answered yet. */
interface Question {
  readonly channel: string;
  readonly expiresAt: Millis;
  readonly waiting: Set<ReplicaId>;
  readonly settled: (replica: ReplicaId, answer: Answer) => void;
}

const REASON_LENGTH_MAX = 200;

const CODES: Readonly<Record<LostReason, RequestErrorCode>> = {
  unreachable: "PEER_UNREACHABLE",
  lost: "REQUEST_LOST",
  late: "REQUEST_LOST",
  refused: "REQUEST_REFUSED",
};

const REFUSALS: Readonly<Record<Exclude<ReplyMessage["outcome"], "ok">, RequestErrorCode>> = {
  failed: "REQUEST_FAILED",
  unhandled: "REQUEST_UNHANDLED",
  busy: "REQUESTS_MAX",
  lost: "REQUEST_LOST",
  refused: "REQUEST_REFUSED",
};

/** Gives a message to those who listen. */
export type Delivery = (channel: string, payload: unknown, from: ReplicaId) => void;

export interface RequestsPort {
  /** Sends a message to each of these; `lost` is called for those whom it does not reach, at once or later. */
  readonly post: (
    to: Iterable<ReplicaId>,
    message: Unnumbered<RequestMessage | ReplyMessage>,
    lost: (replica: ReplicaId, reason: LostReason) => void,
  ) => void;
  readonly deliver: Delivery;
  /** A handler threw. */
  readonly failed: (error: unknown, channel: string) => void;
}

export class Requests {
  private readonly handlers = new Map<string, RequestHandler>();
  private readonly open = new Map<number, Question>();
  /** Answers that are waited for. */
  private openCount = 0;
  /** Requests of each peer that have no answer yet. */
  private readonly serving = new Map<ReplicaId, Set<number>>();
  private lastId = 0;
  /** When the next one is given up. */
  private expiresAt: Millis = Number.POSITIVE_INFINITY;
  private readonly settings: ReplicaSettings;
  private readonly port: RequestsPort;

  constructor(settings: ReplicaSettings, port: RequestsPort) {
    this.settings = settings;
    this.port = port;
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

  /**
   * Asks some replicas; `settled` is called exactly once for each of them.
   *
   * @param isMessage it is for those who listen to messages, and answered once they have it
   */
  ask(
    to: ReadonlySet<ReplicaId>,
    { channel, payload, isMessage }: Pick<RequestMessage, "channel" | "payload" | "isMessage">,
    expiresAt: Millis,
    settled: (replica: ReplicaId, answer: Answer) => void,
  ): void {
    if (this.openCount + to.size > this.settings.requestsMax) {
      for (const replica of to)
        this.tell({ channel, settled }, replica, refusal("REQUESTS_MAX", replica, channel));
      return;
    }
    const id = ++this.lastId;
    this.open.set(id, { channel, expiresAt, waiting: new Set(to), settled });
    this.openCount += to.size;
    this.expiresAt = Math.min(this.expiresAt, expiresAt);
    this.port.post(to, { type: "request", id, channel, payload, isMessage }, (replica, reason) =>
      this.refuse(id, replica, CODES[reason]),
    );
  }

  /** A request of a peer, or of our own to ourselves. */
  serve(from: ReplicaId, { id, channel, payload, isMessage }: Unnumbered<RequestMessage>): void {
    const answer = (outcome: ReplyMessage["outcome"], content: unknown): void => {
      this.port.post([from], { type: "reply", id, outcome, payload: content }, (_, reason) => {
        // Who has lost the way to us knows that.
        if (reason !== "unreachable" && outcome === "ok")
          answer(reason === "refused" ? "refused" : "lost", null);
      });
    };
    if (isMessage) {
      this.port.deliver(channel, payload, from);
      answer("ok", null);
      return;
    }
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
      this.port.failed(error, channel);
      responder.fail(error instanceof Error ? error.message : "its handler threw");
    };
    try {
      reportRejection(handler(payload, from, responder), failed);
    } catch (error) {
      failed(error);
    }
  }

  /** The answer to a request of ours; one that comes too late, or from a replica that was not asked, is nobody's. */
  answered(from: ReplicaId, { id, outcome, payload }: Unnumbered<ReplyMessage>): void {
    if (outcome === "ok") this.settle(id, from, { ok: true, payload });
    else this.refuse(id, from, REFUSALS[outcome], outcome === "failed" ? String(payload) : undefined);
  }

  /** The way to a replica is gone, or it is doubted: its answers are not waited for. Cost: O(open requests). */
  lost(replica: ReplicaId, code: "PEER_UNREACHABLE" | "PEER_SUSPECT"): void {
    for (const id of [...this.open.keys()]) this.refuse(id, replica, code);
  }

  /** The link with a replica is gone: what it has asked counts no more among its open requests. */
  forget(replica: ReplicaId): void {
    this.serving.delete(replica);
  }

  /** Nobody will answer any more. */
  lostAll(): void {
    for (const [id, { waiting }] of [...this.open])
      for (const replica of [...waiting]) this.refuse(id, replica, "PEER_UNREACHABLE");
  }

  /** Gives up what has waited for too long; returns when it next wants to be called. Cost: O(open requests) if any is due. */
  tick(now: Millis): Millis {
    if (now < this.expiresAt) return this.expiresAt;
    this.expiresAt = Number.POSITIVE_INFINITY;
    for (const [id, { waiting, expiresAt }] of [...this.open]) {
      if (expiresAt > now) this.expiresAt = Math.min(this.expiresAt, expiresAt);
      else for (const replica of [...waiting]) this.refuse(id, replica, "REQUEST_TIMEOUT");
    }
    return this.expiresAt;
  }

  private refuse(id: number, replica: ReplicaId, code: RequestErrorCode, detail?: string): void {
    const question = this.open.get(id);
    if (question?.waiting.has(replica))
      this.settle(id, replica, refusal(code, replica, question.channel, detail));
  }

  private settle(id: number, replica: ReplicaId, answer: Answer): void {
    const question = this.open.get(id);
    if (!question?.waiting.delete(replica)) return;
    this.openCount--;
    if (question.waiting.size === 0) this.open.delete(id);
    if (this.open.size === 0) this.expiresAt = Number.POSITIVE_INFINITY;
    this.tell(question, replica, answer);
  }

  private tell(
    { channel, settled }: Pick<Question, "channel" | "settled">,
    replica: ReplicaId,
    answer: Answer,
  ): void {
    try {
      settled(replica, answer);
    } catch (error) {
      this.port.failed(error, channel);
    }
  }
}

function refusal(code: RequestErrorCode, to: ReplicaId, channel: string, detail?: string): Answer {
  return { ok: false, error: new RequestError(code, to, channel, detail) };
}
