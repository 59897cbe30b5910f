/** What the mesh did and refused: counted by reason, and said to the log once rather than again and again. */
import type { ReplicaId } from "@presently/replica";
import type { Role } from "./admission.ts";
import type { Link, LinkEnd } from "./link.ts";
import { LogLimiter } from "./log-limiter.ts";
import type { MeshNotice } from "./options.ts";
import type { PeerName } from "./peer-name.ts";
import { printable, type Refusal } from "./refusal.ts";

/** Reasons that are part of normal operation: worth a line only to who looks for it, and not counted as a refusal. */
const NORMAL: ReadonlySet<string> = new Set(["DUPLICATE", "SELF", "REPLACED", "RENAMED", "CLOSING"]);

export class Journal {
  /** Connections and links that we refused, by code. Counts only grow. */
  readonly refused: Record<string, number> = {};
  readonly #log: (notice: MeshNotice) => void;
  readonly #limiter: LogLimiter;

  /** @param options.log must not throw */
  constructor(options: { log: (notice: MeshNotice) => void; now: () => number }) {
    this.#log = options.log;
    this.#limiter = new LogLimiter(options.now);
  }

  listening(replica: ReplicaId, address: string): void {
    this.#log({
      type: "listening",
      level: "info",
      message: `${replica} listens at ${address}`,
      replica,
      address,
    });
  }

  linked(link: Link): void {
    const { replica: peer, address, role } = link;
    const message = `linked with ${peer} at ${address} (${role === "dialler" ? "dialled" : "accepted"})`;
    this.#log({ type: "linked", level: "info", message, peer, address });
    this.#limiter.reset(dialKey(address));
  }

  unlinked({ replica: peer, address }: Link, { by, why }: LinkEnd): void {
    const { code, reason } = why;
    if (by === "us") this.#count(why);
    const level = NORMAL.has(code) || code === "LOST" ? "info" : "warn";
    const message = `link with ${peer} at ${address} closed by ${by}: ${code}: ${reason}`;
    this.#log({ type: "unlinked", level, message, peer, address, by, code, reason });
  }

  /**
   * A connection that never became a link was refused. Two nodes that dial each other at a start close one of their two
   * connections: that is `not-needed`, and no refusal to an operator.
   *
   * @param remote where the other end is
   */
  refusal(by: "us" | "peer", role: Role, remote: string, why: Refusal, peer?: ReplicaId): void {
    const { code, reason } = why;
    if (by === "us") this.#count(why);
    const who = peer === undefined ? remote : `${printable(peer)} at ${remote}`;
    // Each connection of a stranger has another port, so the port is left out of what makes lines alike.
    if (!this.#limiter.allows(`${by} ${code} ${role === "dialler" ? remote : remote.replace(/:\d+$/, "")}`))
      return;
    const facts = { code, reason, remote, peer };
    if (NORMAL.has(code)) {
      const message = `no link with ${who} from this connection: ${code}: ${reason}`;
      this.#log({ type: "not-needed", level: "debug", message, ...facts });
      return;
    }
    const message =
      by === "us" ? `refused ${who}: ${code}: ${reason}` : `refused by ${who}: ${code}: ${reason}`;
    const level = code === "REPLICA_ID_TAKEN" ? "error" : "warn";
    const type = code === "REPLICA_ID_TAKEN" ? "id-taken" : by === "us" ? "refused" : "refused-by-peer";
    this.#log({ type, level, message, ...facts });
  }

  dialFailed(address: string, reason: string): void {
    if (!this.#limiter.allows(dialKey(address))) return;
    const message = `cannot reach ${address}, and keeps trying: ${printable(reason)}`;
    this.#log({ type: "dial-failed", level: "info", message, address, reason: printable(reason) });
  }

  resolved({ text }: PeerName, addresses: readonly string[]): void {
    this.#limiter.reset(`resolve ${text}`);
    const message = `${text} stands for ${addresses.map(printable).join(", ")}`;
    this.#log({ type: "resolved", level: "info", message, name: text, addresses });
  }

  resolveFailed({ text }: PeerName, reason: string): void {
    if (!this.#limiter.allows(`resolve ${text}`)) return;
    const message = `cannot look up ${text}, and keeps trying: ${printable(reason)}`;
    this.#log({ type: "resolve-failed", level: "warn", message, name: text, reason: printable(reason) });
  }

  acceptFailed(error: Error): void {
    if (!this.#limiter.allows("accept")) return;
    const message = `could not accept a connection: ${error.message}`;
    this.#log({ type: "accept-failed", level: "error", message, error });
  }

  #count({ code }: Refusal): void {
    if (!NORMAL.has(code)) this.refused[code] = (this.refused[code] ?? 0) + 1;
  }
}

function dialKey(address: string): string {
  return `dial ${address}`;
}
