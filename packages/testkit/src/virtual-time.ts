/** Virtual time: nothing passes but what is asked for. Runs what is due in order, and jumps to what is next. */
import type { Millis } from "@presently/replica";
import { InvariantError } from "./errors.ts";
import { EventQueue, type Task } from "./event-queue.ts";

/** So many events at one instant are not a cluster that works, but one that goes round in circles. */
const EVENTS_PER_INSTANT_MAX = 100_000;

/** The time of a whole simulation and what is planned in it; things planned for the same instant run in the order of planning. */
export class VirtualTime {
  /** Milliseconds since the start, seen from outside: no node's clock shows it. */
  now: Millis = 0;
  /** Events that have run. */
  events = 0;
  private readonly queue = new EventQueue();
  private eventsAtNow = 0;

  /** Plans something for a time that is not in the past. */
  schedule(at: Millis, run: () => void): Task {
    return this.queue.push(at > this.now ? at : this.now, run);
  }

  /** Lets so much time pass. */
  advance(durationMs: Millis): void {
    const end = this.now + durationMs;
    for (let next = this.queue.peek(); next !== undefined && next.at <= end; next = this.queue.peek()) {
      this.step(next);
    }
    this.now = end;
  }

  /** Lets time pass until `done` answers true, looking every `stepMs`; answers how long it took, or undefined after `limitMs`. */
  advanceUntil(done: () => boolean, limitMs: Millis, stepMs: Millis = 10): Millis | undefined {
    const start = this.now;
    while (!done()) {
      if (this.now - start >= limitMs) return undefined;
      this.advance(Math.min(stepMs, limitMs - (this.now - start)));
    }
    return this.now - start;
  }

  private step(task: Task): void {
    this.queue.pop();
    if (task.at > this.now) {
      this.now = task.at;
      this.eventsAtNow = 0;
    } else if (++this.eventsAtNow > EVENTS_PER_INSTANT_MAX) {
      throw new InvariantError("progress", `${EVENTS_PER_INSTANT_MAX} events at ${this.now} ms, and no end`);
    }
    this.events++;
    task.run!();
  }
}
