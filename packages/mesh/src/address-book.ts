/** Which addresses we know, and which node is believed to be behind each. Bounded; no timers and no sockets. */

/** One address. */
export interface AddressEntry {
  readonly address: string;
  /** Named in the options: never forgotten. */
  readonly configured: boolean;
  /** The host that was looked up in the DNS, while its answer holds this address: not forgotten so long. */
  name: string | undefined;
  /** The node behind it, as it said itself or, until it did, as a peer said. */
  node: string | undefined;
  /** Whether a node has ever answered there and proved itself. */
  answered: boolean;
  /** Whether it led back to ourselves. */
  self: boolean;
}

/** The addresses of a mesh. Configured ones stay for ever; learnt ones until the book is full. */
export class AddressBook {
  readonly #entries = new Map<string, AddressEntry>();
  readonly #addressesMax: number;

  /** @param configured at most `addressesMax` addresses, normalized */
  constructor(configured: readonly string[], addressesMax: number) {
    this.#addressesMax = addressesMax;
    for (const address of configured) this.#add(address, true, undefined);
  }

  get size(): number {
    return this.#entries.size;
  }

  entry(address: string): AddressEntry | undefined {
    return this.#entries.get(address);
  }

  entries(): IterableIterator<AddressEntry> {
    return this.#entries.values();
  }

  /** The addresses believed to lead to `node`. Cost: O(addresses). */
  behind(node: string): AddressEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.node === node && !entry.self);
  }

  /**
   * Notes what a peer says: `node` is at `address`. What a node said of itself at that address counts for more.
   * When the book is full, a learnt address where nobody ever answered gives way, the oldest first.
   *
   * @param dispensable whether an entry may give way
   * @returns the address forgotten for it, if any; and whether `address` is in the book now
   */
  learn(
    node: string,
    address: string,
    dispensable: (entry: AddressEntry) => boolean,
  ): { known: boolean; forgotten?: string } {
    const entry = this.#entries.get(address);
    if (entry !== undefined) {
      if (!entry.answered && !isKept(entry)) entry.node = node;
      return { known: true };
    }
    return this.#addLearnt(address, node, dispensable);
  }

  /**
   * Takes what the names of the options stand for now. Addresses that no name stands for any more are forgotten unless
   * somebody ever answered there: then they stay, like those that peers told of.
   *
   * @param names addresses, and the host that was looked up for each
   * @param dispensable as for `learn`
   * @returns the addresses that are new, and those that are forgotten
   */
  takeNames(
    names: ReadonlyMap<string, string>,
    dispensable: (entry: AddressEntry) => boolean,
  ): { added: string[]; forgotten: string[] } {
    const added: string[] = [];
    const forgotten: string[] = [];
    for (const entry of [...this.#entries.values()]) {
      if (entry.name === undefined || names.has(entry.address)) continue;
      entry.name = undefined;
      if (entry.configured || entry.answered) continue;
      this.#entries.delete(entry.address);
      forgotten.push(entry.address);
    }
    for (const [address, name] of names) {
      if (!this.#entries.has(address)) {
        const learnt = this.#addLearnt(address, undefined, dispensable);
        if (learnt.forgotten !== undefined) forgotten.push(learnt.forgotten);
        if (!learnt.known) continue;
        added.push(address);
      }
      this.#entries.get(address)!.name = name;
    }
    return { added, forgotten };
  }

  #addLearnt(
    address: string,
    node: string | undefined,
    dispensable: (entry: AddressEntry) => boolean,
  ): { known: boolean; forgotten?: string } {
    if (this.#entries.size < this.#addressesMax) {
      this.#add(address, false, node);
      return { known: true };
    }
    for (const candidate of this.#entries.values()) {
      if (isKept(candidate) || candidate.answered || !dispensable(candidate)) continue;
      this.#entries.delete(candidate.address);
      this.#add(address, false, node);
      return { known: true, forgotten: candidate.address };
    }
    return { known: false };
  }

  /** Notes that `node` answered at `address` and proved itself. Returns the node believed to be there before. */
  answered(address: string, node: string): string | undefined {
    const entry = this.#entries.get(address);
    if (entry === undefined) return undefined;
    const before = entry.node;
    entry.node = node;
    entry.answered = true;
    entry.self = false;
    return before;
  }

  /** Notes that `address` leads to ourselves. It stays in the book, so that nobody can teach it to us again. */
  leadsHome(address: string): void {
    const entry = this.#entries.get(address);
    if (entry === undefined) return;
    entry.self = true;
    entry.node = undefined;
  }

  /**
   * Drops the learnt addresses of `node`, and returns them. One that a name still stands for is dropped as soon as the
   * name does not.
   */
  forget(node: string): string[] {
    for (const entry of this.behind(node)) {
      if (entry.configured || entry.name === undefined) continue;
      entry.node = undefined;
      entry.answered = false;
    }
    const learnt = this.behind(node).filter((entry) => !isKept(entry));
    for (const { address } of learnt) this.#entries.delete(address);
    return learnt.map((entry) => entry.address);
  }

  #add(address: string, configured: boolean, node: string | undefined): void {
    const entry = { address, configured, name: undefined, node, answered: false, self: false };
    this.#entries.set(address, entry);
  }
}

/** Whether the options stand for this address, by itself or by a name. */
export function isKept({ configured, name }: AddressEntry): boolean {
  return configured || name !== undefined;
}
