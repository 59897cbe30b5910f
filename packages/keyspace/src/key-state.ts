/** All that is known of one key, by what it is about. */
import { isNewer, type PlacedItem } from "./item.ts";
import { type IsAlive, Slot } from "./slot.ts";

/** What a key holds. Written as different types at once, it is of the first of: list, hash, set, string. */
export type KeyType = "string" | "hash" | "set" | "list" | "none";

export class KeyState {
  readonly text = new Slot();
  readonly fields = new Map<string, Slot>();
  readonly members = new Map<string, PlacedItem[]>();
  /** In order: first to last. */
  readonly elements: PlacedItem[] = [];
  readonly expiries: PlacedItem[] = [];
  /** How many fields, members and elements there are by their `since`: hardly ever more than one. */
  private readonly births = new Map<number, number>();

  insert(placed: PlacedItem): void {
    const { kind, field } = placed.item;
    this.countBirth(placed, 1);
    if (kind === "string") this.text.registers.push(placed);
    else if (kind === "count") this.text.counts.push(placed);
    else if (kind === "field") this.slot(field).registers.push(placed);
    else if (kind === "fieldCount") this.slot(field).counts.push(placed);
    else if (kind === "expiry") this.expiries.push(placed);
    else if (kind === "element") this.elements.splice(this.indexOf(placed), 0, placed);
    else {
      const items = this.members.get(field);
      if (items === undefined) this.members.set(field, [placed]);
      else items.push(placed);
    }
  }

  delete(placed: PlacedItem): void {
    const { kind, field } = placed.item;
    this.countBirth(placed, -1);
    if (kind === "string") take(this.text.registers, placed);
    else if (kind === "count") take(this.text.counts, placed);
    else if (kind === "expiry") take(this.expiries, placed);
    else if (kind === "element") {
      const index = this.indexOf(placed);
      if (this.elements[index] !== undefined && same(this.elements[index]!, placed))
        this.elements.splice(index, 1);
    } else if (kind === "member") {
      const items = this.members.get(field);
      if (items === undefined) return;
      take(items, placed);
      if (items.length === 0) this.members.delete(field);
    } else {
      const slot = this.slot(field);
      take(kind === "field" ? slot.registers : slot.counts, placed);
      if (slot.isEmpty) this.fields.delete(field);
    }
  }

  /** Whether nothing is left, not even an expiry. */
  get isEmpty(): boolean {
    return this.holdsNothing && this.expiries.length === 0;
  }

  /** Whether nothing but perhaps an expiry is left. */
  get holdsNothing(): boolean {
    return (
      this.elements.length === 0 && this.fields.size === 0 && this.members.size === 0 && this.text.isEmpty
    );
  }

  /** What shows of it. Cost: O(1), but for bound items of processes that are gone. */
  type(isAlive: IsAlive): KeyType {
    if (this.elements.length > 0) return "list";
    for (const slot of this.fields.values()) if (slot.text(isAlive) !== undefined) return "hash";
    for (const items of this.members.values()) if (shows(items, isAlive)) return "set";
    return this.text.text(isAlive) === undefined ? "none" : "string";
  }

  /**
   * When what shows expires by our own clock; infinity if never. The newest expiry counts, unless what shows was set, or
   * began anew, after it: an expiry belongs to the write that set it.
   */
  get deadlineMs(): number {
    const expiry = newestOf(this.expiries);
    if (expiry === undefined) return Number.POSITIVE_INFINITY;
    const applies = this.births.size > 0 ? this.endsRest(expiry) : this.endsText(expiry);
    return applies ? expiry.item.deadlineMs : Number.POSITIVE_INFINITY;
  }

  /** What goes when its time is up: all but what an expiry has no hold on. */
  get due(): Iterable<PlacedItem> {
    const expiry = newestOf(this.expiries);
    if (expiry === undefined) return [];
    const due = [...this.expiries];
    const { registers, counts } = this.text;
    // Beside a text that ends, what was counted after a new beginning is not its own.
    if (this.endsText(expiry))
      due.push(
        ...registers,
        ...counts.filter(({ item }) => registers.length === 0 || item.since <= expiry.item.stamp),
      );
    if (this.endsRest(expiry)) due.push(...this.rest());
    return due;
  }

  /** Since when it holds a text or count, or (`rest`) fields, members or elements; undefined if it does not. */
  since(part: "text" | "rest"): number | undefined {
    const { registers, counts } = this.text;
    const births = part === "rest" ? [...this.births.keys()] : counts.map(({ item }) => item.since);
    const register = part === "text" ? newestOf(registers) : undefined;
    if (register !== undefined) return register.item.stamp;
    return births.length === 0 ? undefined : Math.min(...births);
  }

  /** Every item, expiries included. */
  *items(): Iterable<PlacedItem> {
    yield* this.text.items;
    yield* this.rest();
    yield* this.expiries;
  }

  private *rest(): Iterable<PlacedItem> {
    for (const slot of this.fields.values()) yield* slot.items;
    for (const items of this.members.values()) yield* items;
    yield* this.elements;
  }

  /** Of one write, the expiry comes after the text. */
  private endsText(expiry: PlacedItem): boolean {
    const register = newestOf(this.text.registers);
    return register === undefined
      ? expiry.item.stamp >= (this.since("text") ?? 0)
      : isNewer(expiry, register);
  }

  private endsRest(expiry: PlacedItem): boolean {
    return expiry.item.stamp >= (this.since("rest") ?? 0);
  }

  private countBirth({ item: { kind, since } }: PlacedItem, by: 1 | -1): void {
    if (kind === "string" || kind === "count" || kind === "expiry") return;
    const count = (this.births.get(since) ?? 0) + by;
    if (count === 0) this.births.delete(since);
    else this.births.set(since, count);
  }

  private slot(field: string): Slot {
    let slot = this.fields.get(field);
    if (slot === undefined) {
      slot = new Slot();
      this.fields.set(field, slot);
    }
    return slot;
  }

  /** Where an element is, or belongs. Cost: O(log length). */
  private indexOf(placed: PlacedItem): number {
    let low = 0;
    let high = this.elements.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.elements[middle]!, placed)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whether a member shows: some item of it is not bound to a process that is gone. */
export function shows(items: readonly PlacedItem[], isAlive: IsAlive): boolean {
  return items.some(({ item, origin }) => !item.bound || isAlive(origin));
}

/** The order of a list: by position, and where two replicas used one position, by the time of the push. */
function isBefore(one: PlacedItem, other: PlacedItem): boolean {
  if (one.item.number !== other.item.number) return one.item.number < other.item.number;
  return isNewer(other, one);
}

function newestOf(items: readonly PlacedItem[]): PlacedItem | undefined {
  let newest: PlacedItem | undefined;
  for (const placed of items) if (newest === undefined || isNewer(placed, newest)) newest = placed;
  return newest;
}

function same(one: PlacedItem, other: PlacedItem): boolean {
  return one.origin === other.origin && one.number === other.number;
}

function take(items: PlacedItem[], placed: PlacedItem): void {
  const index = items.findIndex((item) => same(item, placed));
  if (index >= 0) items.splice(index, 1);
}
