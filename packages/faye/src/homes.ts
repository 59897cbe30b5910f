/**
 * Where is a client at home, if all servers share an engine? It may come to any of them; its presence, and who tells it of events,
 * are where it shook hands or subscribed. When that server is gone, or was started anew, nobody sees the client and nobody
 * tells it anything: it must shake hands again, and subscribes again then.
 */
import type { ClusterLine } from "./cluster-line.ts";

/** How long the others may take to say that a client is theirs. */
const ANSWER_MS = 1_000;
/** Clients that are asked about at a time; more are sent away at once. */
const ASKED_MAX = 1_000;

/** What is told on the line names a channel. */
const CHANNEL = "/meta/connect";

export class Homes {
  readonly #line: Pick<ClusterLine, "send" | "listen">;
  readonly #own = new Set<string>();
  readonly #asked = new Map<
    string,
    { readonly answer: Promise<boolean>; answered(isTheirs: boolean): void }
  >();

  constructor(line: Pick<ClusterLine, "send" | "listen">) {
    this.#line = line;
    line.listen("whose", ({ clientId }) => {
      if (this.#own.has(clientId as string)) line.send("ours", { channel: CHANNEL, clientId });
    });
    line.listen("ours", ({ clientId }) => this.#asked.get(clientId as string)?.answered(true));
  }

  /** The client is at home here. */
  add(clientId: string): void {
    this.#own.add(clientId);
  }

  /** The client has ended, at whichever server. */
  delete(clientId: string): void {
    this.#own.delete(clientId);
  }

  /** Whether the client is at home anywhere; a promise if others must be asked. */
  has(clientId: string): boolean | Promise<boolean> {
    if (this.#own.has(clientId)) return true;
    const asked = this.#asked.get(clientId);
    if (asked !== undefined) return asked.answer;
    return this.#asked.size < ASKED_MAX && this.#ask(clientId);
  }

  #ask(clientId: string): Promise<boolean> {
    let answered: (isTheirs: boolean) => void = () => undefined;
    const answer = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => answered(false), ANSWER_MS).unref();
      answered = (isTheirs) => {
        clearTimeout(timer);
        this.#asked.delete(clientId);
        resolve(isTheirs);
      };
    });
    this.#asked.set(clientId, { answer, answered });
    this.#line.send("whose", { channel: CHANNEL, clientId });
    return answer;
  }

  close(): void {
    for (const { answered } of this.#asked.values()) answered(false);
  }
}
