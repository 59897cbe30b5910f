/**
 * What this client says of itself in one room, and how much of it the server has heard.
 *
 * However often it changes, at most one update is on its way, and the next carries the newest. So nothing has to be kept but
 * the newest, whatever happens to the connection: the next join carries it.
 */
import { ClientError } from "./errors.ts";
import type { Meta } from "./person.ts";
import { sameJson } from "./person.ts";

/** What the server said to something that was sent, if it said anything in time. */
export interface Answer {
  readonly status: "ok" | "error" | "timeout";
  readonly reason?: string | undefined;
}

export interface OwnMetaOptions<M extends Meta> {
  readonly topic: string;
  readonly initial: M;
  /** Whether an update can be sent at this moment; if not, the next join carries what it would have said. */
  readonly canSend: () => boolean;
  /** Sends an update; the answer is told to `answered`. */
  readonly send: (meta: M, answered: (answer: Answer) => void) => void;
  readonly onChanged: () => void;
  readonly onRefused: (error: ClientError) => void;
}

interface Waiter {
  readonly promise: Promise<boolean>;
  readonly resolve: (confirmed: boolean) => void;
  readonly reject: (error: ClientError) => void;
}

export class OwnMeta<M extends Meta> {
  readonly #options: OwnMetaOptions<M>;
  #latest: M;
  /** What the server has accepted last; it holds if something newer is refused. */
  #confirmed: M | undefined;
  /** Whether the server may have something else by now: an update that was never answered may have arrived. */
  #uncertain = false;
  /** What is on its way: with a join, or as an update. */
  #sent: { readonly meta: M; readonly waiter: Waiter | undefined } | undefined;
  /** Everybody who waits for what was not sent yet; they all wait for the same. */
  #waiter: Waiter | undefined;
  #joined = false;

  constructor(options: OwnMetaOptions<M>) {
    this.#options = options;
    this.#latest = options.initial;
  }

  get latest(): M {
    return this.#latest;
  }

  /** @returns true once the server has accepted it, or what it became since; false if the room was left first */
  change(next: M): Promise<boolean> {
    if (!sameJson(next, this.#latest)) {
      this.#latest = next;
      this.#options.onChanged();
    }
    this.#waiter ??= newWaiter();
    const { promise } = this.#waiter;
    this.#send();
    return promise;
  }

  /** What the join that is about to be sent has to carry. */
  forJoin(): M {
    // An update of before the connection broke is made good by this join.
    this.#joined = false;
    this.#sent = { meta: this.#latest, waiter: this.#merged() };
    return this.#latest;
  }

  joined(): void {
    this.#joined = true;
    this.#answered({ status: "ok" });
  }

  /** Whether the refused join can be tried with what was accepted before: then it was the update that was refused. */
  joinRefused(reason: string | undefined): boolean {
    const sent = this.#sent;
    if (this.#confirmed === undefined || sent === undefined || sameJson(sent.meta, this.#confirmed))
      return false;
    this.#answered({ status: "error", reason });
    return true;
  }

  /** The connection is gone, with whatever was on its way. */
  lost(): void {
    this.#joined = false;
    if (this.#sent === undefined) return;
    this.#waiter = this.#merged();
    this.#sent = undefined;
  }

  /** The room was left: nobody waits any more. */
  close(): void {
    this.#joined = false;
    this.#merged()?.resolve(false);
    this.#sent = undefined;
    this.#waiter = undefined;
  }

  #send(): void {
    if (!this.#joined || this.#sent !== undefined) return;
    // What changed and changed back needs no update.
    if (!this.#uncertain && sameJson(this.#latest, this.#confirmed)) {
      this.#waiter?.resolve(true);
      this.#waiter = undefined;
      return;
    }
    if (!this.#options.canSend()) return;
    const sent = { meta: this.#latest, waiter: this.#waiter };
    this.#sent = sent;
    this.#waiter = undefined;
    this.#options.send(sent.meta, (answer) => {
      // An answer that comes after the connection broke is about an update that a join has made good since.
      if (this.#sent === sent) this.#answered(answer);
    });
  }

  #answered({ status, reason }: Answer): void {
    const sent = this.#sent;
    if (sent === undefined) return;
    if (status === "timeout") {
      this.lost();
      this.#joined = true;
      this.#uncertain = true;
    } else {
      this.#sent = undefined;
      if (status === "ok") this.#accepted(sent.meta, sent.waiter);
      else this.#refused(sent.meta, sent.waiter, reason);
    }
    this.#send();
  }

  #accepted(meta: M, waiter: Waiter | undefined): void {
    this.#confirmed = meta;
    this.#uncertain = false;
    waiter?.resolve(true);
  }

  #refused(meta: M, waiter: Waiter | undefined, reason: string | undefined): void {
    const { topic, onChanged, onRefused } = this.#options;
    const message = `the server refused what this client says of itself in ${topic}: ${reason ?? "no reason given"}`;
    const error = new ClientError("UPDATE_REFUSED", message, {
      topic,
      ...(reason !== undefined && { reason }),
    });
    waiter?.reject(error);
    // Unless something newer was said since, what was said before holds, and nothing is left to be sent.
    if (this.#latest === meta && this.#confirmed !== undefined) {
      this.#latest = this.#confirmed;
      this.#waiter?.reject(error);
      this.#waiter = undefined;
      onChanged();
    }
    onRefused(error);
  }

  /** One waiter for those of what is on its way and those of what is not. */
  #merged(): Waiter | undefined {
    const onItsWay = this.#sent?.waiter;
    const waiting = this.#waiter;
    this.#waiter = undefined;
    if (onItsWay === undefined) return waiting;
    if (waiting !== undefined) onItsWay.promise.then(waiting.resolve, waiting.reject);
    return onItsWay;
  }
}

function newWaiter(): Waiter {
  let settle: Omit<Waiter, "promise"> | undefined;
  const promise = new Promise<boolean>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle! };
}
