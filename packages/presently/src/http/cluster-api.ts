/** The resources under `/api/cluster`: what this node believes of the others, what happened, and forgetting a replica. */
import {
  type Counters,
  InvalidArgumentError,
  type ReplicaId,
  type ReplicaReport,
  type SyncProgress,
} from "@presently/replica";
import { HttpRequestError } from "../errors.ts";
import type { Eviction } from "../eviction.ts";
import type { Reply } from "./json.ts";
import type { OriginGuard } from "./origin-guard.ts";
import type { ApiRequest } from "./route.ts";
import type { LinkReport, ServedNode } from "./served-node.ts";
import { parseQuery } from "./target.ts";

/** A replica in the answer of `GET /api/cluster`. */
export interface ReplicaJson extends Omit<ReplicaReport, "agrees" | "agreedAgoMs"> {
  /** Whether its last digest agreed with ours; null while none has come from it directly. */
  readonly agrees: boolean | null;
  /** Age of the last agreement; null if there was none since the link opened. */
  readonly agreedAgoMs: number | null;
  /** The other end of the link with it, where there is one. */
  readonly address: string | null;
}

/** The answer of `GET /api/cluster`: the cluster as this node sees it, itself first. */
export interface ClusterJson {
  readonly node: string;
  readonly replica: ReplicaId;
  readonly cluster: string;
  readonly ready: boolean;
  /** Why it is not, for people; null if it is. */
  readonly notReadyReason: string | null;
  /** How far the state is that another node is giving this one; null if none is. */
  readonly sync: SyncProgress | null;
  readonly replicas: readonly ReplicaJson[];
  readonly links: readonly LinkReport[];
  /** What the replica did and saw since the start; they only grow. */
  readonly counters: Readonly<Counters>;
  /** Connections and links of the mesh that this node refused since the start, by the code of the reason. */
  readonly refused: Readonly<Record<string, number>>;
}

/** `GET /api/cluster`. Cost: O(replicas). */
export function getCluster({ query }: ApiRequest, node: ServedNode): Reply {
  parseQuery(query, []);
  const links = node.links();
  const addresses = new Map(links.map((link) => [link.replica, link.address]));
  const replicas = node.cluster().map((report) => ({
    ...report,
    heardAgoMs: Math.round(report.heardAgoMs),
    // `null`, not left out: "unknown" is an answer, and so every replica has the same fields.
    agrees: report.agrees ?? null,
    agreedAgoMs: report.agreedAgoMs === undefined ? null : Math.round(report.agreedAgoMs),
    address: addresses.get(report.replica) ?? null,
  }));
  const { notReadyReason = null } = node;
  const body: ClusterJson = {
    node: node.name,
    replica: node.replica,
    cluster: node.clusterName,
    ready: notReadyReason === null,
    notReadyReason,
    sync: node.syncProgress ?? null,
    replicas,
    links,
    counters: node.counters,
    refused: node.refused,
  };
  return { status: 200, body };
}

/**
 * `DELETE /api/cluster/replicas/:replica`: this node forgets the replica at once; with `?everywhere=true`, all do, and the
 * answer names them. One that is alive comes back by itself.
 *
 * @throws {HttpRequestError} 404 for a replica that is not known to whoever was asked, 409 for the node itself
 */
export async function evictReplica(
  { request, params, query }: ApiRequest,
  { node, origins }: { readonly node: ServedNode; readonly origins: OriginGuard },
): Promise<Reply> {
  const { everywhere } = parseQuery(query, ["everywhere"]);
  if (everywhere !== undefined && everywhere !== "true" && everywhere !== "false")
    throw new InvalidArgumentError("the query parameter everywhere", "must be true or false");
  origins.check(request);
  const replica = params.replica! as ReplicaId;
  if (replica === node.replica) {
    throw new HttpRequestError(
      409,
      "OWN_REPLICA",
      `${replica} is the node that you ask: stop it, or ask another node to forget it`,
    );
  }
  if (everywhere === "true") {
    const eviction: Eviction = await node.evictEverywhere(replica);
    if (eviction.forgottenBy.length > 0) return { status: 200, body: eviction };
  } else if (node.evict(replica)) return { status: 204 };
  throw new HttpRequestError(
    404,
    "NOT_FOUND",
    `${JSON.stringify(replica)} is not a replica that is known here: GET /api/cluster names them, such as n2@1700000000000`,
  );
}
