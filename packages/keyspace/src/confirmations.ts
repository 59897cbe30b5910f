/** Who else holds what was written here? Asked of a peer after the push, on the same link; many writers share one question. */
import type { ReplicaId } from "presently";

interface Waiting {
  number: number;
  readonly answer: Promise<boolean>;
}

export class Confirmations {
  private readonly running = new Map<ReplicaId, Promise<boolean>>();
  private readonly waiting = new Map<ReplicaId, Waiting>();
  private readonly ask: (peer: ReplicaId, number: number) => Promise<boolean>;

  /** `ask` answers whether the peer holds our events up to that number; it never rejects. */
  constructor(ask: (peer: ReplicaId, number: number) => Promise<boolean>) {
    this.ask = ask;
  }

  /** Whether the peer holds our events up to `number`. At most one question to each peer is under way. */
  confirm(peer: ReplicaId, number: number): Promise<boolean> {
    const running = this.running.get(peer);
    if (running === undefined) return this.run(peer, number);
    const waiting = this.waiting.get(peer);
    if (waiting !== undefined) {
      waiting.number = Math.max(waiting.number, number);
      return waiting.answer;
    }
    const next: Waiting = {
      number,
      answer: running.then(() => {
        this.waiting.delete(peer);
        return this.run(peer, next.number);
      }),
    };
    this.waiting.set(peer, next);
    return next.answer;
  }

  private run(peer: ReplicaId, number: number): Promise<boolean> {
    const answer = this.ask(peer, number).finally(() => {
      if (this.running.get(peer) === answer) this.running.delete(peer);
    });
    this.running.set(peer, answer);
    return answer;
  }
}
