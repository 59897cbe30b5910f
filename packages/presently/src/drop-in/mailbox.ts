/** Runs tasks one after the other, as a process handles its messages: the next waits for what the last one awaits. */
import { checkFunction } from "@presently/replica";

/** Must neither throw nor reject: whoever posts it deals with failures. */
export type Task = () => undefined | Promise<void>;

/** Tasks that run one at a time, in the order in which they were posted. It has no bound: whoever posts looks at `size`. */
export class Mailbox {
  #tasks: Task[] = [];
  #busy = false;

  /** Tasks that wait for their turn. */
  get size(): number {
    return this.#tasks.length;
  }

  /** Runs the task at once if nothing is under way, and in its turn otherwise. */
  post(task: Task): void {
    checkFunction("task", task);
    this.#tasks.push(task);
    if (!this.#busy) this.#run();
  }

  /** Forgets the tasks that wait. */
  clear(): void {
    this.#tasks = [];
  }

  #run(): void {
    this.#busy = true;
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      const later = task();
      if (typeof later?.then !== "function") continue;
      void later.then(() => this.#run());
      return;
    }
    this.#busy = false;
  }
}
