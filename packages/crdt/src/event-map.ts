/**
 * Values by event number, as a map would hold them, at a third of its time and a quarter of its memory.
 *
 * Event numbers are given out one after the other, and most of what is added together is removed together. So values
 * lie in pages of neighbouring numbers: no hashing, and no table that is copied as a whole when it grows, which with a
 * million entries would hold up everything else. A page lives as long as one value of it. Values that go at random leave
 * pages that are partly empty: while entries are replaced over and over, about 50 bytes for each that is left; at worst,
 * with one value in each page, 350.
 */
import type { EventNumber } from "./dot.ts";

/** A power of two. Larger pages cost less while they are full, and more once they are not. */
const PAGE_SIZE = 32;

interface Page<V> {
  readonly slots: (V | undefined)[];
  size: number;
  /** Changed in place only by the freeze that it was made after: earlier ones still read it. */
  readonly freeze: number;
}

/** What a map held at one time, whatever has become of it since. Costs a reference for each page, and the pages that change. */
export class FrozenEvents<V> {
  private readonly pages: readonly (readonly [number, Page<V>])[];
  private readonly upTo: EventNumber;

  constructor(pages: readonly (readonly [number, Page<V>])[], upTo: EventNumber) {
    this.pages = pages;
    this.upTo = upTo;
  }

  /** How many there are above a number. Cost: O(pages). */
  countAbove(above: EventNumber): number {
    let count = 0;
    for (const [pageNumber, page] of this.pages) {
      const first = pageNumber * PAGE_SIZE;
      if (first > above && first + PAGE_SIZE - 1 <= this.upTo) count += page.size;
      else
        for (let offset = 0; offset < PAGE_SIZE; offset++)
          if (page.slots[offset] !== undefined && first + offset > above && first + offset <= this.upTo)
            count++;
    }
    return count;
  }

  /** Those above a number, ascending. */
  *above(above: EventNumber): IterableIterator<readonly [EventNumber, V]> {
    for (const [pageNumber, { slots }] of this.pages) {
      const first = pageNumber * PAGE_SIZE;
      if (first + PAGE_SIZE <= above) continue;
      for (let offset = 0; offset < PAGE_SIZE; offset++) {
        const value = slots[offset];
        if (value !== undefined && first + offset > above && first + offset <= this.upTo)
          yield [first + offset, value];
      }
    }
  }
}

/** A map from event numbers to values other than undefined, in the order in which their pages came to be. */
export class EventMap<V> implements ReadonlyMap<EventNumber, V> {
  private readonly pages = new Map<number, Page<V>>();
  /** The page that was written last, and its number: local events go there again and again. */
  private lastNumber = -1;
  private last: Page<V> | undefined = undefined;
  private count = 0;
  private freezes = 0;

  get size(): number {
    return this.count;
  }

  has(number: EventNumber): boolean {
    return this.get(number) !== undefined;
  }

  /** Cost: O(1), as for the next two. */
  get(number: EventNumber): V | undefined {
    return this.pageAt(pageOf(number))?.slots[number % PAGE_SIZE];
  }

  /** Must be absent. */
  insert(number: EventNumber, value: V): void {
    const page = this.writable(pageOf(number)) ?? this.newPage(pageOf(number));
    page.slots[number % PAGE_SIZE] = value;
    page.size++;
    this.count++;
  }

  /** Takes a value out, and returns it; undefined if there is none. */
  take(number: EventNumber): V | undefined {
    const value = this.get(number);
    if (value === undefined) return undefined;
    const page = this.writable(pageOf(number))!;
    page.slots[number % PAGE_SIZE] = undefined;
    this.count--;
    if (--page.size === 0) this.dropPage(pageOf(number));
    return value;
  }

  /** What is removed meanwhile is not come upon any more; what is added may be. */
  *entries(): MapIterator<[EventNumber, V]> {
    for (const [pageNumber, { slots }] of this.pages) {
      for (let offset = 0; offset < PAGE_SIZE; offset++) {
        const value = slots[offset];
        if (value !== undefined) yield [pageNumber * PAGE_SIZE + offset, value];
      }
    }
  }

  *keys(): MapIterator<EventNumber> {
    for (const [number] of this.entries()) yield number;
  }

  *values(): MapIterator<V> {
    for (const { slots } of this.pages.values())
      for (const value of slots) if (value !== undefined) yield value;
  }

  forEach(call: (value: V, number: EventNumber, map: ReadonlyMap<EventNumber, V>) => void): void {
    for (const [number, value] of this.entries()) call(value, number, this);
  }

  [Symbol.iterator](): MapIterator<[EventNumber, V]> {
    return this.entries();
  }

  /** All up to a number as they are now. Cost: O(pages). */
  freeze(upTo: EventNumber): FrozenEvents<V> {
    this.freezes++;
    const pages = [...this.pages];
    // What is given out by ourselves comes in order; what was staged may have come in another.
    if (pages.some(([number], index) => index > 0 && number < pages[index - 1]![0]))
      pages.sort(([one], [other]) => one - other);
    return new FrozenEvents(pages, upTo);
  }

  private writable(pageNumber: number): Page<V> | undefined {
    const page = this.pageAt(pageNumber);
    if (page === undefined || page.freeze === this.freezes) return page;
    const copy: Page<V> = { slots: page.slots.slice(), size: page.size, freeze: this.freezes };
    this.pages.set(pageNumber, copy);
    this.lastNumber = pageNumber;
    this.last = copy;
    return copy;
  }

  private pageAt(pageNumber: number): Page<V> | undefined {
    return pageNumber === this.lastNumber ? this.last : this.pages.get(pageNumber);
  }

  private newPage(pageNumber: number): Page<V> {
    const slots = new Array<V | undefined>(PAGE_SIZE).fill(undefined);
    const page: Page<V> = { slots, size: 0, freeze: this.freezes };
    this.pages.set(pageNumber, page);
    this.lastNumber = pageNumber;
    this.last = page;
    return page;
  }

  private dropPage(pageNumber: number): void {
    this.pages.delete(pageNumber);
    if (pageNumber !== this.lastNumber) return;
    this.lastNumber = -1;
    this.last = undefined;
  }
}

/** Event numbers outgrow what bit operations can take. */
function pageOf(number: EventNumber): number {
  return Math.floor(number / PAGE_SIZE);
}
