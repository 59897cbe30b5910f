/**
 * Keeps asking which addresses are behind the names of the options, and tells when that changes.
 *
 * Nobody tells us when a name's answer changes, so each is asked for again after an interval, sooner when a peer is
 * missed, and soon when there was no answer. A name that nobody answers for keeps the addresses that it had: name
 * servers fail, too, and what they last said is the best guess at where the peers are.
 */
import type { NameResolver } from "./name-resolver.ts";
import { addressesAt, addressesOf, type PeerName } from "./peer-name.ts";

export interface NameWatchOptions {
  readonly names: readonly PeerName[];
  readonly resolver: NameResolver;
  /** From one answer to the next question. */
  readonly intervalMs: number;
  /** The shortest time between two questions for one name, and how soon one that failed is asked again. */
  readonly pauseMs: number;
  /** Addresses taken from one answer. */
  readonly addressesMax: number;
  readonly now: () => number;
  /** What all names together stand for now: addresses to dial, and the host that was looked up for each. */
  readonly onChange: (addresses: ReadonlyMap<string, string>) => void;
  /** A name has another answer than before. */
  readonly onAnswer: (name: PeerName, addresses: readonly string[]) => void;
  readonly onFailure: (name: PeerName, reason: string) => void;
}

interface Watched {
  readonly name: PeerName;
  answer: readonly string[];
  asking: boolean;
  askedMs: number;
  timer: NodeJS.Timeout | undefined;
}

export class NameWatch {
  readonly #options: NameWatchOptions;
  readonly #watched: readonly Watched[];
  #stopped = false;

  constructor(options: NameWatchOptions) {
    this.#options = options;
    this.#watched = options.names.map((name) => ({
      name,
      answer: [],
      asking: false,
      askedMs: Number.NEGATIVE_INFINITY,
      timer: undefined,
    }));
  }

  /** Asks for every name now, or as soon as the pause since the last question allows. */
  soon(): void {
    const { pauseMs, now } = this.#options;
    for (const watched of this.#watched)
      this.#schedule(watched, Math.max(0, watched.askedMs + pauseMs - now()));
  }

  /** Asks no more; what is still answered is not heard. */
  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#watched) clearTimeout(timer);
  }

  #schedule(watched: Watched, delayMs: number): void {
    // While a question is open its answer decides when the next one comes.
    if (this.#stopped || watched.asking) return;
    clearTimeout(watched.timer);
    watched.timer = setTimeout(() => void this.#ask(watched), delayMs);
  }

  async #ask(watched: Watched): Promise<void> {
    const { intervalMs, pauseMs, now, onFailure } = this.#options;
    watched.asking = true;
    watched.askedMs = now();
    let addresses: readonly string[] | undefined;
    let reason = "";
    try {
      addresses = await this.#resolve(watched.name);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    if (this.#stopped) return;
    watched.asking = false;
    this.#schedule(watched, addresses === undefined ? Math.min(intervalMs, pauseMs) : intervalMs);
    if (addresses === undefined) onFailure(watched.name, reason);
    else this.#answered(watched, addresses);
  }

  async #resolve(name: PeerName): Promise<string[]> {
    const { resolver, addressesMax } = this.#options;
    const addresses =
      name.type === "dns"
        ? addressesAt(name, await resolver.addresses(name.host))
        : addressesOf(name, await resolver.services(name.host));
    if (addresses.length === 0) throw new Error("the answer holds no address to dial");
    // In one order, because name servers rotate their answers.
    return [...new Set(addresses)].sort().slice(0, addressesMax);
  }

  #answered(watched: Watched, addresses: readonly string[]): void {
    if (addresses.join() === watched.answer.join()) return;
    watched.answer = addresses;
    const { onAnswer, onChange } = this.#options;
    onAnswer(watched.name, addresses);
    onChange(
      new Map(
        this.#watched.flatMap(({ name, answer }) =>
          answer.map((address) => [address, name.type === "dns" ? name.host : new URL(address).hostname]),
        ),
      ),
    );
  }
}
