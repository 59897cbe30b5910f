/**
 * What Prometheus reads: everything is looked up when it asks, and nothing is counted twice. The registry is the node's own,
 * so that several nodes of one process do not mix; it is made at the first request, because its look at the event loop
 * and the garbage collector costs a little.
 */
import type { Counters } from "@presently/replica";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { refusalsAt } from "../drop-in/refusal-counts.ts";
import type { ApiRequest } from "./route.ts";
import type { ServedNode } from "./served-node.ts";
import { parseQuery } from "./target.ts";

/** What each counter of the replica counts, by the words of the metric. */
const COUNTERS: Readonly<Record<keyof Counters, readonly [name: string, help: string]>> = {
  deltasMade: ["deltas_sent", "Deltas of local changes that were sent."],
  pushesSkipped: [
    "pushes_skipped",
    "Deltas not pushed to a peer whose link was congested; it pulls them later.",
  ],
  broadcastsSkipped: ["broadcasts_skipped", "Broadcasts not sent to a peer whose link was congested."],
  messagesRelayed: [
    "messages_relayed",
    "Messages passed on between two other nodes that have no link, once for each receiver.",
  ],
  gaps: ["delta_gaps", "Deltas that started above what is known here, and made this node pull."],
  pullsSent: ["pulls_sent", "Pulls: what this node found missing."],
  pullsServed: ["pulls_served", "Pulls of others that this node answered."],
  pullTimeouts: ["pull_timeouts", "Pulls that brought nothing in time."],
  syncFramesSent: ["sync_frames_sent", "Frames of answers to pulls."],
  fullSyncs: ["full_syncs", "Full states that were merged."],
  divergences: ["divergences", "Peers that had seen the same events and held another state. Should stay 0."],
  readded: ["entries_readded", "Own entries that a full exchange dropped, and that were added again."],
  evictions: ["evictions", "Replicas that were forgotten."],
  stalls: ["stalls", "Times this process stood still for more than half a heartbeat."],
  nameConflicts: ["name_conflicts", "Times another process was found to have taken over this node's name."],
  listenerErrors: ["listener_errors", "What listeners of the application threw."],
  diffsTold: ["diffs_told", "Diffs that watchers here were told, each once, however many they were."],
  sessionsOpened: ["sessions_opened", "Sessions that were opened here: one for each socket, in general."],
  sessionsClosed: ["sessions_closed", "Sessions that were closed here."],
};

const STATUSES = ["up", "suspect", "leaving", "down"] as const;

const registries = new WeakMap<ServedNode, Registry>();

/** Answers `GET /metrics` for a node. */
export function metricsHandler(node: ServedNode): (request: ApiRequest) => Promise<undefined> {
  return async ({ response, query }) => {
    parseQuery(query, []);
    const registry = registryFor(node);
    const text = await registry.metrics();
    response.setHeader("content-type", registry.contentType);
    response.setHeader("cache-control", "no-store");
    response.end(text);
    return undefined;
  };
}

function registryFor(node: ServedNode): Registry {
  const known = registries.get(node) ?? registryOf(node);
  registries.set(node, known);
  return known;
}

function registryOf(node: ServedNode): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ cluster: node.clusterName, node: node.name });
  collectDefaultMetrics({ register: registry });
  addReplicas(registry, node);
  addPresences(registry, node);
  addLinks(registry, node);
  addCounters(registry, node);
  addRequests(registry, node);
  counter(registry, "log_lines_dropped", "Lines of the log that could not be written.", [], (metric) =>
    metric.inc(node.logLinesDropped),
  );
  return registry;
}

