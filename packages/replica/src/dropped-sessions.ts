/** Sessions that have dropped without leaving, until they are given up. */
import type { Millis } from "./outbox.ts";
import type { AnySession as Session } from "./session.ts";

interface Waiting {
  readonly session: Session;
  readonly until: Millis;
}

export class DroppedSessions {
  /** Dropped since the last look at the clock: their time runs from the next one. */
  private fresh: Session[] = [];
  /** Ascending by `until`. */
  private queue: Waiting[] = [];
  private head = 0;

  add(session: Session): void {
    this.fresh.push(session);
  }

  /** All that have not been given up, those that hold nothing any more among them. */
  *all(): Iterable<Session> {
    for (let index = this.head; index < this.queue.length; index++) yield this.queue[index]!.session;
    yield* this.fresh;
  }

  /** Starts the time of those that have just dropped; answers when the first one is to be given up. */
  start(now: Millis): Millis {
    for (const session of this.fresh) this.insert({ session, until: now + session.lingerMs });
    this.fresh = [];
    return this.queue[this.head]?.until ?? Number.POSITIVE_INFINITY;
  }

  /** Takes out the next one whose time is over. */
  takeDue(now: Millis): Session | undefined {
    const next = this.queue[this.head];
    if (next === undefined || next.until > now) return undefined;
    this.queue[this.head++] = undefined as never;
    if (this.head > 32 && this.head * 2 > this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    return next.session;
  }

  /** Most sessions of a node linger for the same time: then it is an append. */
  private insert(waiting: Waiting): void {
    let index = this.queue.length;
    while (index > this.head && this.queue[index - 1]!.until > waiting.until) index--;
    if (index === this.queue.length) this.queue.push(waiting);
    else this.queue.splice(index, 0, waiting);
  }
}
