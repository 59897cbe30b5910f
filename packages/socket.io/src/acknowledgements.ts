/** Broadcasts whose clients acknowledge them: of which servers the number of clients is not known yet, and who answered. */
import type { ReplicaId } from "presently";
import type { SocketId } from "socket.io-adapter";

export type CountListener = (clients: number) => void;
export type AckListener = (...args: unknown[]) => void;

interface Waiting {
  readonly servers: Map<ReplicaId, "asked" | "counted">;
  /** What each server has, as far as is known here. */
  readonly known: ReadonlyMap<ReplicaId, readonly SocketId[]>;
  readonly counted: CountListener;
  readonly acknowledged: AckListener;
  /** Acknowledgements that were promised and have not come. */
  open: number;
  timer: NodeJS.Timeout | undefined;
}

export class Acknowledgements {
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** How many broadcasts wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for the answers of servers for `timeoutMs`; returns the id that they name.
   *
   * @param known the sockets that each is known to have: one that goes without having answered had these
   */
  open(
    servers: Iterable<ReplicaId>,
    known: ReadonlyMap<ReplicaId, readonly SocketId[]>,
    timeoutMs: number | undefined,
    { counted, acknowledged }: { readonly counted: CountListener; readonly acknowledged: AckListener },
  ): number {
    const id = ++this.#lastId;
    const asked: Waiting["servers"] = new Map([...servers].map((server) => [server, "asked"]));
    const timer = setTimeout(() => this.#waiting.delete(id), timeoutMs).unref();
    this.#waiting.set(id, { servers: asked, known, counted, acknowledged, open: 0, timer });
    return id;
  }

  /** A server has so many clients that will answer. */
  count(from: ReplicaId, id: number, clients: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting?.servers.get(from) !== "asked") return;
    waiting.servers.set(from, "counted");
    waiting.open += clients;
    waiting.counted(clients);
    this.#endIfComplete(id, waiting);
  }

  /** A client of a server has answered. */
  acknowledge(from: ReplicaId, id: number, value: unknown): void {
    const waiting = this.#waiting.get(id);
    if (waiting?.servers.get(from) !== "counted") return;
    waiting.open--;
    waiting.acknowledged(value);
    this.#endIfComplete(id, waiting);
  }

  /** A server is gone: if it had no client in question, nothing is missing, else its clients will not answer. */
  left(server: ReplicaId): void {
    for (const [id, { known }] of this.#waiting) this.count(server, id, known.get(server)?.length ?? 0);
  }

  /** Waits for one broadcast no more. */
  end(id: number): void {
    clearTimeout(this.#waiting.get(id)?.timer);
    this.#waiting.delete(id);
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #endIfComplete(id: number, { servers, open }: Waiting): void {
    if (open > 0 || [...servers.values()].includes("asked")) return;
    this.end(id);
  }
}
