/**
 * How many connections there are to each channel of an app, over all nodes.
 *
 * Each node has one presence for a count, whose meta is its number: what a lost node counted is gone with it. A number that
 * changes often is written at most every 20 ms; that a channel is occupied, or no longer, at once.
 */
import type { AnyNode, Session } from "presently";

const FLUSH_MS = 20;
const KEY = "count";

export class Tallies {
  readonly #node: AnyNode;
  readonly #prefix: string;
  readonly #session: Session;
  readonly #counts = new Map<string, number>();
  readonly #unwritten = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param prefix what the topics of the counts begin with */
  constructor(node: AnyNode, prefix: string) {
    this.#node = node;
    this.#prefix = prefix;
    this.#session = node.session() as Session;
  }

  /** Counts one more, or one fewer, at this node. */
  add(name: string, change: 1 | -1): void {
    const count = (this.#counts.get(name) ?? 0) + change;
    if (count > 0) this.#counts.set(name, count);
    else this.#counts.delete(name);
    if (this.#session.closed) return;
    if (count === 0) {
      this.#unwritten.delete(name);
      this.#session.untrack(this.topicOf(name), KEY);
    } else if (count === 1 && change === 1) this.#write(name);
    else {
      this.#unwritten.add(name);
      this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS).unref();
    }
  }

  topicOf(name: string): string {
    return this.#prefix + name;
  }

  /** Over all nodes; of this one to the last. Cost: O(nodes). */
  total(name: string): number {
    let total = this.#counts.get(name) ?? 0;
    for (const { replica, meta } of this.#node.list(this.topicOf(name)))
      if (replica !== this.#node.replica) total += countIn(meta);
    return total;
  }

  /** Those that are not 0 anywhere, and begin with `prefix`. Cost: O(answer). */
  names(prefix: string): string[] {
    return this.#node.topics(this.topicOf(prefix)).map(({ topic }) => topic.slice(this.#prefix.length));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#session.close();
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#session.closed) return;
    this.#node.batch(() => {
      for (const name of this.#unwritten) this.#write(name);
    });
    this.#unwritten.clear();
  }

  #write(name: string): void {
    this.#session.track(this.topicOf(name), KEY, { n: this.#counts.get(name)! });
  }
}

function countIn(meta: object): number {
  const { n } = meta as { readonly n?: unknown };
  return typeof n === "number" ? n : 0;
}