function addReplicas(registry: Registry, node: ServedNode): void {
  gauge(registry, "ready", "1 once the node has caught up with every peer that it can reach.", [], (metric) =>
    metric.set(node.notReadyReason === undefined ? 1 : 0),
  );
  gauge(
    registry,
    "replicas",
    "Other replicas that this node knows, by what it believes of them.",
    ["status"],
    (metric) => {
      for (const status of STATUSES)
        metric.set({ status }, node.cluster().filter((replica) => replica.status === status).length);
    },
  );
  gauge(
    registry,
    "digest_agreement_age_seconds",
    "Since the digest of a linked peer last agreed with this node's. Grows while they differ.",
    ["peer"],
    (metric) => {
      for (const { linked, node: peer, agreedAgoMs } of node.cluster())
        if (linked && agreedAgoMs !== undefined) metric.set({ peer }, agreedAgoMs / 1_000);
    },
  );
  gauge(
    registry,
    "peer_agrees",
    "1 while the last digest of a linked peer agreed with this node's.",
    ["peer"],
    (metric) => {
      for (const { linked, node: peer, agrees } of node.cluster())
        if (linked && agrees !== undefined) metric.set({ peer }, agrees ? 1 : 0);
    },
  );
  gauge(
    registry,
    "heartbeat_age_seconds",
    "Since the heartbeat of a replica last advanced here.",
    ["peer"],
    (metric) => {
      for (const { status, node: peer, heardAgoMs } of node.cluster())
        if (status !== "self") metric.set({ peer }, heardAgoMs / 1_000);
    },
  );
}

function addPresences(registry: Registry, node: ServedNode): void {
  gauge(registry, "entries", "Entries held for each replica, hidden ones included.", ["peer"], (metric) => {
    for (const { node: peer, entries } of node.cluster()) metric.inc({ peer }, entries);
  });
  gauge(registry, "topics", "Topics on which somebody is present.", [], (metric) =>
    metric.set([...node.readTopics()].length),
  );
  gauge(registry, "sessions", "Sessions that are open here.", [], (metric) => {
    const { sessionsOpened, sessionsClosed } = node.counters;
    metric.set(sessionsOpened - sessionsClosed);
  });
}

function addLinks(registry: Registry, node: ServedNode): void {
  gauge(registry, "link_buffered_bytes", "Bytes handed to a link and not yet sent.", ["peer"], (metric) => {
    for (const { node: peer, bufferedBytes } of node.links()) metric.set({ peer }, bufferedBytes);
  });
  const traffic = [
    ["link_sent_bytes", "Payload sent over a link.", "bytesSent"],
    ["link_received_bytes", "Payload received over a link.", "bytesReceived"],
    ["link_sent_frames", "Frames sent over a link.", "framesSent"],
    ["link_received_frames", "Frames received over a link.", "framesReceived"],
  ] as const;
  for (const [name, help, field] of traffic)
    counter(registry, name, `${help} Starts again with every link.`, ["peer"], (metric) => {
      for (const link of node.links()) metric.inc({ peer: link.node }, link[field]);
    });
  counter(
    registry,
    "connections_refused",
    "Connections of the mesh that were refused.",
    ["reason"],
    (metric) => {
      for (const [reason, count] of Object.entries(node.refused)) metric.inc({ reason }, count);
    },
  );
}

function addRequests(registry: Registry, node: ServedNode): void {
  counter(
    registry,
    "http_requests_refused",
    "Requests that were refused by access or for being too many.",
    ["reason"],
    (metric) => {
      for (const [reason, count] of Object.entries(node.refusedRequests)) metric.inc({ reason }, count);
    },
  );
  counter(
    registry,
    "drop_in_refused",
    "Connections of clients of a drop-in that were refused, and what they might not do.",
    ["protocol", "reason"],
    (metric) => {
      for (const [protocol, counts] of refusalsAt(node))
        for (const [reason, count] of Object.entries(counts)) metric.inc({ protocol, reason }, count);
    },
  );
}

function addCounters(registry: Registry, node: ServedNode): void {
  for (const [field, [name, help]] of Object.entries(COUNTERS))
    counter(registry, name, help, [], (metric) => metric.inc(node.counters[field as keyof Counters]));
}

/** A gauge that `collect` fills anew each time it is read. */
function gauge<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
  collect: (metric: Gauge<Label>) => void,
): void {
  new Gauge<Label>({
    name: `presently_${name}`,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      collect(this);
    },
  });
}

/** A counter of what is counted elsewhere. */
function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
  collect: (metric: Counter<Label>) => void,
): void {
  new Counter<Label>({
    name: `presently_${name}_total`,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      collect(this);
    },
  });
}
