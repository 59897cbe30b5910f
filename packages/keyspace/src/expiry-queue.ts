/** Which key is due next? A binary heap; a key whose deadline has moved stays in it until it comes up and is looked at. */

interface Due {
  readonly key: string;
  readonly atMs: number;
}

export class ExpiryQueue {
  private readonly heap: Due[] = [];

  /** Cost: O(log size). */
  add(key: string, atMs: number): void {
    const { heap } = this;
    let index = heap.length;
    heap.push({ key, atMs });
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.atMs <= heap[index]!.atMs) break;
      this.swap(index, parent);
      index = parent;
    }
  }

  /** When the next key is due; infinity if none is. */
  get nextMs(): number {
    return this.heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Takes out a key that is due; undefined if none is. Cost: O(log size). */
  take(nowMs: number): string | undefined {
    const first = this.heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = this.heap.pop()!;
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.sink();
    }
    return first.key;
  }

  private sink(): void {
    const { heap } = this;
    let index = 0;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2])
        if (child < heap.length && heap[child]!.atMs < heap[least]!.atMs) least = child;
      if (least === index) return;
      this.swap(index, least);
      index = least;
    }
  }

  private swap(one: number, other: number): void {
    const { heap } = this;
    [heap[one], heap[other]] = [heap[other]!, heap[one]!];
  }
}
