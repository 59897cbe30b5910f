/**
 * What the others say: the node asks each that it is linked with how far it is, what it runs and whom it sees. Only when
 * somebody wants to know, so that a cluster at which nobody looks carries nothing for it.
 */
import type { ReplicaId, ReplicaReport, SyncProgress } from "@presently/replica";
import { VERSION } from "../version.ts";
import type { Reply } from "./json.ts";
import type { ApiRequest } from "./route.ts";
import type { ServedNode } from "./served-node.ts";
import { parseQuery } from "./target.ts";

/** Reserved for nodes among themselves. The payload is nothing, the answer an `Outlook`. */
export const OUTLOOK_CHANNEL = "presently/outlook";

/** A survey that is not older answers for the next one too, however many watch. */
const FRESH_FOR_MS = 1_000;
/** Nodes that one survey asks; the others have their turn in the next ones. */
const ASKED_MAX = 64;
/** Replicas that an answer tells of; it has to fit into one message. */
const SEEN_MAX = 400;
const TIMEOUT_MS = 2_000;

/** How one node sees another. */
export interface Sight {
  readonly replica: ReplicaId;
  readonly status: ReplicaReport["status"];
  readonly linked: boolean;
  /** The highest event that it knows of that replica; of itself, all that it has made. */
  readonly events: number;
}

/** What a node says of itself and of the others. */
export interface Outlook {
  /** Of the package. */
  readonly version: string;
  readonly ready: boolean;
  readonly sync: SyncProgress | null;
  /** Itself first; at most 400. */
  readonly sees: readonly Sight[];
}

/** What came of asking one replica. */
export interface SurveyedPeer {
  readonly replica: ReplicaId;
  readonly node: string;
  /** From the question to the answer, as both event loops had time for it; null if none came. */
  readonly roundTripMs: number | null;
  /** Why there is no outlook: the code of the error; null if there is one. */
  readonly failure: string | null;
  readonly outlook: Outlook | null;
  /** Since the answer came, or failed to. */
  readonly askedAgoMs: number;
}

/** The answer of `GET /api/cluster/peers`. */
export interface SurveyJson {
  /** What this node runs. */
  readonly version: string;
  /** The replicas with which this node is linked, as far as they were asked. */
  readonly peers: readonly SurveyedPeer[];
}

interface Asked extends Omit<SurveyedPeer, "askedAgoMs"> {
  readonly atMs: number;
}

/** Asks, and remembers for a moment. Answers the surveys of others from its construction on. */
export class ClusterSurvey {
  readonly #node: ServedNode;
  readonly #version = VERSION;
  #asked = new Map<ReplicaId, Asked>();
  #running: Promise<void> | undefined;
  #endedAtMs = Number.NEGATIVE_INFINITY;

  constructor(node: ServedNode) {
    this.#node = node;
    node.onRequest(OUTLOOK_CHANNEL, () => this.#outlook());
  }

  /** Handles `GET /api/cluster/peers`. Cost: one small message to each linked node, at most once a second. */
  async get({ query }: ApiRequest): Promise<Reply> {
    parseQuery(query, []);
    if (performance.now() - this.#endedAtMs > FRESH_FOR_MS) {
      this.#running ??= this.#survey().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
    const nowMs = performance.now();
    const peers = [...this.#asked.values()].map(({ atMs, ...peer }) => ({
      ...peer,
      askedAgoMs: Math.round(nowMs - atMs),
    }));
    const body: SurveyJson = { version: this.#version, peers };
    return { status: 200, body };
  }

  async #survey(): Promise<void> {
    const linked = this.#node.cluster().filter((replica) => replica.linked);
    // What was said by one whose link is gone is no news any more.
    this.#asked = new Map(
      linked.flatMap(({ replica }) => {
        const asked = this.#asked.get(replica);
        return asked === undefined ? [] : [[replica, asked]];
      }),
    );
    const longestAgoFirst = linked.toSorted((a, b) => this.#askedAtMs(a) - this.#askedAtMs(b));
    await Promise.all(longestAgoFirst.slice(0, ASKED_MAX).map((replica) => this.#ask(replica)));
    this.#endedAtMs = performance.now();
  }

  #askedAtMs({ replica }: ReplicaReport): number {
    return this.#asked.get(replica)?.atMs ?? Number.NEGATIVE_INFINITY;
  }

  async #ask({ replica, node }: ReplicaReport): Promise<void> {
    const startMs = performance.now();
    let [outlook, failure]: [Outlook | null, string | null] = [null, null];
    try {
      const answer = await this.#node.request(replica, OUTLOOK_CHANNEL, null, { timeoutMs: TIMEOUT_MS });
      outlook = asOutlook(answer);
      failure = outlook === null ? "REQUEST_FAILED" : null;
    } catch (error) {
      failure = codeOf(error);
    }
    const atMs = performance.now();
    // "I do not know this question" is an answer as well: it has been there and back.
    const answered = failure === null || failure === "REQUEST_UNHANDLED" || failure === "REQUEST_FAILED";
    const roundTripMs = answered ? Math.round((atMs - startMs) * 100) / 100 : null;
    this.#asked.set(replica, { replica, node, roundTripMs, failure, outlook, atMs });
  }

  #outlook(): Outlook {
    return {
      version: this.#version,
      ready: this.#node.notReadyReason === undefined,
      sync: this.#node.syncProgress ?? null,
      sees: this.#node
        .cluster()
        .slice(0, SEEN_MAX)
        .map(({ replica, status, linked, events }) => ({ replica, status, linked, events })),
    };
  }
}

/** Members are believed, but one of another version may answer in another shape: what cannot be read counts as none. */
function asOutlook(answer: unknown): Outlook | null {
  const { version, ready, sync, sees } = Object(answer) as Partial<Outlook>;
  if (typeof version !== "string" || typeof ready !== "boolean" || !Array.isArray(sees)) return null;
  return { version, ready, sync: sync ?? null, sees: sees.slice(0, SEEN_MAX).filter(isSight) };
}

function isSight(value: unknown): value is Sight {
  const { replica, status, linked, events } = Object(value) as Partial<Sight>;
  return (
    typeof replica === "string" &&
    typeof status === "string" &&
    typeof linked === "boolean" &&
    typeof events === "number"
  );
}

function codeOf(error: unknown): string {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === "string" ? code : "REQUEST_FAILED";
}
