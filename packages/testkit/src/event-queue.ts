/** What is to happen in virtual time, soonest first; of two things due at once, the one that was planned first. */

/** Something planned. `cancel` is cheap: the queue forgets it when its turn comes. */
export class Task {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;

  constructor(at: number, order: number, run: () => void) {
    this.at = at;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }
}

/** A binary heap. Cost: O(log size) to push and to pop. */
export class EventQueue {
  private heap: Task[] = [];
  private order = 0;

  /** How many tasks wait, cancelled ones included. */
  get size(): number {
    return this.heap.length;
  }

  push(at: number, run: () => void): Task {
    const task = new Task(at, this.order++, run);
    const { heap } = this;
    let index = heap.length;
    heap.push(task);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(task, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = task;
    return task;
  }

  /** The next task that was not cancelled; it stays in the queue. */
  peek(): Task | undefined {
    while (this.heap.length > 0 && this.heap[0]!.run === undefined) this.pop();
    return this.heap[0];
  }

  /** Takes the first task out. The queue must not be empty. */
  pop(): Task {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) this.sink(last);
    return first;
  }

  private sink(task: Task): void {
    const { heap } = this;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, task)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = task;
  }
}

function isBefore(one: Task, other: Task): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
